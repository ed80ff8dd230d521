"""Lines of event files, a good one and broken ones with what is wrong in each, and what is read of a file."""

import io
import json
from typing import Any

from shared.events import Rejection, Rules, read_file
from shared.events.event import parse_timestamp
from shared.features import Profiles, fold, merge

NOW_MS = parse_timestamp("2017-12-31T00:00:00Z")
GOOD: dict[str, Any] = {
    "event_id": "e1",
    "event_type": "purchase",
    "timestamp": "2017-10-01T10:00:00Z",
    "customer_id": "889",
    "order_id": "o1",
    "price": 2.5,
    "quantity": 2.0,
    "currency": "USD",
}
BROKEN = {
    "{": "not valid JSON: Input data was truncated",
    "[1]": "a line must hold one JSON object, not array",
    '{"timestamp": 1, "customer_id": "1"}': "event_type is missing",
    '{"event_type": "search", "timestamp": "tomorrow", "customer_id": "1"}': "timestamp must be a time in ISO 8601",
    '{"event_type": "page_view", "timestamp": "2018-06-01", "customer_id": "1"}': "more than a day in the future",
    '{"event_type": "page_view", "timestamp": 1}': "customer_id is missing, and so is anonymous_id",
    '{"event_type": "search", "timestamp": 1, "customer_id": ""}': "customer_id must be text of 1 to 128",
    '{"event_type": "purchase", "timestamp": 1, "customer_id": "1", "price": -1}': "price must be a number from 0",
    '{"event_type": "refund", "timestamp": 1, "customer_id": "1", "quantity": 0}': "quantity must be a number above 0",
    '{"event_type": "purchase", "timestamp": 1, "customer_id": "1", "currency": "EUR"}': "this stack counts USD",
    '{"event_type": "purchase", "timestamp": 1, "customer_id": "1", "price": "9.99"}': "not the text '9.99'",
    '{"event_type": "purchase", "timestamp": 1, "customer_id": 7}': "customer_id must be text of 1 to 128",
    '{"event_type": "refund", "timestamp": 1, "customer_id": "1", "price": 1e9, "quantity": 9}': "times price",
    '{"event_type": "page_view", "timestamp": -5, "customer_id": "1"}': "timestamp -5.0 is before 1970",
    '{"event_type": "page_view", "timestamp": null, "customer_id": "1"}': "timestamp is missing",
    '{"event_type": "page_view", "timestamp": true, "customer_id": "1"}': "timestamp must be a time",
    '{"event_type": "identify", "timestamp": 1, "customer_id": "1", "attributes": "gold"}': "must be an object of",
    '{"event_type": "identify", "timestamp": 1, "customer_id": "1", "attributes": {"a": []}}': "must be an object of",
    '{"event_type": "campaign_exposure", "timestamp": 1, "customer_id": "1", "arm": "b"}': "arm must be treatment or",
}


def ndjson(*events: Any) -> bytes:
    return b"\n".join(e if isinstance(e, bytes) else json.dumps(e).encode() for e in events)


def read(content: bytes, name: str = "events.ndjson", rules: Rules | None = None) -> tuple[Profiles, list[Rejection]]:
    state, rejections = Profiles.empty(), []
    for chunk in read_file(io.BytesIO(content), name, rules or Rules(now_ms=NOW_MS)):
        state = merge(state, fold(chunk.events))
        rejections += chunk.rejections
    return state, rejections
