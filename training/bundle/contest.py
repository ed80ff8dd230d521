"""A trained bundle beside the live one: is any prediction worse, on the same rows?

The rows are the new bundle's holdout: its latest time slice. The new bundle is judged there by models that were fitted
on earlier slices alone. The live bundle is run on the very rows. Where it was fitted on a part of the days that their
labels come from, that flatters it: by how much is known from its own holdout, on which its figures were measured both
before and after it was fitted on that. This is taken off, in proportion to the part of the days. Where both were judged
on the same rows in training, those figures count as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from shared.events.event import parse_timestamp
from shared.models.bundle import Bundle
from training.base.config import Config
from training.prediction.holdout import Holdout
from training.prediction.metrics import measure
from training.prediction.targets import Target, targets

MARGIN = 0.05
"""Share of the live bundle's figure that a new one may be worse by."""
HIGHER_IS_BETTER = {"auc": 0.5, "average_precision": 0.0, "spearman": 0.0}
"""Figures that decide, with what they are by chance: the margin is a share of what lies above."""
LOWER_IS_BETTER = ("brier", "mean_absolute_error")

type Manifest = Mapping[str, Any]
type Figures = Mapping[str, float | None]


@dataclass(frozen=True)
class Bout:
    """One target of both bundles."""

    target: str
    basis: str
    """What the figures rest on, in words."""
    ours: Figures
    live: Figures
    failures: list[str]

    def __str__(self) -> str:
        pairs = ", ".join(f"{name} {_said(self.ours[name])} (live {_said(self.live[name])})" for name in _shared(self))
        return f"{self.target}: {pairs or 'nothing to compare'}; {self.basis}"

    def as_dict(self) -> dict[str, Any]:
        """The figures that decide, ready for JSON."""
        figures = {name: {"ours": self.ours[name], "live": self.live[name]} for name in _shared(self)}
        return {"basis": self.basis, "figures": figures}


def contest(
    manifest: Manifest, holdouts: Mapping[str, Holdout], live: Manifest, champion: Bundle | None, margin: float = MARGIN
) -> list[Bout]:
    """Every target that the live bundle predicts; `manifest` and `holdouts` are the new bundle's.

    `champion` is the live bundle, or None where this code cannot run it because it rests on other features.
    """
    return [
        _bout(name, manifest, holdouts.get(name), live, champion, margin)
        for name, target in live["targets"].items()
        if target["trained"]
    ]


def figures(name: str, holdout: Holdout, bundle: Bundle) -> dict[str, float]:
    """How good the bundle's own predictions of a target are on the holdout, whose rows are features as `decide` takes
    them; figures that are undefined are left out."""
    target = _target(name)
    predicted = bundle.decide(holdout.X).predictions[target.output].astype(np.float64)
    return {key: value for key, value in measure(target, holdout.y, predicted).items() if np.isfinite(value)}


def _bout(
    name: str, manifest: Manifest, holdout: Holdout | None, live: Manifest, champion: Bundle | None, margin: float
) -> Bout:
    own, other = manifest["targets"][name], live["targets"][name]
    days, its_days = own["horizon_days"], other.get("horizon_days", own["horizon_days"])
    if not own["trained"] or holdout is None:
        return Bout(name, "left out", {}, {}, [f"{name} is predicted by the live bundle alone: {own['reason']}"])
    if days != its_days:
        apart = f"{name} looks {days} days ahead and the live bundle {its_days}: that cannot be compared"
        return Bout(name, "other horizons", {}, {}, [apart])
    if own["holdout"]["sha256"] == other.get("holdout", {}).get("sha256"):
        basis, ours, theirs = "both judged on these rows before having seen them", own["metrics"], other["metrics"]
    elif champion is None:
        basis = "each on a holdout of its own, since the live bundle rests on other features"
        ours, theirs = own["metrics"], other["metrics"]
    else:
        share = _seen(own["holdout"], live)
        basis = f"on the same {len(holdout.y):,} rows"
        ours, theirs = measure(_target(name), holdout.y, holdout.predicted), figures(name, holdout, champion)
        if share > 0 and "figures_after" in other.get("holdout", {}):
            basis += f", less what it gains from having been fitted on {share:.0%} of the days behind them"
            theirs = _less_flattered(theirs, other, share)
        elif share > 0:
            basis += f", though the live bundle was fitted on {share:.0%} of the days behind them, which flatters it"
    return Bout(name, basis, ours, theirs, _worse(name, ours, theirs, margin))


def _worse(target: str, ours: Figures, theirs: Figures, margin: float) -> list[str]:
    found = []
    for name in (*HIGHER_IS_BETTER, *LOWER_IS_BETTER):
        mine, live = ours.get(name), theirs.get(name)
        if live is None or not np.isfinite(live) or name not in ours:
            continue
        chance = HIGHER_IS_BETTER.get(name, 0.0)
        allowed = live - margin * max(live - chance, 0.0) if name in HIGHER_IS_BETTER else live * (1 + margin)
        good = mine is not None and (mine >= allowed if name in HIGHER_IS_BETTER else mine <= allowed)
        if not good:
            told = f"{target} {name.replace('_', ' ')} {_said(mine)}, live {_said(live)}"
            found.append(f"{told}, allowed {_said(allowed)}")
    return found


def _seen(holdout: Manifest, live: Manifest) -> float:
    """The share of the days behind the holdout's labels that the live bundle was fitted on, 0 to 1."""
    begin, until = parse_timestamp(holdout["from"]), parse_timestamp(holdout["until"])
    known = parse_timestamp(live["events"]["last"]) if "events" in live else begin
    return min(max(known - begin, 0) / (until - begin), 1.0)


def _less_flattered(theirs: Figures, target: Manifest, share: float) -> Figures:
    """The live bundle's figures without what it gains from having seen a share of the labels."""
    before, after = target["metrics"], target["holdout"]["figures_after"]
    gained = {name: after[name] - before[name] for name in after if before.get(name) is not None}
    return {name: None if value is None else value - share * gained.get(name, 0.0) for name, value in theirs.items()}


def _target(name: str) -> Target:
    return next(target for target in targets(Config()) if target.name == name)


def _shared(bout: Bout) -> list[str]:
    return [name for name in (*HIGHER_IS_BETTER, *LOWER_IS_BETTER) if name in bout.ours and name in bout.live]


def _said(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"
