"""What would change a decision, in what a customer does: visits, carts and orders, tried out in their history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.durations import DAY_MS
from shared.features import MONEY_UNITS, PURCHASE, EventColumns, Profiles, Rows, fold, until
from shared.features.columns import ADD_TO_CART
from shared.features.history import IN_VISIT, VISIT_GAP_MS
from shared.features.ordering import FINGERPRINT_BITS
from shared.models.bundle import Bundle, Decisions
from shared.reasons.goals import goals, reaches
from shared.reasons.wording import format_value

DAYS_TRIED = (0, 1, 2, 3, 5, 7, 10, 14, 21, 30)
"""Days from now on which acting is tried at first; of what works, every day is."""
MOST_TIMES = 3
"""How often something is done at most, on as many days."""
ORDER_VALUE = "average_order_value_365d"
HASH_MULTIPLIER = 0x9E3779B1
"""Makes other ids of known ones: 2 ** 32 over the golden ratio, an odd number, so that no two become one."""


@dataclass(frozen=True)
class Act:
    """Something that a customer may do `count` times, on as many days in a row."""

    name: str
    words: tuple[str, str]
    """One of them, and several."""
    visit: Rows
    """The events of doing it once."""
    count: int = 1

    def events(self, as_of_ms: int, days: int) -> Rows:
        """What is delivered where it is done for the last time just before `days` from `as_of_ms`."""
        return Rows.concatenate([_at(self.visit, as_of_ms + (days - i) * DAY_MS, i + 1) for i in range(self.count)])

    def text(self, days: int) -> str:
        """What is to be done within some days from now."""
        what = f"one {self.words[0]}" if self.count == 1 else f"{self.count} {self.words[1]} on as many days in a row"
        return f"{what} today" if not days else f"{what} within {format_value('days', days)}"


type Plans = Sequence[tuple[Act, int]]
"""Acts, and how many days from now they are done for the last time."""


def acts_that_change(history: Profiles, as_of_ms: int, bundle: Bundle) -> list[dict[str, Any]]:
    """For each goal that the only customer of `history` has not reached, what they may do to reach it, the least first.

    Only events before `as_of_ms` count. A visit, a visit with something put in the cart and an order are tried, up to
    three of each. Their events are those of the customer's latest one of its kind once more; they are added to the
    history as a delivery would be, and the bundle decides right after the last. `within_days` is how many days there
    is time: every day until then has been tried.
    """
    history = until(history, as_of_ms)
    known = bundle.features_at(history, as_of_ms)
    now = bundle.decide(known)
    open_goals = goals(known[0], now, bundle.manifest)
    acts = [replace(act, count=n) for act in feasible(history, bundle.manifest) for n in range(1, MOST_TIMES + 1)]
    plans = [(act, day) for act in acts for day in DAYS_TRIED if day >= act.count - 1]
    if not open_goals or not plans:
        return []
    decided = decided_after(history, plans, as_of_ms, bundle)
    changes = []
    for goal in open_goals:
        reached = reaches(goal, decided, now, bundle.manifest)
        done: set[str] = set()
        for act in acts:
            own = [i for i, (other, _) in enumerate(plans) if other is act]
            leading = _leading(reached[own])
            if act.name in done or not leading:
                continue
            every_day = [(act, day) for day in range(act.count - 1, plans[own[leading - 1]][1] + 1)]
            after = decided_after(history, every_day, as_of_ms, bundle)
            last = _leading(reaches(goal, after, now, bundle.manifest)) - 1
            changes.append(_as_answer(goal, every_day[last], after, last, bundle.manifest))
            done.add(act.name)
    return changes


def decided_after(history: Profiles, plans: Plans, as_of_ms: int, bundle: Bundle) -> Decisions:
    """What is decided of the only customer of `history` right after each of `plans` [n_plans]."""
    days = np.array([day for _, day in plans])
    return bundle.decide(bundle.features_at(_with_acts(history, plans, as_of_ms), as_of_ms + days * DAY_MS))


def _with_acts(history: Profiles, plans: Plans, as_of_ms: int) -> Profiles:
    """The customer once for each plan, as folding its act's events in makes them."""
    parts = [Rows.concatenate([history.rows, act.events(as_of_ms, days)]) for act, days in plans]
    owner = np.repeat(np.arange(len(plans)), [len(part) for part in parts])
    keys = [f"{i:06d}" for i in range(len(plans))]
    return fold(EventColumns(keys, owner, Rows.concatenate(parts), history.category_names))


