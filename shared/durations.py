"""How long units of time take, for instants in UTC milliseconds and what DynamoDB expires by the second."""

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
DAY_SECONDS = DAY_MS // 1_000
