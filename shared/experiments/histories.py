"""Experiments as customers' histories tell them: exposures are events, and so is all that is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.durations import DAY_MS
from shared.experiments.estimates import COLUMNS, COVARIATE_DAYS
from shared.experiments.moments import Floats, Moments
from shared.experiments.trial import CONTROL, TREATMENT, Group, Trial
from shared.features import MONEY_UNITS, PURCHASE, REFUND, Profiles, category_hash
from shared.features.columns import ARMS, CAMPAIGN_EXPOSURE
from shared.features.history import History

LONGEST_WINDOW_DAYS = 30
"""Days after an exposure in which counts what happens, as many as churn is predicted over."""
_TREATED = ARMS.index(TREATMENT)

type Ints = NDArray[np.int64]
type Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Exposed:
    """The customers of one campaign [n each]: who, when first, and whether in the treatment arm."""

    at: Ints
    """Index of their profiles, ascending."""
    first_ms: Ints
    treated: Mask
    contacts: Ints
    """Exposures in the treatment arm."""
    switched: Mask
    """Whether they have exposures in both arms."""


class Experiments:
    """All campaigns in some customers' histories, as far as these go before `as_of_ms`."""

    def __init__(self, profiles: Profiles, as_of_ms: int) -> None:
        rows = profiles.rows
        self._profiles = profiles
        self._as_of_ms = as_of_ms
        self._exposures = np.flatnonzero((rows.kind == CAMPAIGN_EXPOSURE) & (rows.time_ms < as_of_ms))
        codes = set(rows.campaign[self._exposures].tolist())
        names = {category_hash(name): name for name in profiles.category_names.values()}
        self.campaigns = sorted(names[code] for code in codes)
        self._history = History(profiles, as_of_ms)
        self._exposed = {name: self._of(category_hash(name)) for name in self.campaigns}

    def exposed(self, campaign: str) -> Exposed:
        """Who was exposed to a campaign."""
        return self._exposed[campaign]

    def trial(
        self, campaign: str, most_days: float = LONGEST_WINDOW_DAYS, segments: Sequence[str | None] | None = None
    ) -> Trial:
        """A campaign as it was counted, over `most_days` or, where the events end sooner, over as many days as half of
        the exposed have had. `segments` are those of its `exposed` at that time, where they are known."""
        exposed = self._exposed[campaign]
        window_ms = self._window_ms(exposed, most_days)
        over = exposed.first_ms + window_ms <= self._as_of_ms
        rows = self._counted(exposed, window_ms)
        groups: dict[Group, Moments] = {}
        names = np.array(segments if segments is not None else [None] * len(over), object)
        for arm, mask in ((TREATMENT, exposed.treated), (CONTROL, ~exposed.treated)):
            for segment in sorted(set(names[mask & over].tolist()), key=str):
                groups[arm, segment] = Moments.of(rows[mask & over & (names == segment)])
        return Trial(
            campaign,
            window_ms / DAY_MS,
            groups,
            np.sort(exposed.first_ms),
            {TREATMENT: int(exposed.treated.sum()), CONTROL: int((~exposed.treated).sum())},
            contacts=int(exposed.contacts[over & exposed.treated].sum()),
            switched=int(exposed.switched.sum()),
            elsewhere=self._elsewhere(campaign, exposed, window_ms),
        )

    def _of(self, code: int) -> Exposed:
        rows, owner = self._profiles.rows, self._profiles.owner
        own = self._exposures[rows.campaign[self._exposures] == code]
        who, time_ms, treated = owner[own], rows.time_ms[own], rows.arm[own] == _TREATED
        # Of two arms at one instant, the one in which nothing was done.
        order = np.lexsort((treated, time_ms, who))
        at, first = np.unique(who[order], return_index=True)
        contacts = np.bincount(who[treated], minlength=len(self._profiles))[at]
        every = np.bincount(who, minlength=len(self._profiles))[at]
        switched = (contacts > 0) & (contacts < every)
        return Exposed(at, time_ms[order][first], treated[order][first], contacts, switched)

    def _window_ms(self, exposed: Exposed, most_days: float) -> int:
        had = self._as_of_ms - int(np.quantile(exposed.first_ms, 0.5, method="lower"))
        return min(round(most_days * DAY_MS), had) if had >= DAY_MS else round(most_days * DAY_MS)

    def _counted(self, exposed: Exposed, window_ms: int) -> Floats:
        """COLUMNS of each of the exposed [n, k]."""
        rows, owner, history = self._profiles.rows, self._profiles.owner, self._history
        begin = np.full(len(self._profiles), np.iinfo(np.int64).max // 2)
        begin[exposed.at] = exposed.first_ms
        orders, visiting = history.orders, history.visiting
        worth = np.where(rows.kind == PURCHASE, rows.net, 0) - np.where(rows.kind == REFUND, rows.net, 0)
        paid = worth != 0

        def sums(owners: Ints, time_ms: Ints, first: int, last: int, weights: Floats | None = None) -> Floats:
            since = time_ms - begin[owners]
            inside = (since >= first) & (since < last)
            weight = weights[inside] if weights is not None else None
            total: Floats = np.bincount(owners[inside], weight, minlength=len(self._profiles))[exposed.at].astype(float)
            return total

        def spent(first: int, last: int) -> Floats:
            return sums(owner[paid], rows.time_ms[paid], first, last, worth[paid] / MONEY_UNITS)

        ever = -(1 << 60)
        ordered = sums(orders.owner, orders.time_ms, 0, window_ms)
        before = sums(orders.owner, orders.time_ms, -window_ms, 0)
        buyer = sums(orders.owner, orders.time_ms, ever, 0) > 0
        columns = {
            "visited": sums(visiting.owner, visiting.time_ms, 0, window_ms) > 0,
            "converted": ordered > 0,
            "orders": ordered,
            "revenue": spent(0, window_ms),
            "buyer": buyer,
            "churned": buyer & (ordered == 0),
            "spend_before": spent(-COVARIATE_DAYS * DAY_MS, 0),
            "visited_before": sums(visiting.owner, visiting.time_ms, -window_ms, 0) > 0,
            "converted_before": before > 0,
            "orders_before": before,
            "revenue_before": spent(-window_ms, 0),
        }
        return np.column_stack([columns[name] for name in COLUMNS]).astype(float)

    def _elsewhere(self, campaign: str, exposed: Exposed, window_ms: int) -> dict[str, tuple[float, float]]:
        """By campaign, the shares of both arms that it approached within the window."""
        shares = {}
        for name, other in self._exposed.items():
            if name == campaign:
                continue
            _, mine, theirs = np.intersect1d(exposed.at, other.at, assume_unique=True, return_indices=True)
            since = other.first_ms[theirs] - exposed.first_ms[mine]
            met = np.zeros(len(exposed.at), bool)
            met[mine] = other.treated[theirs] & (since >= 0) & (since < window_ms)
            arms = (exposed.treated, ~exposed.treated)
            approached = tuple(float(met[arm].mean()) if arm.any() else 0.0 for arm in arms)
            if any(approached):
                shares[name] = (approached[0], approached[1])
        return shares
