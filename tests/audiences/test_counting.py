"""Counts of the last days, at their edges."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from shared.audiences.counting import Happened
from shared.audiences.rules import Count
from shared.durations import DAY_MS
from shared.features import FEATURE_NAMES, features
from tests.features.histories import folded

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
AT_MS = round(NOON.timestamp() * 1_000)


def test_a_window_begins_with_its_first_instant_and_ends_before_its_last() -> None:
    views = _profiles(_view(days=7), _view(days=7, milliseconds=1), _view(days=0))

    counts = Happened(Count("views", 7), views).counts(np.zeros(3, np.int64), np.array([AT_MS, AT_MS + 1, AT_MS - 1]))

    assert counts.tolist() == [1, 1, 2]


def test_an_order_counts_once_at_its_first_line_of_the_subject() -> None:
    bought = _profiles(
        _order("o1", "Hats", days=9),
        _order("o1", "Shoes", days=5),
        _order("o1", "Shoes", days=4),
        _order(None, "Shoes", days=3),
        _order(None, "Shoes", days=3, milliseconds=1),
    )

    assert _count(Count("orders", 6, "Shoes"), bought) == 3
    assert _count(Count("orders", 4, "Shoes"), bought) == 2
    assert _count(Count("orders", 10), bought) == 3


def test_without_a_subject_they_are_what_the_features_count() -> None:
    bought = _profiles(_order("o1", "Hats", days=1), _order("o2", "Hats", days=20), _view(days=2))
    known = dict(zip(FEATURE_NAMES, features(bought, AT_MS)[0].tolist(), strict=True))

    assert _count(Count("orders", 30), bought) == known["orders_30d"]


def test_exposures_count_only_where_they_are_asked_for_by_name() -> None:
    approached = {"event_type": "campaign_exposure", "campaign": "spring", "arm": "control"}
    profiles = _profiles(_view(days=1), {**_view(days=2), **approached})

    assert _count(Count("events", 7), profiles) == 1
    assert _count(Count("events", 7, "campaign_exposure", "type"), profiles) == 1
    assert _count(Count("events", 7, "spring", "campaign"), profiles) == 1
    assert _count(Count("events", 7, "autumn", "campaign"), profiles) == 0


def test_a_subject_is_a_category_a_brand_or_a_product_unless_it_is_said_which() -> None:
    viewed = _profiles(
        *({**_view(days=day), name: "x"} for day, name in enumerate(("category", "brand", "product_id")))
    )

    assert _count(Count("views", 7, "x"), viewed, AT_MS + DAY_MS) == 3
    assert _count(Count("views", 7, "x", "brand"), viewed, AT_MS + DAY_MS) == 1


def _count(count: Count, profiles: Any, at_ms: int = AT_MS) -> int:
    return int(Happened(count, profiles).counts(np.zeros(1, np.int64), at_ms)[0])


def _profiles(*events: dict[str, Any]) -> Any:
    return folded([{"event_id": f"e{i}", **event} for i, event in enumerate(events)])


def _view(days: float, milliseconds: int = 0) -> dict[str, Any]:
    at = NOON - timedelta(days=days, milliseconds=milliseconds)
    return {"customer_id": "a", "event_type": "view_item", "timestamp": at.isoformat()}


def _order(order: str | None, category: str, days: float, milliseconds: int = 0) -> dict[str, Any]:
    event = {**_view(days, milliseconds), "event_type": "purchase", "category": category, "price": 1.0}
    return event if order is None else {**event, "order_id": order}
