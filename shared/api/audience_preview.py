"""Who would be in an audience: a rule tried on a sample of the stored customers, before it is published."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.audiences.evaluating import Customers
from shared.audiences.rules import Attribute, Field, Literal, Operand, Rule, asks_recommendations, operands, shown
from shared.features import FEATURE_NAMES, BrokenState, UnknownStateVersion
from shared.features.time_zone import TimeZone
from shared.identity.keys import customer_id, is_visitor
from shared.profiles.histories import histories, unreadable
from shared.profiles.item import ItemsUnreadable, decode_profiles
from shared.profiles.judged import judged, judged_by_decisions
from shared.profiles.stored_profile import PROFILE, StoredProfile
from shared.profiles.table import READS_A_CALL

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from shared.profiles.table import ProfileTable
    from shared.recommending.recommender import Recommender

SAMPLED = 2_000
"""Customers that are looked at: of an audience of a tenth the share is known to about .7 points (a standard error)."""
SECONDS = 8.0
EXAMPLES = 10


def sample(
    client: DynamoDBClient, table: ProfileTable, name: str, *, whole: bool = True
) -> tuple[list[StoredProfile], bool]:
    """Customers with a decision, at most about SAMPLED, and whether those are all; with their sealed events only if
    they have to be `whole`, which takes further requests.

    Raises what the table raises. DynamoDB scans in the order of a hash of the key, so that the first ones are a sample.
    """
    sampled: list[StoredProfile] = []
    until = time.monotonic() + SECONDS
    for items, is_last in _pages(client, name):
        sampled += _readable(table if whole else None, items)
        if is_last:
            return sampled, True
        if len(sampled) >= SAMPLED or time.monotonic() > until:
            break
    return sampled, False


@dataclass(frozen=True)
class Instant:
    """When a rule is tried, UTC milliseconds, in which time zone, and with which recommender, if any."""

    as_of_ms: int
    zone: TimeZone
    recommender: Recommender | None = None


def preview(rule: Rule, sampled: Sequence[StoredProfile], total: int | None, at: Instant) -> dict[str, Any]:
    """What the API says of a rule tried on `sampled` customers, of whom there are `total` in all; None where these are
    all of them."""
    if asks_histories(rule):
        known, customers = judged(_with_readable_histories(sampled), at.as_of_ms, at.zone, at.recommender)
        keys: Sequence[str] = known.keys
    else:
        customers = judged_by_decisions(sampled, at.as_of_ms)
        keys = [profile.key for profile in sampled]
    holds = customers.holds(rule)
    inside = np.flatnonzero(holds)
    share = len(inside) / len(keys) if keys else 0.0
    everybody = len(keys) if total is None else max(total, len(keys))
    asked = list(dict.fromkeys(one for one in operands(rule) if not isinstance(one, Literal)))
    return {
        "size": round(share * everybody),
        "of": everybody,
        "share": round(share, 4),
        "estimated": total is not None,
        "means": {shown(one): mean for one in asked if (mean := _mean(customers.value(one), inside)) is not None},
        "examples": [_example(keys, customers, asked, int(i)) for i in inside[:EXAMPLES]],
        "attributes": {one.name: _known_share(customers, one) for one in asked if isinstance(one, Attribute)},
    }


def asks_histories(rule: Rule) -> bool:
    """Whether a rule asks for anything but what was last decided."""
    asked = (one for one in operands(rule) if not isinstance(one, Literal))
    return asks_recommendations(rule) or any(not isinstance(one, Field) or one.name in FEATURE_NAMES for one in asked)


def _with_readable_histories(sampled: Sequence[StoredProfile]) -> Sequence[StoredProfile]:
    """Those of the customers whose histories this release can read."""
    try:
        histories(sampled)
    except (BrokenState, UnknownStateVersion):
        problems = unreadable(sampled)
        return [profile for profile in sampled if profile.key not in problems]
    return sampled


def _pages(client: DynamoDBClient, table: str) -> Iterator[tuple[list[Any], bool]]:
    request: Any = {
        "TableName": table,
        "FilterExpression": "sk = :profile AND attribute_exists(decision)",
        "ExpressionAttributeValues": {":profile": {"S": PROFILE}},
    }
    while True:
        answer = client.scan(**request)
        last = answer.get("LastEvaluatedKey")
        yield answer["Items"], last is None
        if last is None:
            return
        request["ExclusiveStartKey"] = last


def _readable(table: ProfileTable | None, items: Sequence[Any]) -> Iterator[StoredProfile]:
    """Customers with a decision among items, completed by the table, if there is one."""
    customers = [item for item in items if not is_visitor(item["pk"]["S"])]
    try:
        profiles = [*decode_profiles(customers).values()]
    except ItemsUnreadable as error:
        profiles = [*error.profiles.values()]
    for start in range(0, len(profiles), READS_A_CALL):
        some = profiles[start : start + READS_A_CALL]
        if table is not None:
            try:
                some = [*table.complete(some).values()]
            except ItemsUnreadable as error:
                some = [*error.profiles.values()]
        yield from (profile for profile in some if profile.decision and profile.is_someone)


def _example(keys: Sequence[str], customers: Customers, asked: Sequence[Operand], i: int) -> dict[str, Any]:
    return {
        "customer_id": customer_id(keys[i]),
        "values": {shown(operand): _shown(customers.value(operand)[i]) for operand in asked},
    }


def _mean(values: Any, inside: Any) -> float | None:
    """Of those in the audience of whom it is known; None of a text, or where it is known of nobody."""
    if not np.issubdtype(np.asarray(values).dtype, np.number):
        return None
    known = np.asarray(values, float)[inside]
    known = known[~np.isnan(known)]
    return float(f"{known.mean():.6g}") if len(known) else None


def _shown(value: Any) -> float | str | None:
    if value is None or isinstance(value, str):
        return value
    return None if np.isnan(value) else float(f"{float(value):.6g}")


def _known_share(customers: Customers, attribute: Attribute) -> float:
    values = customers.value(attribute)
    return round(sum(value is not None for value in values) / len(values), 4) if len(values) else 0.0
