"""When a decision changes if nothing happens: the first midnight on which segment, intent or audiences differ."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared.decisions.carrying import WINDOWS, Carried, Midnights
from shared.decisions.decision import NextChange
from shared.decisions.foreseeing import Foresight
from shared.decisions.memberships import Look, SetNumbers, decoded, turning
from shared.durations import DAY_MS
from shared.features import Profiles
from shared.features.columns import CAMPAIGN_EXPOSURE
from shared.features.time_zone import TimeZone

if TYPE_CHECKING:
    from shared.models.bundle import Bundle

GRID_DAYS = 7
"""Between two days that nothing leaves a window on, only times since something grow: a look every week is enough."""
BUSY = 0.07
"""Who has something leave a window on a larger share of the days is looked at every day: where much moves, segment and
intent come and go within days."""
FIRST_LOOK = 4
"""Days of each customer that are tried at once, then twice as many, and so on: most change soon or not at all."""
_LONG_AGO_MS = -(2**40)

type Days = NDArray[np.int64]


def next_changes(profiles: Profiles, now: Look, bundle: Bundle, horizon_days: int) -> list[NextChange | None]:
    """Of each profile, the first of the next `horizon_days` midnights of the shop on which segment, intent or
    audiences are not those of `now`.

    Tried are the days on which something leaves a window or a rule may turn, and one day a week, or all days where much
    leaves; where one of them differs, the first that does is searched for between it and the one before. So a change
    that comes and goes between two days that are tried may be missed, which rules over counts, attributes and times
    never do; docs/decisions/0013 measures how often, and how long those lasted. What these rules come to is known
    without the model, which is asked about no day after the first on which one of them surely has turned.
    """
    if not horizon_days:
        return [None] * len(profiles)
    leaving = _leaving(profiles, int(now.customers.at_ms), horizon_days, bundle.zone)
    if bundle.audiences.rules.compares_times:
        leaving[:, 1:] = True  # times that are carried on are rounded, so that each day's are computed
    to_try = _to_try(leaving)
    evaluations = _Evaluations(profiles, now, bundle, leaving)
    if bundle.audiences.all:
        foresight = Foresight(profiles, now, evaluations.midnights, leaving)
        may_turn = turning(bundle.audiences, profiles, now.customers, bundle.zone, horizon_days)
        may_turn |= _leaving(profiles, int(now.customers.at_ms), horizon_days, bundle.zone, foresight.windows)
        asked, surely = foresight.look(may_turn)
        to_try = _until(surely, to_try | asked)
    held, changed = _tried(evaluations, to_try)
    who = np.flatnonzero(changed)
    changed[who] = _first_between(evaluations, who, held[who], changed[who])
    return evaluations.answers(changed)


def _tried(evaluations: _Evaluations, days: NDArray[np.bool_]) -> tuple[Days, Days]:
    """For each profile, two of its `days` [n each]: the first that is decided on otherwise, 0 if none is, as the second
    array, and as the first array the day before that among those tried, 0 being now."""
    held = np.zeros(len(days), np.int64)
    changed = np.zeros(len(days), np.int64)
    waiting = np.arange(len(days))
    count = FIRST_LOOK
    while len(waiting):
        tried = _next_of(days[waiting], held[waiting], count)
        differs = evaluations.differ(np.repeat(waiting, count), tried.ravel()).reshape(tried.shape)
        hit = differs.any(axis=1)
        at = differs.argmax(axis=1)
        rows = np.arange(len(waiting))
        before = np.where(at > 0, tried[rows, at - 1], held[waiting])
        changed[waiting[hit]] = tried[rows, at][hit]
        held[waiting] = np.where(hit, before, tried.max(axis=1))
        waiting = waiting[~hit & (tried[:, -1] > 0)]
        count *= 2
    return held, changed


def _first_between(evaluations: _Evaluations, who: Days, held: Days, changed: Days) -> Days:
    """For each of `who`, by halving, the day between `held` and `changed` on which its decision becomes another [n].

    The decision of now holds on the day `held`, and no longer on the day `changed`.
    """
    low = held
    high = changed
    while len(open_ := np.flatnonzero(high - low > 1)):
        middle = (low[open_] + high[open_]) // 2
        differs = evaluations.differ(who[open_], middle)
        high[open_] = np.where(differs, middle, high[open_])
        low[open_] = np.where(differs, low[open_], middle)
    return high


def midnight_after(as_of_ms: int, days: int, zone: TimeZone) -> int:
    """The midnight at which the shop's day begins that is some days after that of an instant, UTC milliseconds."""
    return int(zone.midnight(zone.day(np.array(as_of_ms)) + days))


