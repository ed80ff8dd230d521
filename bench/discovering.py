"""How long the search for features that are missing takes, beside FeatureTools alone, of a made-up shop with a habit
that no feature tells. Both need FeatureTools' own environment, which `make featuretools` makes."""

from functools import cache
from pathlib import Path
from typing import Any

from bench.work import Inputs, Work

_CUSTOMERS = 400
_SYNTHESISED_OF = 100
_JUDGED = 4
_WISHES = 0.4
_OPTIONS: dict[str, Any] = {"threads": 1, "trees": 50, "validation_slices": 2, "maximum_cutoffs": 3}
_WISH = {"name": "wish", "event": "wish", "within_days": 30}


def discover_features(inputs: Inputs) -> Work:
    """Read the shop's events, let FeatureTools make candidates, and judge them on cut-offs that are held out."""
    from training.discover import Search, discover
    from training.prediction.targets import PointsInTime, targets
    from training.train import customers

    folder = _shop(inputs)
    config = _config()
    (*_, target) = targets(config)
    facts: dict[str, float] = {}

    def run() -> None:
        profiles, window = customers([folder], None, config)
        points = PointsInTime(profiles, config.zone, config.cutoff_every_days)
        search = Search(_SYNTHESISED_OF, _JUDGED)
        facts["found"] = len(discover(points, (window.first_ms, window.end_ms), target, config, search).improving)

    return Work(run, min(inputs.customers, _CUSTOMERS), facts)


def featuretools_alone(inputs: Inputs) -> Work:
    """Only FeatureTools' deep feature synthesis, of the same customers' events at the same cut-offs."""
    from training.discover import named_by
    from training.discovery.synthesised import Engine, sampled, synthesise
    from training.prediction.targets import PointsInTime, cutoffs, targets
    from training.prediction.validation import origins
    from training.train import customers

    config = _config()
    (*_, target) = targets(config)
    profiles, window = customers([_shop(inputs)], None, config)
    points = PointsInTime(profiles, config.zone, config.cutoff_every_days)
    instants = cutoffs(window.first_ms, window.end_ms, target.horizon_days, config)
    *_, (_, known) = origins(target, [points.slice(target, instant) for instant in instants], config)
    before = [one.cutoff_ms for one in known]
    who = sampled(points.profiles, _SYNTHESISED_OF, config.seed)
    asked = named_by(target)
    known_then = points.known

    def run() -> object:
        return synthesise(known_then, who, before, asked, Engine(), lambda amount, step: None)

    return Work(run, min(inputs.customers, _CUSTOMERS))


def _config() -> Any:
    from training.base.config import Config
    from training.base.target_entry import TargetEntry

    return Config(**_OPTIONS, target=(TargetEntry.of(_WISH),))


@cache
def _shop(inputs: Inputs) -> Path:
    """The folder of the simulator's events."""
    from training.simulator import write

    customers = min(inputs.customers, _CUSTOMERS)
    folder = inputs.purchases.with_name(f"wishes-of-{customers}")
    write(folder, customers, wishes=_WISHES)
    return folder / "events"
