"""What the intents promise: of those who had each at an instant past, the share that then churned, converted, bought.

The instants are held out: predictions for them come from models of the chosen kind that knew nothing of what happened
afterwards. Calibration and thresholds are the bundle's own, as they will decide.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.decisions.decision import iso
from shared.decisions.intent import ACTIONS, intents
from shared.durations import DAY_MS
from shared.models.bundle import Decisions
from shared.models.manifests import TARGETS
from training.base.config import Config
from training.data.preparation import Matrix
from training.engines.engine import Question
from training.prediction.models import Vector
from training.prediction.predictions import FittedTarget
from training.prediction.questions import FeaturesAt, KnownAt
from training.prediction.targets import PointsInTime, cutoffs, targets

EVERYONE = "everyone"

type Manifest = Mapping[str, Any]
type Outcomes = Mapping[str, Vector]
"""By name what customers did after an instant, each [n]: `churned`, undefined for who never bought before, `converted`
and `bought` are 0 or 1, `spent` is an amount."""
type Kept = dict[str, Any]
"""Of some customers: how many they are, and of each of their outcomes the mean; null where it is undefined for all."""


def promises(
    fitted: Sequence[FittedTarget], points: PointsInTime, span_ms: tuple[int, int], about: Manifest, config: Config
) -> dict[str, Any]:
    """What became of everyone with each intent, by the thresholds of the manifest `about`, at the latest instants whose
    outcomes are in the `span_ms` of the events (UTC milliseconds); ready for JSON.

    Instants at which a model of any target knew too little to be fitted are left out.
    """
    # What a campaign changes is told of all campaigns at once: there was no earlier model of it.
    trained = [target for target in fitted if target.model is not None and target.target.kind != "uplift"]
    possible = _possible(span_ms, config)
    instants = [at for at in possible if all(target.as_of(at) for target in trained)]
    given = []
    happened = []
    for at in instants:
        everyone = np.flatnonzero(points.ask(KnownAt(at)))
        given.append(_intents(trained, points.features(at)[everyone], at, about))
        happened.append(outcomes(points, everyone, at, config))
    together = {name: np.concatenate([each[name] for each in happened]) for name in days(config) if happened}
    kept = by_intent(np.concatenate(given), together) if given else {}
    return {"instants": list(map(iso, instants)), "days": days(config), "kept": kept}


def foreseen(span_ms: tuple[int, int], config: Config) -> Iterator[Question]:
    """All that may be asked for it."""
    churn, conversion, value = targets(config)[: len(TARGETS)]
    for at in _possible(span_ms, config):
        ends = {name: at + count * DAY_MS for name, count in days(config).items()}
        yield from (KnownAt(at), FeaturesAt(at, config.zone.name), churn.asks_whom(at))
        yield from (churn.asks(at, ends["churned"]), conversion.asks(at, ends["converted"]))
        yield value.asks(at, ends["spent"])


def _possible(span_ms: tuple[int, int], config: Config) -> list[int]:
    return cutoffs(*span_ms, max(days(config).values()), config)[: config.validation_slices]


def days(config: Config) -> dict[str, int]:
    """How many days after the instant each outcome is counted."""
    churn, conversion = config.churn_horizon_days, config.conversion_horizon_days
    return {"churned": churn, "converted": conversion, "bought": churn, "spent": churn}


def outcomes(points: PointsInTime, customers: NDArray[np.int64], at_ms: int, config: Config) -> Outcomes:
    """What the customers, by the index of their profile [n], did after the instant."""
    churn, conversion, value = targets(config)[: len(TARGETS)]
    ends = {name: at_ms + count * DAY_MS for name, count in days(config).items()}
    had_bought = points.ask(churn.asks_whom(at_ms))
    left = points.ask(churn.asks(at_ms, ends["churned"]))
    happened = {
        "churned": np.where(had_bought, left, np.nan),
        "converted": points.ask(conversion.asks(at_ms, ends["converted"])),
        "bought": 1 - left,
        "spent": points.ask(value.asks(at_ms, ends["spent"])),
    }
    return {name: values[customers] for name, values in happened.items()}


def by_intent(intent_of: NDArray[np.str_], happened: Outcomes) -> dict[str, Kept]:
    """What became of those with each intent, and of everyone; `intent_of` is that of each [n]."""
    intents = dict.fromkeys((*ACTIONS, *np.unique(intent_of).tolist()))
    groups = {EVERYONE: np.ones(len(intent_of), bool)} | {intent: intent_of == intent for intent in intents}
    return {name: _kept(own, happened) for name, own in groups.items()}


def _kept(own: NDArray[np.bool_], happened: Outcomes) -> Kept:
    means = {name: values[own & ~np.isnan(values)] for name, values in happened.items()}
    return {
        "customers": int(own.sum()),
        **{name: round(float(values.mean()), 6) if len(values) else None for name, values in means.items()},
    }


def _intents(trained: Sequence[FittedTarget], X: Matrix, at_ms: int, about: Manifest) -> NDArray[np.str_]:
    """The intent of each row [n] as it would have been at the instant."""
    models = {target.target.output: target.as_of(at_ms) for target in trained}
    predicted: dict[str, Any] = {name: model.predict(X).astype(np.float32) for name, model in models.items() if model}
    own = {name: predicted.pop(name) for name in list(predicted) if name not in TARGETS}
    nowhere = np.zeros(len(X), np.int64)
    distance = nowhere.astype(np.float32)
    decisions = Decisions(nowhere, distance, nowhere, distance, **predicted, own=own)
    return np.array(intents(decisions, X, about), np.str_)


def in_words(kept: Mapping[str, Kept]) -> list[str]:
    """A line for every intent that somebody had, and for everyone."""
    return [
        f"  {name:<20} {own['customers']:>9,} {percent(own['churned']):>7} churned"
        f" {percent(own['converted']):>7} converted {percent(own['bought']):>7} bought, spending {own['spent']:,.2f}"
        for name, own in kept.items()
        if own["customers"]
    ]


def percent(value: float | None) -> str:
    """A share, to three digits however small it is; a dash where it is undefined."""
    return "-" if value is None else f"{100 * value:.3g}%"
