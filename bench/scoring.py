"""Customers scored from what is stored of them: one by one, with reasons, many at once, and looking ahead."""

import json
from collections.abc import Callable
from itertools import batched

import numpy as np

from bench.reasons import bundle_folder
from bench.shop import AS_OF_MS, shop_events
from bench.work import Inputs, Work
from shared.clock import Moment
from shared.decisions.deciding import decide
from shared.decisions.decision import Decision
from shared.features import FEATURE_NAMES, Profiles, decode, encode, fold
from shared.models.bundle import Bundle
from shared.models.layout import MANIFEST_FILE, ONNX_FILE
from shared.profiles.stored_profile import StoredProfile
from shared.reasons.contributions import FILE, Reasons
from shared.reasons.explaining import explanation

NOW, AHEAD = (Moment(AS_OF_MS, AS_OF_MS, horizon_days) for horizon_days in (0, 90))
_ALONE = 300
_AT_ONCE = 5_000

type Stored = tuple[str, bytes]
"""A profile's key, and its state."""


def score_one(inputs: Inputs) -> Work:
    """Score customers one by one, each from the stored state: features, segment, predictions, next best action."""
    bundle = _bundle(inputs)
    stored = _stored(min(inputs.customers // 10, _ALONE))
    return Work(lambda: [_decided([one], bundle, NOW) for one in stored], len(stored))


def score_one_explained(inputs: Inputs) -> Work:
    """The same, with every feature's share in each part of the decision."""
    folder = bundle_folder(inputs.purchases)
    bundle = _bundle(inputs)
    reasons = Reasons.from_bytes((folder / FILE).read_bytes(), bundle.manifest)
    stored = _stored(min(inputs.customers // 10, _ALONE))

    def explained(key: str, state: bytes) -> object:
        decision = _decided([(key, state)], bundle, NOW)[key]
        return explanation(StoredProfile(key, 1, state, 1, decision), bundle.manifest, reasons)

    return Work(lambda: [explained(*one) for one in stored], len(stored))


def score_batch(inputs: Inputs) -> Work:
    """Score many customers at once, from their stored states."""
    return _batch(inputs, NOW)


def score_batch_forecast(inputs: Inputs) -> Work:
    """The same, and say on which of the next 90 days each decision changes if nothing happens."""
    return _batch(inputs, AHEAD)


def onnx_alone(inputs: Inputs) -> Work:
    """The bundle's models alone, one customer after another, of features that are known already."""
    return _models(inputs, lambda run, X: [run(X[i : i + 1]) for i in range(len(X))], _ALONE)


def onnx_batch(inputs: Inputs) -> Work:
    """The bundle's models alone, of features that are known already."""
    return _models(inputs, lambda run, X: run(X), _AT_ONCE)


def _models(inputs: Inputs, of: Callable[[Callable[[np.ndarray], object], np.ndarray], object], most: int) -> Work:
    bundle = Bundle.load(bundle_folder(inputs.purchases))
    profiles = fold(shop_events(min(inputs.customers, most)))
    X = bundle.own(bundle.features_at(profiles, AS_OF_MS))
    return Work(lambda: of(bundle.decide_on, X), len(X))


def _bundle(inputs: Inputs) -> Bundle:
    """The bundle of the purchases, as if it had been trained on such customers as the made-up shop's."""
    folder = bundle_folder(inputs.purchases)
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    bundle = Bundle.load(folder)
    X = bundle.features_at(fold(shop_events(_AT_ONCE)), AS_OF_MS)
    manifest["trained_on"] = {name: _range(values) for name, values in zip(FEATURE_NAMES, X.T, strict=False)}
    return Bundle.from_files((folder / ONNX_FILE).read_bytes(), manifest)


def _range(values: np.ndarray) -> dict[str, float | bool | None]:
    known = values[~np.isnan(values)]
    least, most = (float(known.min()), float(known.max())) if len(known) else (None, None)
    return {"least": least, "most": most, "undefined": len(known) < len(values)}


def _batch(inputs: Inputs, moment: Moment) -> Work:
    bundle = _bundle(inputs)
    batches = [*batched(_stored(min(inputs.customers, _AT_ONCE)), 1_000, strict=False)]
    return Work(lambda: [_decided(batch, bundle, moment) for batch in batches], sum(map(len, batches)))


def _decided(stored: list[Stored] | tuple[Stored, ...], bundle: Bundle, moment: Moment) -> dict[str, Decision]:
    keys, states = zip(*stored, strict=True)
    return decide(decode([*keys], [*states]), {}, bundle, moment)


def _stored(customers: int) -> list[Stored]:
    profiles: Profiles = fold(shop_events(customers))
    return [*zip(profiles.keys, encode(profiles), strict=True)]
