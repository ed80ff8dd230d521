"""A trained bundle beside the live one: is any prediction worse, on the same rows?

The rows are the new bundle's holdout: its latest time slice. The new bundle is judged there by models that were fitted
on earlier slices alone. The live bundle is run on the very rows. Where it was fitted on a part of the days that their
outcomes come from, that flatters it: by how much is known from its own holdout, on which its figures were measured both
before and after it was fitted on that. This is taken off, in proportion to the part of the days. Where both were judged
on the same rows in training, those figures count as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from shared.events.event import parse_timestamp
from shared.models.bundle import Bundle
from training.base.target_entry import TargetEntry, default_entries
from training.bundle.gain import HIGHER_IS_BETTER, LOWER_IS_BETTER, Figures, gain, standard_error
from training.prediction.holdout import Holdout
from training.prediction.metrics import measure
from training.prediction.models import Vector
from training.prediction.targets import Target, target_in

MARGIN = 0.05
"""Share of the live bundle's figure that a new one may be worse by."""
NOT_ASKED: Mapping[str, Any] = {"trained": False, "reason": "the config does not ask for it"}

type Manifest = Mapping[str, Any]


@dataclass(frozen=True)
class Comparison:
    """One target by both bundles."""

    target: str
    basis: str
    """What the figures rest on, in words."""
    ours: Figures
    live: Figures
    failures: list[str]
    error: float = 0.0
    """Standard error of the gain, where it is known."""

    @property
    def gain(self) -> float:
        """How much better ours is, as a share of what the live bundle's figures are worth."""
        return gain(self.ours, self.live)

    def __str__(self) -> str:
        pairs = ", ".join(
            f"{name} {_short(self.ours[name])} (live {_short(self.live[name])})" for name in _shared(self)
        )
        return f"{self.target}: {pairs or 'nothing to compare'}; {self.basis}"

    def as_dict(self) -> dict[str, Any]:
        """The figures that decide, ready for JSON."""
        figures = {name: {"ours": self.ours[name], "live": self.live[name]} for name in _shared(self)}
        return {"basis": self.basis, "figures": figures}


def contest(
    manifest: Manifest, holdouts: Mapping[str, Holdout], live: Manifest, champion: Bundle | None, margin: float = MARGIN
) -> list[Comparison]:
    """Every target that the live bundle predicts; `manifest` and `holdouts` are the new bundle's.

    `champion` is the live bundle, or None where this code cannot run it because it rests on other features.
    """
    return [
        _compared(name, manifest, holdouts.get(name), live, champion, margin)
        for name, target in live["targets"].items()
        if target["trained"]
    ]


def figures(name: str, holdout: Holdout, bundle: Bundle) -> dict[str, float]:
    """How good the bundle's predictions of the target `name` are on a holdout of features as `decide` takes them.

    Figures that are undefined are left out.
    """
    return _figures(target_in(bundle.manifest, name), holdout.y, _predicted(name, holdout, bundle))


def _figures(target: Target, y: Vector, predicted: Vector) -> dict[str, float]:
    return {key: value for key, value in measure(target, y, predicted).items() if np.isfinite(value)}


def _predicted(name: str, holdout: Holdout, bundle: Bundle) -> Vector:
    return bundle.decide(holdout.X).predictions[target_in(bundle.manifest, name).output].astype(np.float64)


