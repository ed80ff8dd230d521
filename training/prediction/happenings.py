"""What customers did in some time, as targets count it."""

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from shared.events.columns import product_code
from shared.features import EVENT_TYPES, MONEY_UNITS, PURCHASE, REFUND, Profiles, category_hash
from shared.features.columns import CAMPAIGN_EXPOSURE, OTHER, OWN_TYPES, TREATMENT, Rows
from training.base.target_entry import COUNTED_BY, TargetEntry
from training.prediction.calibration import Vector

type Mask = NDArray[np.bool_]
type Ints = NDArray[np.int64]
type Instants = Ints | int
"""UTC milliseconds: one for all, or one each [n_profiles]."""

_KINDS = 256
NAMED_IN: Mapping[str, Callable[[str], int]] = {
    "category": category_hash,
    "brand": product_code,
    "product": product_code,
}


def outcome(
    entry: TargetEntry, own: tuple[str, ...], profiles: Profiles, start_ms: Instants, end_ms: Instants
) -> Vector:
    """What the entry asks of the time from `start_ms` up to and without `end_ms` [n_profiles]: 1 or 0 of probabilities,
    else what it amounts to, in the data's currency, or how often it happened.

    `own` are the event types of the shop's own that were told apart as the profiles' events were read. Lines of an
    order are one purchase.
    """
    owner = profiles.owner
    at = np.flatnonzero(_counts_as(entry, own, profiles.rows) & _between(profiles.rows, owner, start_ms, end_ms))
    whose = owner[at]
    rows = profiles.rows.take(at)
    if entry.kind == "amount" and entry.is_of_money:
        return _spent(whose, rows, len(profiles))
    times = _times(whose, rows, len(profiles))
    if entry.kind == "amount":
        return times.astype(float)
    happened: Mask = times >= entry.least
    if entry.least_spent:
        happened &= _spent(whose, rows, len(profiles)) >= entry.least_spent
    outcome: Vector = (happened == entry.happens).astype(float)
    return outcome


def known_at(profiles: Profiles, instant_ms: Instants) -> Mask:
    """Who did anything before an instant; to be approached by a campaign is not to do anything [n_profiles]."""
    until = instant_ms if isinstance(instant_ms, int) else instant_ms[profiles.owner]
    did = (profiles.rows.time_ms < until) & (profiles.rows.kind != CAMPAIGN_EXPOSURE)
    return np.bincount(profiles.owner[did], minlength=len(profiles)) > 0


def bought_before(profiles: Profiles, instant_ms: Instants) -> Mask:
    """Who bought before an instant [n_profiles]."""
    bought = (profiles.rows.kind == PURCHASE) & _between(profiles.rows, profiles.owner, 0, instant_ms)
    return np.bincount(profiles.owner[bought], minlength=len(profiles)) > 0


def first_exposures(profiles: Profiles, campaign: str | None, start_ms: int, end_ms: int, arm: int = TREATMENT) -> Ints:
    """When each was first exposed in that arm of the campaign, or of any, in some time, UTC milliseconds; -1 for who
    was not [n_profiles]."""
    rows = profiles.rows
    exposed = (
        (rows.kind == CAMPAIGN_EXPOSURE) & (rows.arm == arm) & (rows.time_ms >= start_ms) & (rows.time_ms < end_ms)
    )
    if campaign is not None:
        exposed &= rows.campaign == category_hash(campaign)
    at = np.flatnonzero(exposed)
    whose, first = np.unique(profiles.owner[at], return_index=True)  # rows of a profile are in the order of time
    instants = np.full(len(profiles), -1, np.int64)
    instants[whose] = rows.time_ms[at[first]]
    return instants


def _between(rows: Rows, owner: Ints, start_ms: Instants, end_ms: Instants) -> Mask:
    start, end = (each if isinstance(each, int) else each[owner] for each in (start_ms, end_ms))
    between: Mask = (rows.time_ms >= start) & (rows.time_ms < end)
    return between


def _counts_as(entry: TargetEntry, own: tuple[str, ...], rows: Rows) -> Mask:
    counted: Mask = _of_kinds(entry.event, own)[rows.kind]
    for column in COUNTED_BY:
        if (name := getattr(entry, column)) is not None:
            counted &= getattr(rows, column) == NAMED_IN[column](name)
    if entry.campaign is not None and "campaign_exposure" in entry.event:
        counted &= rows.campaign == category_hash(entry.campaign)
    return counted


@lru_cache(maxsize=256)
def _of_kinds(events: tuple[str, ...], own: tuple[str, ...]) -> Mask:
    """Whether a kind is one of these types of events [256]."""
    kinds = np.zeros(_KINDS, bool)
    for name in events:
        kinds[EVENT_TYPES.index(name) if name in EVENT_TYPES else OWN_TYPES + own.index(name)] = True
    if kinds[OTHER]:
        kinds[OWN_TYPES:] = True
    return kinds


def _times(owner: Ints, rows: Rows, n_profiles: int) -> Ints:
    is_line = (rows.kind == PURCHASE) & (rows.order > 0)
    lines = np.flatnonzero(is_line)
    _, first = np.unique((owner[lines] << 32) + rows.order[lines], return_index=True)
    once = np.concatenate((np.flatnonzero(~is_line), lines[first]))
    return np.bincount(owner[once], minlength=n_profiles)


def _spent(owner: Ints, rows: Rows, n_profiles: int) -> Vector:
    total = np.zeros(n_profiles)
    for kind, sign in ((PURCHASE, 1), (REFUND, -1)):
        some = rows.kind == kind
        total += sign * np.bincount(owner[some], rows.net[some], minlength=n_profiles)
    return total / MONEY_UNITS
