"""A move that is told twice may differ in nothing, but for reasons that a release before could not read."""

import json
from typing import Any

import pytest

from shared.features.codec import VERSION
from shared.ledger.announcements import DETAIL_TYPE
from shared.profiles.item import encode_profile
from shared.profiles.stored_profile import PROFILE, StoredProfile
from tests.simulation.announced import announced, unread_by_the_older

TOLD = {"transition_id": "a", "from": None, "to": 0, "cause": "events", "reasons": [{"feature": "orders_365d"}]}
BARE = {**TOLD, "reasons": []}
OTHERWISE = {**TOLD, "reasons": [{"feature": "views_7d"}]}


def entries(*details: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"DetailType": DETAIL_TYPE, "Detail": json.dumps(detail)} for detail in details]


@pytest.mark.parametrize("details", [[TOLD, BARE, TOLD], [BARE, TOLD, BARE], [BARE, BARE, TOLD]])
def test_reasons_may_be_missing_where_the_history_is_a_newer_one_alone(details: list[Any]) -> None:
    assert announced(entries(*details), {"a"}) == ([TOLD], [])
    assert announced(entries(*details), {"b"})[1] != []


@pytest.mark.parametrize(
    "details",
    [
        [TOLD, OTHERWISE],
        [BARE, TOLD, OTHERWISE],
        [TOLD, BARE, OTHERWISE],
        [TOLD, {**BARE, "to": 1}],
        [{**BARE, "at": "later"}, TOLD],
    ],
)
def test_whatever_else_differs_is_found(details: list[Any]) -> None:
    assert announced(entries(*details), {"a"})[1] == ["a"]


@pytest.mark.parametrize(
    ("version", "known", "is_newer"), [(VERSION, None, True), (VERSION, b"1234", False), (VERSION - 1, None, False)]
)
def test_a_newer_history_is_told_by_its_bytes(version: int, known: bytes | None, *, is_newer: bool) -> None:
    head = StoredProfile("customer#a", 7, bytes([version, 0]), 1, None, known=known)
    change = {"key": ("customer#a", PROFILE), "new": encode_profile(head)}
    gone = {"key": ("customer#a", PROFILE), "new": None}
    assert len(unread_by_the_older([change, gone])) == is_newer