def _compared(
    name: str, manifest: Manifest, holdout: Holdout | None, live: Manifest, champion: Bundle | None, margin: float
) -> Comparison:
    own, other = manifest["targets"].get(name, NOT_ASKED), live["targets"][name]
    if not own["trained"] or holdout is None:
        return Comparison(name, "left out", {}, {}, [f"{name} is predicted by the live bundle alone: {own['reason']}"])
    if _asks(own) != _asks(other):
        return Comparison(name, "other questions", {}, {}, [f"{name} asks something else than the live bundle does"])
    days, its_days = own["horizon_days"], other.get("horizon_days", own["horizon_days"])
    grown = days > its_days and target_in(manifest, name).kind == "amount"
    if days != its_days and not grown:
        apart = f"{name} looks {days} days ahead and the live bundle {its_days}: that cannot be compared"
        return Comparison(name, "other horizons", {}, {}, [apart])
    error = 0.0
    if own["holdout"]["sha256"] == other.get("holdout", {}).get("sha256"):
        basis = "both judged on these rows before having seen them"
        ours, theirs = own["metrics"], other["metrics"]
    elif champion is None:
        basis = "each on a holdout of its own, since the live bundle rests on other features"
        ours, theirs = own["metrics"], other["metrics"]
    else:
        target, predicted = target_in(manifest, name), _predicted(name, holdout, champion)
        ours = measure(target, holdout.y, holdout.predicted)
        error = standard_error(target, holdout.y, holdout.predicted, predicted)
        share = _share_fitted_on(own["holdout"], live)
        notes, theirs = _unflattered(_figures(target, holdout.y, predicted), other, share)
        basis = f"on the same {len(holdout.y):,} rows{notes}"
    if grown:
        # Amounts of more days are larger; who is worth more than whom can still be compared.
        basis = f"{days} days where the live bundle looks {its_days} ahead, by their order alone; {basis}"
        theirs = {"spearman": theirs.get("spearman")}
    return Comparison(name, basis, ours, theirs, _worse(name, ours, theirs, margin), error)


def _worse(target: str, ours: Figures, theirs: Figures, margin: float) -> list[str]:
    failures = []
    for name in (*HIGHER_IS_BETTER, *LOWER_IS_BETTER):
        mine, live = ours.get(name), theirs.get(name)
        if live is None or not np.isfinite(live) or name not in ours:
            continue
        allowed = _allowed(name, live, margin)
        good = mine is not None and (mine >= allowed if name in HIGHER_IS_BETTER else mine <= allowed)
        if not good:
            both = f"{target} {name.replace('_', ' ')} {_short(mine)}, live {_short(live)}"
            failures.append(f"{both}, allowed {_short(allowed)}")
    return failures


def _allowed(name: str, live: float, margin: float) -> float:
    """The worst that a figure may be beside the live bundle's."""
    if name in HIGHER_IS_BETTER:
        return live - margin * max(live - HIGHER_IS_BETTER[name], 0.0)
    return live * (1 + margin)


def _share_fitted_on(holdout: Manifest, live: Manifest) -> float:
    """The share of the days behind the holdout's outcomes that the live bundle was fitted on, 0 to 1."""
    begin, until = parse_timestamp(holdout["from"]), parse_timestamp(holdout["until"])
    known = parse_timestamp(live["events"]["last"]) if "events" in live else begin
    return min(max(known - begin, 0) / (until - begin), 1.0)


def _unflattered(theirs: Figures, target: Manifest, share: float) -> tuple[str, Figures]:
    """The live bundle's figures without what it gains from having seen a share of the outcomes, where that is known;
    before them what to say of it."""
    if share == 0:
        return "", theirs
    if "figures_after" not in target.get("holdout", {}):
        return f", though the live bundle was fitted on {share:.0%} of the days behind them, which flatters it", theirs
    before, after = target["metrics"], target["holdout"]["figures_after"]
    gained = {name: after[name] - before[name] for name in after if before.get(name) is not None}
    left = {name: None if value is None else value - share * gained.get(name, 0.0) for name, value in theirs.items()}
    return f", less what it gains from having been fitted on {share:.0%} of the days behind them", left


def _asks(target: Manifest) -> Mapping[str, Any] | None:
    """What is predicted, however many days ahead; None of the three that are in every config, of which bundles of
    earlier releases say no more."""
    if "asked" not in target:
        return None
    entry = TargetEntry.of(target["asked"])
    days = entry.within_days
    return None if entry in default_entries(days, days, days) else entry.asked | {"within_days": 0}


def _shared(comparison: Comparison) -> list[str]:
    figures = (*HIGHER_IS_BETTER, *LOWER_IS_BETTER)
    return [name for name in figures if name in comparison.ours and name in comparison.live]


def _short(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"
