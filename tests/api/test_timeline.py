"""What a customer did day by day, against a count by hand of random histories."""

import io
import json
from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.api import timeline as told
from shared.api.timeline import timeline
from shared.events import Rules, read_file
from shared.features import encode, fold
from shared.features.time_zone import TimeZone
from tests.support.event_files import ndjson
from tests.support.stored_profiles import profile

EVENTS = st.lists(
    st.tuples(
        st.integers(0, 24 * 40),
        st.sampled_from(["purchase", "view_item", "search"]),
        st.sampled_from(["Shoes", "Hats", "<b>"]),
    ),
    min_size=1,
    max_size=30,
)


def said(events: list[tuple[int, str, str]], zone: str = "UTC", **more: Any) -> Any:
    """The time line of somebody with these events: hours since 2017-10-20, types and categories."""
    begin = datetime(2017, 10, 20, tzinfo=UTC).timestamp()
    lines = [
        {
            "event_id": str(i), "event_type": kind, "customer_id": "7", "category": category, "price": 2.5, **more,
            "timestamp": datetime.fromtimestamp(begin + 3_600 * hour, UTC).isoformat(),
        }
        for i, (hour, kind, category) in enumerate(events)
    ]  # fmt: skip
    [chunk] = read_file(io.BytesIO(ndjson(lines)), "events.ndjson", Rules())
    (state,) = encode(fold(chunk.events))
    return timeline(profile("customer#7", state=state, events=len(lines)), TimeZone.of(zone))


@given(EVENTS, st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]))
def test_every_event_is_on_the_shops_day_of_it(events: list[tuple[int, str, str]], zone: str) -> None:
    counts = Counter[tuple[str, str]]()
    latest = defaultdict[tuple[str, str], int](int)
    for hour, kind, _ in events:
        at = datetime(2017, 10, 20, tzinfo=UTC).timestamp() + 3_600 * hour
        day = (datetime.fromtimestamp(at, ZoneInfo(zone)).date().isoformat(), kind)
        counts[day] += 1
        latest[day] = max(latest[day], round(at))
    answer = said(events, zone)
    days = {
        (datetime.fromisoformat(one["at"]).astimezone(ZoneInfo(zone)).date().isoformat(), one["type"]): one
        for one in answer["days"]
    }
    assert {day: one["count"] for day, one in days.items()} == counts
    assert {day: round(datetime.fromisoformat(one["at"]).timestamp()) for day, one in days.items()} == latest
    shops_days = [day for day, _ in days]
    assert shops_days == sorted(shops_days, reverse=True)
    assert answer["events"] == len(events)


def test_amounts_categories_and_attributes_are_told_as_they_came() -> None:
    events = [(1, "purchase", "Shoes"), (2, "purchase", "Shoes"), (3, "purchase", "<b>")]
    answer = said(events, attributes={"tier": "gold", "born": 1987})
    (day,) = answer["days"]
    assert (day["amount"], day["categories"]) == (7.5, ["Shoes", "<b>"])
    assert answer["attributes"] == {"tier": "gold", "born": 1987}
    assert json.loads(json.dumps(answer)) == answer


def test_the_newest_days_are_told_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(told, "MOST_DAYS", 3)
    answer = said([(24 * day, "search", "Hats") for day in range(9)])
    assert [one["at"][:10] for one in answer["days"]] == ["2017-10-28", "2017-10-27", "2017-10-26"]
    assert answer["events"] == 9
