"""Customers as records of a destination, by what is stored of them now."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.destinations.contract import Record, Value
from shared.destinations.fields import (
    CAMPAIGN,
    Told,
    attributes_of,
    needs_attributes,
    needs_recommendations,
    recommended_to,
)
from shared.destinations.known_destinations import Destination
from shared.destinations.messages import STEP, Message
from shared.destinations.steps import stopped
from shared.features import BrokenState, UnknownStateVersion
from shared.identity.keys import customer_key
from shared.models.manifests import Manifests
from shared.profiles.item import ItemsUnreadable
from shared.profiles.stored_profile import StoredProfile
from shared.profiles.table import ProfileTable
from shared.recommending.recommender import Recommender

LONGEST_NAME_BYTES = 500
"""Of the value by which a vendor knows a customer."""


@dataclass(frozen=True, slots=True)
class Latest:
    """Profiles as read: who has a record, and why others have none."""

    records: Mapping[str, Record]
    """By profile key."""
    refused: Mapping[str, str]
    """Those whom the vendor could not know, and why."""
    unreadable: frozenset[str]
    """Those whose profile cannot be read now."""

    @property
    def keys(self) -> set[str]:
        """All of whom anything is known; others may have been erased."""
        return {*self.records, *self.refused, *self.unreadable}


class Customers:
    """Reads what is stored of customers."""

    def __init__(
        self,
        table: ProfileTable,
        manifests: Manifests,
        recommender: Callable[[], Recommender | None],
        as_of_ms: Callable[[], int],
    ) -> None:
        self._table = table
        self._manifests = manifests
        self._recommender = recommender
        """The live one, which is asked for where a destination wants recommendations alone."""
        self._as_of_ms = as_of_ms
        """The instant that these are as of, UTC milliseconds."""

    def latest(self, destination: Destination, newest: Mapping[str, Message]) -> Latest:
        """What is to be known of the customers at the keys of `newest`, the newest message of each.

        Raises TableOverloaded, and ClientError or BotoCoreError where AWS refuses or does not answer.
        """
        profiles, unreadable = self._load(destination, newest)
        recommender = self._recommender() if needs_recommendations(destination.file.sources) else None
        records: dict[str, Record] = {}
        refused: dict[str, str] = {}
        for key, profile in profiles.items():
            if profile.decision is None:
                continue
            try:
                made = self._record(destination, profile, newest[key], recommender)
            except (BrokenState, UnknownStateVersion):
                unreadable |= {key}
                continue
            if isinstance(made, str):
                refused[key] = made
            else:
                records[key] = made
        return Latest(records, refused, unreadable)

    def stopped(self, steps: Sequence[Message]) -> tuple[dict[str, str], set[str]]:
        """By message, why what journeys send is not to be sent any more; and messages of which that cannot be read now.

        Raises TableOverloaded, and ClientError where AWS refuses.
        """
        reasons: dict[str, str] = {}
        unknown: set[str] = set()
        try:
            profiles = self._table.load({customer_key(step.customer_id) for step in steps})
        except ItemsUnreadable as error:
            profiles = error.profiles
            unknown = {step.id for step in steps if customer_key(step.customer_id) in error.unreadable}
        for step in steps:
            profile = profiles.get(customer_key(step.customer_id))
            try:
                reason = stopped(profile, step.conditions) if profile else None
            except (BrokenState, UnknownStateVersion):
                unknown.add(step.id)
                continue
            if reason:
                reasons[step.id] = reason
        return reasons, unknown

    def changed(self, records: Iterable[Record]) -> set[str]:
        """The keys of those whose profile is not the one any more that their record is of. Raises TableOverloaded."""
        versions = {record.key: record.version for record in records}
        return {key for key, version in self._table.versions(versions).items() if version != versions[key]}

    def _load(
        self, destination: Destination, keys: Iterable[str]
    ) -> tuple[Mapping[str, StoredProfile], frozenset[str]]:
        sources = destination.file.sources
        is_whole = needs_attributes(sources) or needs_recommendations(sources)
        load = self._table.load if is_whole else self._table.heads
        try:
            return load(keys), frozenset()
        except ItemsUnreadable as error:
            return error.profiles, error.unreadable

    def _record(
        self, destination: Destination, profile: StoredProfile, message: Message, recommender: Recommender | None
    ) -> Record | str:
        """The record, or why there is none."""
        assert profile.decision
        file = destination.file
        manifest = self._manifests.get(profile.decision.model_version, time.monotonic())
        attributes = attributes_of(profile) if needs_attributes(file.sources) else {}
        campaign = None if message.is_held_back else message.campaign
        recommended = recommended_to(profile, recommender, self._as_of_ms()) if recommender else {}
        customer = Told(profile, manifest, attributes, campaign, recommended)
        ((_, source),) = file.identify.items()
        name = customer.value(source)
        if name is None or name == "" or isinstance(name, list | bool):
            return f"the customer has no {source}, by which {destination.file.vendor} would know them"
        if len(str(name).encode()) > LONGEST_NAME_BYTES:
            return f"{source} takes more than {LONGEST_NAME_BYTES} bytes"
        # The vendor keeps what was last sent: what else is told of somebody says nothing of it.
        sources = {field: source for field, source in file.fields.items() if source != CAMPAIGN or campaign}
        fields = {field: customer.value(source) for field, source in sources.items()}
        delivery = _delivery(destination.name, message, fields)
        return Record(profile.key, str(name), fields, delivery, profile.version, message.at_ms)


def newest_of(messages: Iterable[Message]) -> dict[str, Message]:
    """The newest message about each customer, by profile key; one of a journey before all others, as it says more."""
    newest: dict[str, Message] = {}
    for message in messages:
        key = customer_key(message.customer_id)
        if key not in newest or _order(message) > _order(newest[key]):
            newest[key] = message
    return newest


def _order(message: Message) -> tuple[bool, int, str]:
    return message.kind == STEP and not message.is_held_back, message.at_ms, message.transition_id


def _delivery(destination: str, message: Message, fields: Mapping[str, Value]) -> str:
    """Of the same move with the same content the same, so that a vendor may take a repetition for one."""
    content = json.dumps([destination, message.transition_id, fields], sort_keys=True)
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()
