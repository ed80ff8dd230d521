"""The model bundle: one ONNX graph, with its manifest, that turns features into decisions."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from shared.features import FEATURE_NAMES, FEATURE_SET_HASH

BUNDLE_FORMAT = "1"
SEGMENT_OUTPUTS = ("segment", "segment_distance", "runner_up", "runner_up_distance")
MANIFEST_KEYS = {"bundle_id", "segments", "targets", "thresholds"}
ROWS_AT_ONCE = 500
"""Rows of one run: each is held beside every prototype of a segment, of which there may be 2,000."""
PREDICTIONS = ("churn_probability", "conversion_probability", "expected_ltv")

# ONNX Runtime's exceptions have no common base but Exception.
_UNLOADABLE = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NotImplemented,
)

type Floats = NDArray[np.float32]
type Ints = NDArray[np.int64]


class BundleMismatch(Exception):
    """The bundle was not made for this code: its features, format or outputs are others than those expected."""


@dataclass(frozen=True)
class Decisions:
    """One decision a row, as arrays of length n.

    Distances are Euclidean, in the space the clusters were found in. Probabilities are 0 to 1 and `expected_ltv` is
    in units of the stack's currency; a target that the bundle was trained without is None.
    """

    segment: Ints
    segment_distance: Floats
    runner_up: Ints
    runner_up_distance: Floats
    micro_segment: Ints | None = None
    churn_probability: Floats | None = None
    conversion_probability: Floats | None = None
    expected_ltv: Floats | None = None

    def __len__(self) -> int:
        return len(self.segment)

    @property
    def margin(self) -> Floats:
        """How much nearer the segment is than the runner-up: 0 between the two, 1 at the segment's centre."""
        gap = self.runner_up_distance - self.segment_distance
        margin: Floats = np.divide(
            gap, self.runner_up_distance, out=np.zeros_like(gap), where=self.runner_up_distance > 0
        )
        return margin

    @property
    def predictions(self) -> dict[str, Floats]:
        """The predictions this bundle makes, by name, in the order of `PREDICTIONS`."""
        values = {name: getattr(self, name) for name in PREDICTIONS}
        return {name: array for name, array in values.items() if array is not None}


class Bundle:
    """A loaded bundle. Loading raises `BundleMismatch` unless graph, manifest and this code name the same features."""

    def __init__(self, session: ort.InferenceSession, manifest: Mapping[str, Any]) -> None:
        self._session = session
        self.manifest = manifest
        self.bundle_id = str(manifest["bundle_id"])
        fields = Decisions.__dataclass_fields__
        self._outputs = [output.name for output in session.get_outputs() if output.name in fields]

    @classmethod
    def from_files(cls, onnx: bytes, manifest: Mapping[str, Any]) -> Self:
        """The bundle in the bytes of `bundle.onnx` and the parsed `manifest.json`."""
        session = _session(onnx)
        _require_match(session, manifest)
        return cls(session, manifest)

    @classmethod
    def load(cls, directory: Path | str) -> Self:
        """The bundle in a folder that holds `bundle.onnx` and `manifest.json`."""
        folder = Path(directory)
        return cls.from_files(
            (folder / "bundle.onnx").read_bytes(), json.loads((folder / "manifest.json").read_bytes())
        )

    def decide(self, features: Floats) -> Decisions:
        """Decides for every row of `features`, float32 [n, len(FEATURE_NAMES)], NaN where undefined."""
        runs = [
            self._session.run(self._outputs, {"features": features[start : start + ROWS_AT_ONCE]})
            for start in range(0, max(len(features), 1), ROWS_AT_ONCE)
        ]
        return Decisions(**{name: np.concatenate(arrays) for name, *arrays in zip(self._outputs, *runs, strict=True)})


def _session(onnx: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    # A graph this small loses more to handing work between threads than it gains from them.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        return ort.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    except _UNLOADABLE as error:
        raise BundleMismatch(
            f"bundle.onnx ({len(onnx)} bytes) is not a model this runtime can load: {error}"
        ) from error


def _require_match(session: ort.InferenceSession, manifest: Mapping[str, Any]) -> None:
    metadata = session.get_modelmeta().custom_metadata_map
    bundle_id = manifest.get("bundle_id")
    if metadata.get("bundle_format") != BUNDLE_FORMAT:
        raise BundleMismatch(
            f"bundle {bundle_id} has format {metadata.get('bundle_format')!r}; this code reads format {BUNDLE_FORMAT!r}"
        )
    names = json.loads(metadata.get("feature_names", "[]"))
    if names != list(FEATURE_NAMES):
        raise BundleMismatch(f"bundle {bundle_id} was trained on other features: {_difference(names)}")
    if metadata.get("feature_set_hash") != FEATURE_SET_HASH:
        raise BundleMismatch(
            f"bundle {bundle_id} was trained on the feature set {metadata.get('feature_set_hash')!r}, but this code"
            f" computes {FEATURE_SET_HASH!r}: same names, other definitions; train again"
        )
    if metadata.get("model_version") != bundle_id:
        raise BundleMismatch(f"manifest of {bundle_id} lies beside the graph of {metadata.get('model_version')}")
    if silent := MANIFEST_KEYS - manifest.keys():
        raise BundleMismatch(f"manifest of {bundle_id} lacks {', '.join(sorted(silent))}")
    missing = set(SEGMENT_OUTPUTS) - {output.name for output in session.get_outputs()}
    if missing:
        raise BundleMismatch(f"bundle {bundle_id} lacks the outputs {', '.join(sorted(missing))}")


def _difference(names: list[str]) -> str:
    missing = [name for name in FEATURE_NAMES if name not in names]
    unknown = [name for name in names if name not in FEATURE_NAMES]
    if not missing and not unknown:
        return "the same, in another order"
    return f"it lacks {', '.join(missing) or 'none'} and has the unknown {', '.join(unknown) or 'none'}"
