"""The answer of what a customer may like, made of what is stored of them."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from shared.api.answers import Refused
from shared.decisions.decision import iso
from shared.features import BrokenState, Rows, UnknownStateVersion
from shared.profiles.histories import histories
from shared.profiles.stored_profile import StoredProfile
from shared.recommending.lists import LISTS
from shared.recommending.recommender import Recommender
from shared.recommending.recommending import recommendations, segment_in

NEWER = "A newer release wrote what is known of the customer, which this one cannot read."
DAMAGED = "What is stored of the customer's history is damaged, so that nobody can say what they bought."
MOST = 50
USUAL = 10


def limit_of(query: Mapping[str, str] | None) -> int:
    """Entries of a list at most, 1 to MOST. Raises Refused."""
    text = (query or {}).get("limit", str(USUAL))
    if text.isascii() and text.isdigit() and len(text) <= len(str(MOST)) and 1 <= int(text) <= MOST:
        return int(text)
    raise Refused(HTTPStatus.BAD_REQUEST, "invalid_limit", f"limit must be a whole number from 1 to {MOST}.")


def recommended(
    customer_id: str, profile: StoredProfile, recommender: Recommender, as_of_ms: int, limit: int
) -> dict[str, Any]:
    """The answer as of an instant in UTC milliseconds; where the history cannot be read, `problem` says so and the
    lists are empty, since what was bought would be recommended as new."""
    problem = None
    lists: dict[str, list[dict[str, Any]]] = {name: [] for name in LISTS}
    segment = segment_in(recommender, profile.decision)
    try:
        known = histories([profile])
        lists = recommendations(recommender, known.rows if len(known) else Rows.empty(), as_of_ms, segment, limit)
    except UnknownStateVersion:
        problem = NEWER
    except BrokenState:
        problem = DAMAGED
    return {
        "customer_id": customer_id,
        **lists,
        "horizon_days": recommender.horizon_days,
        "as_of": iso(as_of_ms),
        "trained_as_of": iso(recommender.as_of_ms),
        "recommender_version": recommender.recommender_id,
        **({"problem": problem} if problem else {}),
    }