def _at(visit: Rows, end_ms: int, number: int) -> Rows:
    """The visit again, ending just before `end_ms`, with ids of its own."""

    def other(ids: NDArray[np.uint32]) -> NDArray[np.uint32]:
        hashed = (ids.astype(np.uint64) * HASH_MULTIPLIER + number).astype(np.uint32)
        return np.where(ids > 0, hashed, 0).astype(np.uint32)

    fingerprint = visit.fingerprint * np.uint64(HASH_MULTIPLIER) + np.uint64(number)
    return replace(
        visit,
        time_ms=visit.time_ms - visit.time_ms.max() + end_ms - 1,
        fingerprint=fingerprint % np.uint64(1 << FINGERPRINT_BITS),
        session=other(visit.session),
        order=other(visit.order),
    )


def feasible(history: Profiles, manifest: Mapping[str, Any]) -> Iterator[Act]:
    """What the only customer of `history` may do, the least first: what they did before, or a first order."""
    rows = history.rows.take(IN_VISIT[history.rows.kind])
    if not len(rows):
        return
    visit = _visits(rows)
    carted, bought = (np.bincount(visit, rows.kind == kind) > 0 for kind in (ADD_TO_CART, PURCHASE))
    if (~carted & ~bought).any():
        yield Act("visit", ("more visit", "more visits"), _latest(rows, visit, ~carted & ~bought))
    if (carted & ~bought).any():
        words = ("more visit with something put in the cart", "more visits with something put in the cart")
        yield Act("cart", words, _latest(rows, visit, carted & ~bought))
    if bought.any():
        yield Act("order", ("more order", "more orders"), _latest(rows, visit, bought))
    elif usual := [value for one in manifest["segments"] if (value := one.get("profile", {}).get(ORDER_VALUE))]:
        yield Act("order", ("order", "orders"), _ordering(_latest(rows, visit, ~bought), float(np.median(usual))))


def _visits(rows: Rows) -> NDArray[np.int64]:
    """A number for the visit of each row, higher for those that end later: by session id, without one by pauses."""
    loose = np.flatnonzero(rows.session == 0)
    visit = rows.session.astype(np.int64)
    visit[loose] = -1 - np.cumsum(np.diff(rows.time_ms[loose], prepend=0) > VISIT_GAP_MS)
    last = len(visit) - 1 - np.unique(visit[::-1], return_index=True)[1]
    rank: NDArray[np.int64] = np.argsort(np.argsort(last))[np.unique(visit, return_inverse=True)[1]]
    return rank


def _latest(rows: Rows, visit: NDArray[np.int64], which: NDArray[np.bool_]) -> Rows:
    return rows.take(visit == np.flatnonzero(which)[-1])


def _ordering(visit: Rows, value: float) -> Rows:
    """The visit with a first order at its end, worth what is usual."""
    end = replace(
        visit.take(slice(-1, None)),
        kind=np.array([PURCHASE], np.uint8),
        net=np.array([round(value * MONEY_UNITS)]),
        order=np.ones(1, np.uint32),
        fingerprint=visit.fingerprint[-1:] ^ np.uint64(1),
        engagement_ms=np.zeros(1, np.int64),
    )
    return Rows.concatenate([visit, end])


def _leading(reached: NDArray[np.bool_]) -> int:
    """How many days in a row from the first on reach the goal."""
    return len(reached) if reached.all() else int(reached.argmin())


def _as_answer(goal: str, plan: tuple[Act, int], after: Decisions, at: int, manifest: Mapping[str, Any]) -> Any:
    """How the API tells that carrying out `plan` reaches the goal, decided as `after` at the position `at`."""
    act, day = plan
    segment = int(after.segment[at])
    name = next((entry["name"] for entry in manifest["segments"] if entry["id"] == segment), None)
    churn = None if after.churn_probability is None else float(str(after.churn_probability[at]))
    return {
        "goal": goal,
        "act": act.name,
        "count": act.count,
        "within_days": day,
        "text": act.text(day),
        "segment": segment,
        "name": name,
        "churn_probability": churn,
    }
