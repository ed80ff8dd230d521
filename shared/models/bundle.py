"""The model bundle: one ONNX graph, with its manifest, that turns features into decisions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from shared.audiences.audience import NONE, Audiences
from shared.features import FEATURES, KNOWN_DEFINITIONS, Profiles, computed_for, features
from shared.features.definitions import Definition, FeaturesChanged, columns, needed
from shared.features.time_zone import UTC_TIME, TimeZone, UnknownTimeZone
from shared.models.layout import MANIFEST_FILE, ONNX_FILE
from shared.models.manifests import MANIFEST, TARGETS, outputs
from shared.models.manifests import BundleMismatch as BundleMismatch
from shared.recommending.recommender import Recommender
from shared.shapes import Misfit, check, parsed

BUNDLE_FORMAT = "1"
ZONED_FORMAT = "2"
"""Of a bundle whose hours and days are not those of UTC, which a release that knows no others must not run."""
SEGMENT_OUTPUTS = ("segment", "segment_distance", "runner_up", "runner_up_distance")
ROWS_AT_ONCE = 500
"""Rows of one run: each is held beside every prototype of a segment, of which there may be 2,000."""
TRIED = (np.nan, 0.0, 1.0, -1.0, 1e6)
"""What all features are in the rows that a bundle is tried out on."""
IDS = ("segment", "runner_up", "micro_segment")

# ONNX Runtime's exceptions have no common base but Exception; nor has what its bindings raise for odd inputs.
_RUNTIME_ERRORS: tuple[type[Exception], ...] = (
    *(kind for kind in vars(ort_errors).values() if isinstance(kind, type) and issubclass(kind, Exception)),
    RuntimeError,
    ValueError,
)

type Floats = NDArray[np.float32]
type Ints = NDArray[np.int64]
type Definitions = tuple[Definition, ...]


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
    own: Mapping[str, Floats] = field(default_factory=dict, kw_only=True)
    """Predictions of the shop's own targets, by name."""

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
    def defined(self) -> NDArray[np.bool_]:
        """Whether all numbers of a row are numbers that can be stored [n]."""
        numbers = [self.segment_distance, self.runner_up_distance, *self.predictions.values()]
        defined: NDArray[np.bool_] = np.isfinite(np.stack(numbers)).all(axis=0)
        return defined

    @property
    def predictions(self) -> dict[str, Floats]:
        """The predictions this bundle makes, by name, in the order of `TARGETS`, and then the shop's own."""
        values = {name: getattr(self, name) for name in TARGETS}
        return {name: array for name, array in values.items() if array is not None} | dict(self.own)