def _leaving(
    profiles: Profiles, as_of_ms: int, horizon_days: int, zone: TimeZone, windows: Iterable[int] = WINDOWS
) -> NDArray[np.bool_]:
    """Whether something leaves one of the windows or begins to count on each of the days 0 to `horizon_days` from now,
    0 being now itself [n_profiles, horizon + 1]."""
    days = np.zeros((len(profiles), horizon_days + 1), bool)
    counted = profiles.rows.kind != CAMPAIGN_EXPOSURE  # of which no feature knows
    owner = profiles.owner[counted]
    time_ms = profiles.rows.time_ms[counted]
    today = zone.day(np.array(as_of_ms))

    def mark(at_ms: Days) -> None:
        first = zone.day(at_ms) + 1 - today  # whose midnight is after it
        within = (first > 0) & (first <= horizon_days)
        days[owner[within], first[within]] = True

    dated = (time_ms,) if zone.is_utc else (time_ms, zone.midnight(zone.day(time_ms)))  # a day counts from its midnight
    for window in windows:
        for at_ms in dated:
            mark(at_ms + window * DAY_MS)
    mark(np.where(time_ms >= as_of_ms, time_ms, _LONG_AGO_MS))
    return days


def _to_try(leaving: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether each of the days is worth a look, day 0 never [n_profiles, horizon + 1]."""
    days = leaving | (leaving.mean(axis=1) > BUSY)[:, None]
    days[:, GRID_DAYS::GRID_DAYS] = True
    days[:, 0] = False
    days[:, -1] = True
    return days


def _until(surely: Days, days: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of each row the days up to the one on which its decision is surely another, where there is one, and that one."""
    day = np.arange(days.shape[1])
    end = np.where(surely > 0, surely, len(day))[:, None]
    until: NDArray[np.bool_] = (days & (day < end)) | (day == end)
    return until


def _next_of(days: NDArray[np.bool_], after: Days, count: int) -> Days:
    """Of each row the first `count` days marked after `after` [n, count]; 0 where there are no more."""
    later = days & (np.arange(days.shape[1]) > after[:, None])
    rank = later.cumsum(axis=1)
    row, day = np.nonzero(later & (rank <= count))
    first = np.zeros((len(days), count), np.int64)
    first[row, rank[row, day] - 1] = day
    return first


class _Evaluations:
    """What is decided of customers on days to come."""

    def __init__(self, profiles: Profiles, now: Look, bundle: Bundle, leaving: NDArray[np.bool_]) -> None:
        self._histories = now.customers.histories
        self._bundle = bundle
        self.midnights = Midnights(int(now.customers.at_ms), bundle.zone)
        self._sets = SetNumbers(bundle.audiences)
        self._now = now.code(self._sets)
        self._codes = np.empty(leaving.shape, np.int64)
        self.features = Carried(profiles, self.midnights, leaving, bundle.computed).on

    def differ(self, who: Days, days: Days) -> NDArray[np.bool_]:
        """Whether anything differs from now on each of `days` from now, 0 being now itself [n]."""
        self._codes[who[days == 0], 0] = self._now[who[days == 0]]
        asked = np.flatnonzero(days)
        self._codes[who[asked], days[asked]] = self._decide(who[asked], days[asked])
        differs: NDArray[np.bool_] = self._codes[who, days] != self._now[who]
        return differs

    def _decide(self, who: Days, days: Days) -> Days:
        known = self.features(who, days)
        return Look.at(self._bundle, known, self._histories, who, self.midnights(days)).code(self._sets)

    def answers(self, changed: Days) -> list[NextChange | None]:
        """What each customer changes to, on the day that was `changed`; None where that is 0."""
        codes = self._codes[np.arange(len(changed)), changed].tolist()
        states = zip(changed.tolist(), self.midnights(changed).tolist(), codes, strict=True)
        return [self._change(at_ms, code) if day else None for day, at_ms, code in states]

    def _change(self, at_ms: int, code: int) -> NextChange:
        segment, intent, audiences = decoded(code, self._sets)
        return NextChange(at_ms, segment, intent, audiences)
