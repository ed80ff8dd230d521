"""What may be told of a customer: a decision's values and attributes, by the names that a destination's file uses."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from shared.decisions.decision import answer
from shared.destinations.contract import Value
from shared.features import Rows
from shared.features.attributes import Attributes
from shared.identity.keys import customer_id
from shared.models.labels import action
from shared.profiles.histories import histories
from shared.profiles.stored_profile import StoredProfile
from shared.recommending.lists import AGAIN_LIST, LISTS, NEW_LIST, SENT
from shared.recommending.recommender import Recommender
from shared.recommending.recommending import recommended_products, segment_in

CAMPAIGN = "campaign"
"""What a journey sends."""
NAMES = ".names"
"""Of what is recommended, for whoever knows no ids."""
ACTION_LIST = "action.products"
ATTRIBUTES, PREDICTIONS, IN_AUDIENCE = "attributes.", "predictions.", "audience."
SOURCES: Mapping[str, str] = {
    "customer_id": "the shop's id of the customer",
    "segment.id": "number of the segment",
    "segment.name": "name of the segment",
    "segment.since": "when they came into it",
    "micro_segment": "number of the micro-segment",
    "intent": "what they are about to do",
    "action": "what is best done about it",
    "automated_traffic": "whether it is a program",
    "next_change.at": "when segment or intent change if nothing happens",
    "audiences": "keys of the audiences they are in, but for those whose control group they are in",
    CAMPAIGN: "what a journey sends; of no other message",
    AGAIN_LIST: f"ids of the products that they may buy again, the likeliest first, at most {SENT}",
    AGAIN_LIST + NAMES: "the same by name; by id where the catalogue has none",
    NEW_LIST: f"ids of products that are new for them, the likeliest first, at most {SENT}",
    NEW_LIST + NAMES: "the same by name",
    ACTION_LIST: "of these two lists the one that their action recommends from, if it does",
    ACTION_LIST + NAMES: "the same by name",
    "as_of": "the instant decided for",
    "scored_at": "when that was decided",
    "model_version": "the bundle that decided",
}
"""Names of one value, and what it is."""
PREFIXES: Mapping[str, str] = {
    PREDICTIONS: "a prediction by its name, such as predictions.churn_probability",
    ATTRIBUTES: "an attribute by its name, such as attributes.email",
    IN_AUDIENCE: "whether they are in an audience by its key, such as audience.win_back; not its control group",
}
"""What names begin with that end as the shop likes."""

_OWN_NAME = re.compile(r"[^\x00-\x1f]{1,256}")


def is_source(name: str) -> bool:
    """Whether it names a value."""
    return name in SOURCES or any(
        name.startswith(prefix) and _OWN_NAME.fullmatch(name.removeprefix(prefix)) for prefix in PREFIXES
    )


def needs_attributes(sources: Mapping[str, str]) -> bool:
    """Whether any of the values is an attribute, for which a customer's history has to be read."""
    return any(source.startswith(ATTRIBUTES) for source in sources.values())


def needs_recommendations(sources: Mapping[str, str]) -> bool:
    """Whether any of the values is what is recommended, for which history and recommender have to be read."""
    return any(source.removesuffix(NAMES) in (*LISTS, ACTION_LIST) for source in sources.values())


class Told:
    """Values of one customer whose decision is made."""

    def __init__(
        self,
        profile: StoredProfile,
        manifest: Mapping[str, Any],
        attributes: Mapping[str, Value],
        campaign: str | None = None,
        recommended: Mapping[str, list[str]] | None = None,
    ) -> None:
        assert profile.decision
        self._recommended = recommended or {}
        self._action = action(manifest, profile.decision.intent, profile.decision.segment)
        self._campaign = campaign
        self._answer = answer(customer_id(profile.key), profile.decision, manifest)
        self._attributes = attributes

    def value(self, source: str) -> Value:
        """The value of a source; None where there is none."""
        if source.startswith(ATTRIBUTES):
            return self._attributes.get(source.removeprefix(ATTRIBUTES))
        if source.startswith(IN_AUDIENCE):
            return source.removeprefix(IN_AUDIENCE) in self.audiences
        if source == "audiences":
            return self.audiences
        if source.removesuffix(NAMES) in LISTS:
            return self._recommended.get(source)
        if source.removesuffix(NAMES) == ACTION_LIST:
            return self._recommended.get(source.replace(ACTION_LIST, self._action.get("recommend", "")))
        if source == CAMPAIGN:
            return self._campaign
        value: Any = self._answer
        for name in source.split(".", 1):
            value = value.get(name) if isinstance(value, Mapping) else None
        return value if isinstance(value, str | float | int | bool) else None

    @property
    def audiences(self) -> list[str]:
        """Those that they are treated as members of: whoever is held back is told of nowhere."""
        return sorted(one["key"] for one in self._answer.get("audiences", ()) if one.get("arm") != "control")


def attributes_of(profile: StoredProfile) -> dict[str, Value]:
    """What is known of a customer by their own names. Raises BrokenState and UnknownStateVersion."""
    known: Attributes = histories([profile]).attributes
    return {name: json.loads(value) for _, name, _, value in known.entries()}


def recommended_to(profile: StoredProfile, recommender: Recommender, as_of_ms: int) -> dict[str, list[str]]:
    """What is recommended to a customer as of an instant in UTC milliseconds, by its source. Raises BrokenState and
    UnknownStateVersion."""
    known = histories([profile])
    rows = known.rows if len(known) else Rows.empty()
    lists = recommended_products(recommender, rows, as_of_ms, segment_in(recommender, profile.decision))
    ids = {name: [recommender.ids[place] for place in places] for name, places in lists.items()}
    return {**ids, **{name + NAMES: [recommender.title(place) for place in places] for name, places in lists.items()}}
