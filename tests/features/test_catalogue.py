"""What the catalogue says of its features holds for the numbers that they give."""

from datetime import UTC, datetime
from typing import Any

import numpy as np

from shared.durations import DAY_MS
from shared.features import DEFINITIONS, FEATURE_NAMES, FEATURES, features, top_categories
from tests.features.histories import folded

AS_OF_MS = int(datetime(2017, 1, 8, tzinfo=UTC).timestamp() * 1_000)


def event(day: int, kind: str, **more: Any) -> dict[str, Any]:
    at = f"2017-01-{day:02}T12:00:00"
    return {"event_id": f"{day}{kind}", "event_type": kind, "customer_id": "a", "timestamp": at, **more}


BUYER = folded([event(day, kind, price=1.0) for day in (3, 5) for kind in ("add_to_cart", "purchase")])


def test_names_are_distinct_and_definitions_in_their_order() -> None:
    assert len({*FEATURE_NAMES}) == len(FEATURES)
    assert tuple(definition.name for definition in DEFINITIONS) == FEATURE_NAMES


def test_what_grows_daily_grows_by_one_a_day_while_nothing_happens_and_nothing_else_does() -> None:
    growth = features(BUYER, AS_OF_MS + DAY_MS)[0] - features(BUYER, AS_OF_MS)[0]
    growing = {feature.name for feature in FEATURES if feature.grows_daily}
    assert {FEATURE_NAMES[j] for j in np.flatnonzero(growth == 1)} == growing
    assert {FEATURE_NAMES[j] for j in np.flatnonzero(np.nan_to_num(growth))} == {*growing, "order_overdue"}


def test_whether_a_feature_grows_is_no_part_of_what_bundles_know_it_by() -> None:
    assert all("grows_daily" not in definition.as_dict() for definition in DEFINITIONS)


def test_favourite_categories_come_most_frequent_first_and_in_order_between_equals() -> None:
    visits = [event(2, "view_item", category="Tea"), event(3, "view_item", category="Hats")]
    often = [event(day, "purchase", category="Rugs") for day in (4, 5)]
    assert top_categories(folded([*visits, *often]), AS_OF_MS) == [["Rugs", "Hats", "Tea"]]
    assert top_categories(folded([*visits, *often]), AS_OF_MS, most=1, days=365) == [["Rugs"]]
