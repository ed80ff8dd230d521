"""Experiments of made-up shops, looked at every day: `python -m tests.experiments.simulation --experiments 2000`.

Each draws how many customers come a day, how many of them are held back, how often they buy and how much, and how far
all that hangs together with what they did before; large orders are rare and very large. It counts how many experiments
ever find anything: where nothing was planted, that is the share of false findings.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.durations import DAY_MS
from shared.experiments.assignment import Planned
from shared.experiments.estimates import COLUMNS
from shared.experiments.moments import Moments
from shared.experiments.results import BLOCKED, FOUND, Look, judged
from shared.experiments.trial import CONTROL, TREATMENT, Trial

LOOKS = 40
WINDOW_DAYS = 14
type Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Shop:
    """How its customers are drawn."""

    a_day: int
    holdout: float
    buying: float
    """The share that buys within the window."""
    spread: float
    """The standard deviation of the logarithm of what an order is worth."""

    @classmethod
    def drawn(cls, chance: np.random.Generator) -> Shop:
        """Some shop."""
        return cls(
            a_day=int(chance.integers(100, 2_000)),
            holdout=float(chance.choice([0.1, 0.2, 0.5])),
            buying=float(chance.choice([0.02, 0.05, 0.1, 0.3])),
            spread=float(chance.choice([0.5, 1.0])),
        )

    def day(self, chance: np.random.Generator, lift: float) -> tuple[Floats, NDArray[np.bool_]]:
        """COLUMNS of those whose window ends on a day [n, k], and who is treated; treatment sells `lift` times more."""
        n = int(chance.poisson(self.a_day))
        treated = chance.random(n) >= self.holdout
        keenness = chance.gamma(1.5, 1 / 1.5, n)
        ordered_before = chance.poisson(3 * self.buying * keenness)
        probability = np.clip(self.buying * keenness * np.where(treated, 1 + lift, 1.0), 0, 0.95)
        converted = chance.random(n) < probability
        orders = converted * (1 + chance.poisson(0.2, n))
        worth = chance.lognormal(3.0, self.spread, (2, n)) * keenness
        columns = {
            "visited": converted | (chance.random(n) < 0.3),
            "converted": converted,
            "orders": orders,
            "revenue": orders * worth[0],
            "buyer": ordered_before > 0,
            "churned": (ordered_before > 0) & ~converted,
            "spend_before": ordered_before * worth[1],
        }
        empty = np.zeros(n)
        return np.column_stack([columns.get(name, empty) for name in COLUMNS]).astype(float), treated


def looks(shop: Shop, chance: np.random.Generator, lift: float, days: int) -> Iterator[dict[str, object]]:
    """The result of one experiment on each day."""
    arms = {TREATMENT: Moments.none(len(COLUMNS)), CONTROL: Moments.none(len(COLUMNS))}
    for day in range(1, days + 1):
        rows, treated = shop.day(chance, lift)
        arms[TREATMENT] += Moments.of(rows[treated])
        arms[CONTROL] += Moments.of(rows[~treated])
        trial = Trial(
            "simulated",
            WINDOW_DAYS,
            {(arm, None): moments for arm, moments in arms.items()},
            np.linspace(0, day * DAY_MS, sum(moments.n for moments in arms.values())).astype(np.int64),
            {arm: moments.n for arm, moments in arms.items()},
            planned=Planned(shop.holdout, "given"),
        )
        (result,) = judged([trial], Look((day + WINDOW_DAYS) * DAY_MS))
        yield result


@dataclass(frozen=True)
class Tally:
    """What became of experiments."""

    experiments: int
    detected: int
    """Those that found an effect at any look."""
    blocked: int
    """Those that were blocked at any look."""
    left_out: int
    """Those with an interval of the conversion that left out the truth at any look."""


def tally(experiments: int, seed: int, lift: float = 0.0, days: int = LOOKS) -> Tally:
    """Plays experiments, all from one seed."""
    detected = blocked = left_out = 0
    for number in range(experiments):
        chance = np.random.default_rng([seed, number])
        shop = Shop.drawn(chance)
        states = set()
        is_out = False
        for result in looks(shop, chance, lift, days):
            states.add(result["state"])
            metrics: list[dict[str, float]] = result["metrics"]  # type: ignore[assignment]
            is_out |= lift == 0 and any(m["low"] is not None and not m["low"] <= 0 <= m["high"] for m in metrics[:1])
        detected += FOUND in states
        blocked += BLOCKED in states
        left_out += is_out
    return Tally(experiments, detected, blocked, left_out)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Look at experiments without an effect every day, and count findings.")
    parser.add_argument("--experiments", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    seen = tally(given.experiments, given.seed)
    sys.stdout.write(
        f"{seen.experiments:,} experiments without an effect, each looked at on {LOOKS} days\n"
        f"ever found an effect: {seen.detected} ({seen.detected / seen.experiments:.1%})\n"
        f"ever had an interval of the conversion that left out nought: {seen.left_out}"
        f" ({seen.left_out / seen.experiments:.1%})\n"
        f"ever blocked: {seen.blocked} ({seen.blocked / seen.experiments:.1%})\n"
    )
    return int(seen.detected > 0.05 * seen.experiments)


if __name__ == "__main__":
    sys.exit(main())
