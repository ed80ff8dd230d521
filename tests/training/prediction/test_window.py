"""Rows of profiles that are elsewhere are those of profiles in memory, and are asked for in as few turns as can be."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shared.features import Profiles
from tests.support.event_files import Event, ndjson, purchase
from tests.support.visitors import sign_in, visit
from tests.training.conftest import Shop
from training.base.config import Config
from training.base.errors import InputError
from training.base.target_entry import TargetEntry
from training.bundle.promises import foreseen as promised
from training.bundle.promises import outcomes
from training.data.events import Source
from training.data.reading import Reading
from training.engines.disk import on_disk
from training.engines.engine import Memory, Part, Question, Whom, asked
from training.prediction import predictions
from training.prediction.classic import Buyers
from training.prediction.targets import PointsInTime, cutoffs, targets
from training.prediction.uplift import trial
from training.prediction.window import Elsewhere, Window, known, known_by, refuse_unread

COUPON = TargetEntry.of({"name": "coupon", "event": "coupon", "within_days": 5})
ANSWER = TargetEntry.of({"name": "answer", "event": "purchase", "within_days": 3, "for": "exposed"})
LIFT = TargetEntry.of({"name": "lift", "event": "purchase", "within_days": 3, "kind": "uplift"})
CONFIG = Config(
    target=(COUPON, ANSWER, LIFT),
    minimum_customers=10,
    minimum_history_days=2,
    cutoff_every_days=5,
    churn_horizon_days=4,
    conversion_horizon_days=2,
    ltv_horizon_days=6,
    time_zone="Europe/Berlin",
)
TYPES = ("purchase", "page_view", "coupon")


def events() -> list[Event]:
    """A month of 60 customers, whom two campaigns approach, some by way of visitors."""
    made = [
        purchase(f"{i}", 100 * i + day, day=day, event_type=TYPES[(i + day) % 3], price=float(i % 7))
        for i in range(60)
        for day in range(1 + i % 4, 31, 3)
    ]
    for i in range(40):
        sent = {"event_type": "campaign_exposure", "campaign": f"c{i % 2}", "arm": ("treatment", "control")[i // 2 % 2]}
        made.append(purchase(f"{i}", 9_000_000 + i, day=10 + i % 9, **sent))
    return [*made, visit("phone", 1), sign_in("phone", "3", 2), visit("nobody", 3)]


class Turns:
    """An engine in small parts that counts how often all events are gone through."""

    def __init__(self, profiles: Profiles) -> None:
        self.reading = Reading()
        self.count = 0
        self._profiles = profiles

    def ask(self, whom: Whom, questions: Sequence[Question]) -> Iterator[Part]:
        self.count += 1
        for begin in range(0, len(self._profiles), 7):
            part = self._profiles.take(np.arange(begin, min(begin + 7, len(self._profiles))))
            yield asked(part, whom, questions)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[PointsInTime, Elsewhere, Turns, Window]:
    folder = tmp_path_factory.mktemp("events")
    (folder / "events.ndjson").write_bytes(ndjson(events()))
    memory = Memory.open(Source([folder], own_types=("coupon",)))
    here, window = known(memory.profiles, None, CONFIG)
    engine = Turns(memory.profiles)
    there, same = known_by(engine, None, CONFIG)
    assert same == window
    assert isinstance(there, Elsewhere)
    return here, there, engine, window


def test_slices_of_every_target_are_the_same(both: tuple[PointsInTime, Elsewhere, Turns, Window]) -> None:
    here, there, _, window = both
    rows = 0
    for target in targets(CONFIG):
        for cutoff in cutoffs(*window.span_ms, target.horizon_days, CONFIG):
            expected, actual = (points.slice(target, cutoff) for points in (here, there))
            for name in ("customers", "X", "y"):
                ours, theirs = getattr(actual, name), getattr(expected, name)
                assert (ours.dtype, ours.tobytes()) == (theirs.dtype, theirs.tobytes()), (target.name, name)
            rows += len(actual.y)
    assert rows > 500
    assert [*there.keys] == [*here.keys]


def test_so_are_trials_buyers_and_what_intents_promise(both: tuple[PointsInTime, Elsewhere, Turns, Window]) -> None:
    here, there, _, window = both
    lift = targets(CONFIG)[-1]
    expected, actual = (trial(lift, points, window.end_ms) for points in (here, there))
    assert len(actual.y) > 10
    for name in ("X", "y", "treated", "share", "campaign", "at_ms"):
        np.testing.assert_array_equal(getattr(actual, name), getattr(expected, name))
    at = window.end_ms - 10 * 86_400_000
    everyone = np.arange(len(here.keys))
    for name, values in outcomes(here, everyone, at, CONFIG).items():
        np.testing.assert_array_equal(outcomes(there, everyone, at, CONFIG)[name], values)
    np.testing.assert_array_equal(Buyers.of(there, at).value, Buyers.of(here, at).value)


def test_some_of_them_come_whole(both: tuple[PointsInTime, Elsewhere, Turns, Window]) -> None:
    here, there, _, _ = both
    index = np.arange(0, len(here.keys), 9)
    expected, actual = (points.some(index) for points in (here, there))
    assert actual.keys == expected.keys
    for ours, theirs in zip(actual.rows.columns(), expected.rows.columns(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_what_is_foreseen_is_asked_in_one_turn(both: tuple[PointsInTime, Elsewhere, Turns, Window]) -> None:
    _, there, engine, window = both
    there.forget()
    before = engine.count
    plain = [target for target in targets(CONFIG) if target.entry.whom != "exposed"]
    there.foresee([q for target in plain for q in predictions.foreseen(target, window.span_ms, CONFIG)])
    there.foresee(promised(window.span_ms, CONFIG))
    assert engine.count == before + 2
    for target in plain:
        for number, cutoff in enumerate(cutoffs(*window.span_ms, target.horizon_days, CONFIG)):
            there.slice(target, cutoff)
            if target.in_silence and number < CONFIG.validation_slices:
                Buyers.of(there, cutoff)
    for at in cutoffs(*window.span_ms, CONFIG.churn_horizon_days, CONFIG)[: CONFIG.validation_slices]:
        outcomes(there, np.arange(3), at, CONFIG)
    assert engine.count == before + 2


def test_too_few_customers_and_too_early_an_instant_are_refused_alike(
    both: tuple[PointsInTime, Elsewhere, Turns, Window], shop: Shop
) -> None:
    engine = Turns(shop.profiles)
    for as_of_ms, config in ((0, CONFIG), (None, replace(CONFIG, minimum_customers=10_000))):
        with pytest.raises(InputError) as here:
            known(shop.profiles, as_of_ms, config)
        with pytest.raises(InputError) as there:
            known_by(engine, as_of_ms, config)
        assert str(here.value) == str(there.value)


def test_files_of_which_too_much_is_refused_are_not_trained_on() -> None:
    with pytest.raises(InputError, match="30% of all lines were refused"):
        refuse_unread(Reading(accepted=70, rejected=Reading().rejected.__class__({"no time": 30})), Config())
    with pytest.raises(InputError, match="1 of 2 files could not be read"):
        refuse_unread(Reading(files=2, bytes=10, unread_bytes=5, unreadable={"a": "broken"}), Config())


def test_files_in_which_everybody_refused_are_refused_alike(tmp_path: Path) -> None:
    refused = purchase("a", 1, event_type="page_view", consent=False)
    (tmp_path / "events.ndjson").write_bytes(ndjson([purchase("a"), refused]))
    source = Source([tmp_path / "events.ndjson"])
    with pytest.raises(InputError, match="are of people who refused") as here:
        Memory.open(source)
    with on_disk(source, tmp_path) as engine, pytest.raises(InputError) as there:
        known_by(engine, None, CONFIG)
    assert str(here.value) == str(there.value)


def test_a_silent_day_and_more_is_the_end_of_the_data(shop: Shop, tmp_path: Path) -> None:
    last_ms = int(shop.profiles.rows.time_ms.max())
    config = Config.load(shop.config)
    with on_disk(Source([shop.file]), tmp_path) as engine:
        for as_of_ms in (None, last_ms + 10, last_ms + 2 * 86_400_000, last_ms - 50 * 86_400_000):
            assert known(shop.profiles, as_of_ms, config)[1] == known_by(engine, as_of_ms, config)[1]
