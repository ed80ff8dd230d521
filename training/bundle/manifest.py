"""The manifest and the leaderboard: what is in a bundle, where it comes from, and how good it is."""

import csv
import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from shared.decisions.decision import iso
from shared.features import FEATURE_NAMES, FEATURE_SET_HASH
from training.base.config import Config
from training.bundle.export import versions
from training.bundle.fitted import Fitted
from training.bundle.graph import OPSET
from training.prediction.predictions import FittedTarget
from training.prediction.questions import DigestBefore, EventsBefore
from training.prediction.targets import PointsInTime
from training.prediction.thresholds import intent_of, reached, thresholds
from training.segmentation.naming import Segment


def manifest(
    bundle_id: str, as_of_ms: int, points: PointsInTime, fitted: Fitted, segments: Sequence[Segment], config: Config
) -> dict[str, Any]:
    """Everything about a bundle that its graph does not decide, ready for JSON; `segments` are its catalogue."""
    return {
        "bundle_id": bundle_id,
        "created_at": iso(int(datetime.now(UTC).timestamp()) * 1000),
        "as_of": iso(as_of_ms),
        "currency": config.currency or None,
        "time_zone": "UTC" if config.zone.is_utc else config.time_zone,
        "events": _events(points, as_of_ms),
        "features": list(FEATURE_NAMES),
        "feature_set_hash": FEATURE_SET_HASH,
        "versions": {**versions(), "opset": OPSET},
        "seed": config.seed,
        "config": msgspec.to_builtins(config),
        "segments": [segment.as_dict() for segment in segments],
        "segmentation": fitted.segmentation.about(),
        "targets": {target.target.name: _target(target, config) for target in fitted.targets},
        "trained_on": trained_on(fitted),
        "thresholds": thresholds(fitted.X, fitted.targets, config),
    }


def trained_on(fitted: Fitted) -> dict[str, dict[str, float | bool | None]]:
    """Of every feature the least and the most that the models of the targets saw, null where it was always undefined,
    and whether it ever was undefined. Without any target, what the segments were found on."""
    rows = fitted.rows[1:] or fitted.rows
    ranges = {}
    for name, columns in zip(FEATURE_NAMES, zip(*(X.T for X in rows), strict=True), strict=True):
        column = np.concatenate(columns)
        seen = column[~np.isnan(column)]
        least, most = (float(str(end(seen))) for end in (np.min, np.max)) if len(seen) else (None, None)
        ranges[name] = {"least": least, "most": most, "undefined": len(seen) < len(column)}
    return ranges


def leaderboard(fitted: Fitted) -> list[dict[str, Any]]:
    """A row for everything that was tried: its task, its name, whether it was chosen, and its figures."""
    segmentation = fitted.segmentation
    rows: list[dict[str, Any]] = [
        {"task": "segments", "candidate": tried.name, "chosen": tried is segmentation.chosen, **tried.figures()}
        for tried in segmentation.tried
    ]
    for target in fitted.targets:
        task = target.target.name
        for name, metrics in target.leaderboard.items():
            chosen = target.model is not None and target.model.name == name
            rows.append({"task": task, "candidate": name, "chosen": chosen, **metrics})
        for name, reason in target.missing.items():
            rows.append({"task": task, "candidate": name, "chosen": False, "missing": reason})
    return rows


def write_leaderboard(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """The leaderboard as CSV."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(
            {key: f"{value:.6g}" if isinstance(value, float) else value for key, value in row.items()} for row in rows
        )


def write_json(path: Path, content: Any) -> None:
    """Indented JSON that every parser reads: a NaN is an error."""
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")


def _events(points: PointsInTime, as_of_ms: int) -> dict[str, Any]:
    counts, first, last = points.ask(EventsBefore(as_of_ms)).T
    digests = points.ask(DigestBefore(as_of_ms))
    owners = np.flatnonzero(counts)
    content = hashlib.sha256()
    for i in owners.tolist():
        content.update(points.keys[i].encode() + b"\n")
        content.update(digests[i].tobytes())
    return {
        "rows": int(counts.sum()),
        "customers": len(owners),
        "first": iso(int(first[owners].min())),
        "last": iso(int(last[owners].max())),
        "hash": content.hexdigest(),
    }


def _target(fitted: FittedTarget, config: Config) -> dict[str, Any]:
    about = fitted.about()
    intent = intent_of(fitted.target)
    if fitted.model is None or intent is None:
        return about
    return {**about, "thresholds": {intent: reached(fitted, config)}}
