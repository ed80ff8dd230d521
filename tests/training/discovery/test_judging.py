"""Candidates are found where there is something to find, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import mean_tweedie_deviance

from shared.durations import DAY_MS
from shared.features import FEATURE_NAMES
from training.base.config import Config
from training.discovery.candidates import Candidate
from training.discovery.judging import Column, Gain, Judgement, _deviance, judged, screened
from training.discovery.synthesised import Synthesised
from training.prediction.calibration import TWEEDIE_POWER, Vector
from training.prediction.targets import Slice, Target, targets

CONFIG = Config(trees=25)
CONVERSION = next(target for target in targets(CONFIG) if target.name == "conversion")
LTV = next(target for target in targets(CONFIG) if target.name == "ltv")
CUSTOMERS = 400
HIDDEN = np.random.default_rng(5).random((6, CUSTOMERS)) < 0.3
"""What decides, at each cut-off."""


def slices(target: Target, effect: float) -> list[Slice]:
    """Six cut-offs, latest first, of which `HIDDEN` decides the outcome and no feature tells of it."""
    made = []
    for at in range(6):
        rng = np.random.default_rng(at)
        X = rng.random((CUSTOMERS, len(FEATURE_NAMES))).astype(np.float32)
        happens = rng.random(CUSTOMERS) < 0.15 + 0.2 * X[:, 0] + effect * HIDDEN[at]
        y = happens * (10.0 if target.kind == "amount" else 1.0)
        made.append(Slice((100 - at) * 30 * DAY_MS, np.arange(CUSTOMERS), X, y))
    return made


def hidden(one: Slice) -> Vector:
    decides: Vector = HIDDEN[100 - one.cutoff_ms // (30 * DAY_MS)].astype(np.float64)
    return decides


def random_column(seed: int) -> Column:
    return lambda one: np.random.default_rng((seed, one.cutoff_ms % 1_000_003)).random(CUSTOMERS)


def judge(target: Target, effect: float, *columns: Column) -> Judgement:
    every = slices(target, effect)
    rounds = [(every[at], every[at + 1 :]) for at in range(3)]
    return judged(target, rounds, columns, CONFIG, lambda *_: None)


@pytest.mark.parametrize("target", [CONVERSION, LTV], ids=lambda target: target.name)
def test_what_decides_is_found_and_what_says_nothing_is_not(target: Target) -> None:
    judgement = judge(target, 0.5, hidden, random_column(1))
    beyond_chance = [gain.is_found(judgement.by_chance) for gain in judgement.gains]
    assert beyond_chance == [True, False]
    assert judgement.gains[0].low > 0.01
    assert len(judgement.gains[0].by_cutoff) == 3
    assert judgement.rows == 3 * CUSTOMERS


def test_where_nothing_was_planted_nothing_is_found() -> None:
    judgement = judge(CONVERSION, 0.0, hidden, *(random_column(seed) for seed in range(3)))
    assert not any(gain.is_found(judgement.by_chance) for gain in judgement.gains)


def test_a_gain_of_one_cut_off_alone_or_below_that_of_chance_is_none() -> None:
    gain = Gain(0.02, 0.01, 0.03, [0.02, 0.01, 0.03])
    assert gain.is_found(0.0)
    assert not gain.is_found(0.021)
    assert not replace(gain, low=-0.001).is_found(0.0)
    assert not replace(gain, by_cutoff=[0.08, -0.01, -0.01]).is_found(0.0)


def test_screening_takes_what_tells_most_once_and_nothing_that_the_catalogue_has() -> None:
    every = slices(CONVERSION, 0.5)[3:]
    candidates = [Candidate("count", "brand", value, 30) for value in range(4)]

    def values(at: int, one: Slice) -> Vector:
        decides = HIDDEN[at].astype(float)
        return np.column_stack([one.X[:, 0], decides, 2 * decides, random_column(3)(one)])

    known = {one.cutoff_ms: values(3 + at, one) for at, one in enumerate(every)}
    synthesised = Synthesised(np.arange(0, CUSTOMERS, 2), candidates, {c: v[::2] for c, v in known.items()}, 4)
    chosen = screened(CONVERSION, every, synthesised, 3, CONFIG)
    assert chosen[0] in candidates[1:3]
    assert len({*chosen} & {*candidates[1:3]}) == 1
    assert candidates[0] not in chosen


def test_the_loss_of_amounts_is_tweedies_deviance() -> None:
    rng = np.random.default_rng(1)
    y, predicted = rng.random(50) * (rng.random(50) < 0.5), rng.random(50) + 0.1
    expected = mean_tweedie_deviance(y, predicted, power=TWEEDIE_POWER)
    assert _deviance(y, predicted).mean() == pytest.approx(expected)