class Bundle:
    """A loaded bundle. Loading raises `BundleMismatch` where this code cannot compute a feature as the bundle was
    trained on it, and where graph or manifest are not whole."""

    def __init__(self, session: ort.InferenceSession, manifest: Mapping[str, Any], definitions: Definitions) -> None:
        self._session = session
        self.manifest = manifest
        self.bundle_id = str(manifest["bundle_id"])
        self.failure: str | None = None
        """Why it could not decide, once it could not on some row."""
        self.definitions = definitions
        """What the features are that it needs, in the order of its columns."""
        self.features = tuple(definition.name for definition in definitions)
        """Their names."""
        self.audiences: Audiences = NONE
        """The shop's audiences, who is in which being decided along with what the bundle says."""
        self.recommender: Recommender | None = None
        """The live one, where rules of audiences ask what is recommended."""
        self.zone = TimeZone.of(manifest.get("time_zone", UTC_TIME.name))
        """The shop's time, in which its features were computed."""
        self._columns = columns(definitions, KNOWN_DEFINITIONS)
        self.computed = computed_for(self._columns)
        """What `features_at` computes, in the order of its columns."""
        self._is_whole = self._columns == list(range(len(FEATURES)))
        self._own = outputs(manifest).keys() - TARGETS.keys()
        known = Decisions.__dataclass_fields__.keys() - {"own"} | self._own
        self._outputs = [output.name for output in session.get_outputs() if output.name in known]

    @classmethod
    def from_bytes(cls, onnx: bytes, manifest: bytes) -> Self:
        """The bundle in the bytes of `bundle.onnx` and `manifest.json`."""
        try:
            about = parsed(manifest, {})
        except Misfit as misfit:
            raise BundleMismatch(f"manifest.json is refused: {misfit}") from misfit
        return cls.from_files(onnx, about)

    @classmethod
    def from_files(cls, onnx: bytes, manifest: Mapping[str, Any]) -> Self:
        """The bundle in the bytes of `bundle.onnx` and the parsed `manifest.json`."""
        session, metadata = _session(onnx)
        try:
            check(manifest, MANIFEST)
            _require_match(session, metadata, manifest)
            bundle = cls(session, manifest, needed(metadata))
        except Misfit as misfit:
            raise BundleMismatch(f"the manifest beside bundle.onnx is refused: {misfit}") from misfit
        except UnknownTimeZone as error:
            raise BundleMismatch(f"bundle {manifest.get('bundle_id')}: {error}") from error
        except FeaturesChanged as error:
            raise BundleMismatch(
                f"bundle {manifest.get('bundle_id')} was trained on other features: {error}"
            ) from error
        bundle._try_out()
        return bundle

    @classmethod
    def load(cls, directory: Path | str) -> Self:
        """The bundle in a folder that holds `bundle.onnx` and `manifest.json`."""
        folder = Path(directory)
        return cls.from_bytes((folder / ONNX_FILE).read_bytes(), (folder / MANIFEST_FILE).read_bytes())

    def features_at(self, profiles: Profiles, as_of_ms: int | Ints) -> Floats:
        """The features of customers at an instant (UTC milliseconds, one for all or one each) in the shop's time, as
        `decide` takes them [n, n_known]: FEATURES, or all of COMPUTED where it needs one that was superseded."""
        return features(profiles, as_of_ms, self.zone, self.computed)

    def decide(self, known: Floats) -> Decisions:
        """Decides for every row of `known`, float32 [n, n_known], NaN where undefined."""
        return self.decide_on(self.own(known))

    def own(self, known: Floats) -> Floats:
        """Of features as `features_at` gives them those that it needs, in its order [n, len(self.features)]."""
        return known if self._is_whole else np.ascontiguousarray(known[:, self._columns])

    def spread(self, rows: Floats) -> Floats:
        """Its own features `rows` [n, len(self.features)] as `decide` takes them; NaN for all others."""
        known = np.full((len(rows), len(self.computed)), np.nan, np.float32)
        known[:, self._columns] = rows
        return known

    def decide_on(self, rows: Floats) -> Decisions:
        """Decides for every row of its own features, float32 [n, len(self.features)], NaN where undefined.

        Raises BundleMismatch where the graph does not run; `failure` says so from then on.
        """
        try:
            runs = [
                self._session.run(self._outputs, {"features": rows[start : start + ROWS_AT_ONCE]})
                for start in range(0, max(len(rows), 1), ROWS_AT_ONCE)
            ]
            parts = zip(self._outputs, *runs, strict=True)
            values = {name: np.concatenate(arrays) for name, *arrays in parts}
            own = {name: values.pop(name) for name in self._outputs if name in self._own}
            return Decisions(**values, own=own)
        except _RUNTIME_ERRORS as error:
            self.failure = f"bundle {self.bundle_id} cannot decide: {_first_line(error)}"
            raise BundleMismatch(self.failure) from error

    def _try_out(self) -> None:
        """Raises BundleMismatch where it cannot decide on a few rows, or decides what nobody could store."""
        rows = np.repeat(np.array(TRIED, np.float32)[:, None], len(self.features), axis=1)
        decisions = self.decide_on(rows)
        for name in self._outputs:
            values = decisions.own[name] if name in self._own else getattr(decisions, name)
            kind = np.integer if name in IDS else np.floating
            if not np.issubdtype(values.dtype, kind) or values.shape != (len(rows),):
                raise BundleMismatch(f"bundle {self.bundle_id} gives a {name} that is not one number a customer")
        if not decisions.defined.all():
            raise BundleMismatch(f"bundle {self.bundle_id} gives numbers that are undefined or infinite")


def bundle_format(zone: str) -> str:
    """The format of a bundle for a shop of this time zone."""
    return BUNDLE_FORMAT if zone == UTC_TIME.name else ZONED_FORMAT


def _session(onnx: bytes) -> tuple[ort.InferenceSession, Mapping[str, str]]:
    options = ort.SessionOptions()
    # A graph this small loses more to handing work between threads than it gains from them.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = ort.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
        return session, session.get_modelmeta().custom_metadata_map
    except _RUNTIME_ERRORS as error:
        raise BundleMismatch(
            f"bundle.onnx ({len(onnx)} bytes) is not a model this runtime can load: {_first_line(error)}"
        ) from error


def _require_match(session: ort.InferenceSession, metadata: Mapping[str, str], manifest: Mapping[str, Any]) -> None:
    bundle_id = manifest.get("bundle_id")
    zone = metadata.get("time_zone", UTC_TIME.name)
    if metadata.get("bundle_format") != bundle_format(zone):
        raise BundleMismatch(
            f"bundle {bundle_id} has format {metadata.get('bundle_format')!r}; this code reads format"
            f" {BUNDLE_FORMAT!r}, and {ZONED_FORMAT!r} of another time zone than UTC"
        )
    if manifest.get("time_zone", UTC_TIME.name) != zone:
        raise BundleMismatch(f"bundle {bundle_id} was trained for days in {zone}, and its manifest names another zone")
    if metadata.get("model_version") != bundle_id:
        raise BundleMismatch(f"manifest of {bundle_id} lies beside the graph of {metadata.get('model_version')}")
    missing = set(SEGMENT_OUTPUTS) - {output.name for output in session.get_outputs()}
    if missing:
        raise BundleMismatch(f"bundle {bundle_id} lacks the outputs {', '.join(sorted(missing))}")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
