"""A decision's reasons in words and numbers, derived from the stored history as of the decision, when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from math import isclose, nan
from typing import TYPE_CHECKING, Any

import numpy as np
from botocore.exceptions import ClientError

from shared.aws.fresh_object import is_absent
from shared.decisions.decision import Decision
from shared.features import BrokenState, UnknownStateVersion
from shared.models.layout import bundle_key
from shared.profiles.histories import histories
from shared.profiles.remembered import features_of
from shared.profiles.stored_profile import StoredProfile
from shared.reasons.contributions import FILE, Reasons, ReasonsMismatch
from shared.reasons.nearest import Row, Vector
from shared.reasons.wording import sentence

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TOP = 3
DIGITS = 9
"""Decimal places of contributions: what is rounded off all of them together stays below 1e-7."""
CHANGED = "What is known of the customer has changed since the decision; this explains what it says now."
NEWER = "A newer release wrote what is known of the customer; this one can tell the decision, but not what it rests on."
DAMAGED = "What is stored of the customer's history is damaged, so that nobody can say what the decision rests on."
TOLERANCE = 1e-4

type Manifest = Mapping[str, Any]


class Explainer:
    """Explains decisions by the bundles that made them; their reasons are read from S3 when first asked for."""

    def __init__(
        self, s3: S3Client, bucket: str, read: Callable[[bytes, Manifest], Reasons] = Reasons.from_bytes
    ) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._from_bytes = read
        self._reasons = lru_cache(maxsize=4)(self._read)

    def explain(self, profile: StoredProfile, manifest: Manifest) -> dict[str, Any]:
        """The explanation of the profile's decision, for which `manifest` is its bundle's; `problem` says why not."""
        assert profile.decision is not None
        reasons = self._of(manifest)
        if isinstance(reasons, str):
            return {"problem": reasons}
        try:
            return explanation(profile, manifest, reasons)
        except UnknownStateVersion:
            return {"problem": NEWER}
        except BrokenState:
            return {"problem": DAMAGED}

    def top(self, profile: StoredProfile, manifest: Manifest) -> list[dict[str, Any]]:
        """The features that speak most for the profile's segment, the strongest first; none without the bundle."""
        reasons = self._of(manifest)
        return [] if isinstance(reasons, str) else top_reasons(profile, manifest, reasons)

    def _of(self, manifest: Manifest) -> Reasons | str:
        if not manifest:
            return "The bundle that decided this is gone."
        if "reasons" not in manifest:
            return f"Bundle {manifest['bundle_id']} was published without {FILE}."
        try:
            return self._reasons(_Key(manifest))
        except ReasonsMismatch as error:
            return str(error)

    def _read(self, key: _Key) -> Reasons:
        path = bundle_key(key.manifest["bundle_id"], FILE)
        try:
            content = self._s3.get_object(Bucket=self._bucket, Key=path)["Body"].read()
        except ClientError as error:
            if is_absent(self._s3, self._bucket, path, error):
                raise ReasonsMismatch(f"{path} is not there.") from error
            raise
        return self._from_bytes(content, key.manifest)


class _Key:
    """A manifest as what its reasons are kept under: another name for a segment leaves them as they are."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self._identity = (manifest["bundle_id"], manifest["reasons"]["sha256"])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)


def explanation(profile: StoredProfile, manifest: Manifest, reasons: Reasons) -> dict[str, Any]:
    """Every feature's share in the decision, the largest first, and under `about` what the shares add up to.

    The segment's shares sum to how much nearer it is than the runner-up; a prediction's to what it lies above its
    baseline, the background's mean, on the scale named. A feature without a share is left out.
    """
    decision = profile.decision
    assert decision is not None
    x = reasons.features_at(histories([profile]), decision.as_of_ms)
    shares, difference = reasons.segment.contributions(x, decision.segment, decision.runner_up)
    sentences = _Sentences(reasons.features, x, decision.segment, manifest)
    shown: dict[str, Any] = {"segment": sentences.all(shares)}
    about: dict[str, Any] = {
        "segment": {"scale": "distance", "nearer_than": decision.runner_up, "sum": round(difference, DIGITS)}
    }
    same = reasons.segment.segment(x) == decision.segment
    for output, why in reasons.predictions.items():
        shares = why.contributions(x)
        shown[output] = sentences.all(shares)
        total = float(shares.sum())
        about[output] = {
            "scale": why.calibration.scale,
            "baseline": round(why.baseline, DIGITS),
            "sum": round(total, DIGITS),
        }
        if (error := why.error(x)) is not None:
            about[output]["standard_error"] = round(error, DIGITS)
        same &= isclose(why.at(total), decision.predictions.get(output, nan), rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    changed = {} if same else {"changed_since": CHANGED}
    empty: dict[str, Any] = {output: [] for output in decision.predictions if output not in shown}
    return {**shown, **empty, "about": about, **changed}


def top_reasons(profile: StoredProfile, manifest: Manifest, reasons: Reasons, most: int = TOP) -> list[dict[str, Any]]:
    """The features that speak most for the profile's segment over the runner-up, the strongest first."""
    decision = profile.decision
    assert decision is not None
    x = _moved_by(profile, decision, reasons)
    shares, _ = reasons.segment.contributions(x, decision.segment, decision.runner_up)
    for_it = [j for j in np.argsort(-shares, kind="stable")[:most].tolist() if shares[j] > 0]
    return _Sentences(reasons.features, x, decision.segment, manifest).some(shares, for_it)


def _moved_by(profile: StoredProfile, decision: Decision, reasons: Reasons) -> Row:
    """The bundle's features that the profile was decided on: kept with it where its history is not."""
    if profile.known is not None:
        return features_of(profile.known)
    return reasons.features_at(histories([profile]), decision.as_of_ms)


class _Sentences:
    """A customer's features in words, each put into words once."""

    def __init__(self, names: Sequence[str], x: Row, segment: int, manifest: Manifest) -> None:
        self._names = names
        self._values = [None if value != value else value for value in map(float, x)]
        entry: Mapping[str, Any] = {one["id"]: one for one in manifest.get("segments", ())}.get(segment, {})
        self._name: str | None = entry.get("name")
        self._typical: Mapping[str, float | None] = entry.get("profile", {})
        self._texts: dict[int, str] = {}

    def all(self, shares: Vector) -> list[dict[str, Any]]:
        """All features that have a share, the largest first."""
        return self.some(shares, [j for j in np.argsort(-np.abs(shares), kind="stable").tolist() if shares[j]])

    def some(self, shares: Vector, at: Sequence[int]) -> list[dict[str, Any]]:
        """The features at some positions."""
        rounded = np.round(shares, DIGITS).tolist()
        return [
            {
                "feature": self._names[j],
                "value": self._values[j],
                "contribution": rounded[j],
                "text": self._texts.get(j) or self._text(j),
            }
            for j in at
        ]

    def _text(self, j: int) -> str:
        value = self._values[j]
        name = self._names[j]
        text = sentence(name, nan if value is None else value, self._typical.get(name), self._name)
        self._texts[j] = text
        return text
