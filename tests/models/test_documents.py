"""Whatever `labels.json`, `manifest.json` and `models/current.json` hold: it is used, or refused and said so."""

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.aws import fresh_object
from shared.clock import Moment
from shared.decisions.deciding import decide
from shared.decisions.decision import answer
from shared.models import live_bundle
from shared.models.bundle import Bundle, BundleMismatch
from shared.models.labels import ACTIONS, checked_labels, labelled, labels_key
from shared.models.live_bundle import LiveBundle
from shared.models.manifests import MANIFEST, Manifests, live_bundle_id
from shared.shapes import Misfit, Text, check, parsed
from tests.conftest import BUCKET
from tests.features.histories import folded
from tests.support.bundles import make_bundle, publish
from tests.support.event_files import purchase

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ONNX, ABOUT = make_bundle()
ABOUT["segments"][0] |= {"profile": {"tenure": 3.5, "orders_7d": None}, "actions": {"loyal": {"key": "dinner"}}}
ABOUT |= {"actions": {"dormant": {"key": "postcard", "title": "Card"}}, "reasons": {"sha256": "0" * 64}}
BUNDLE_ID = str(ABOUT["bundle_id"])
BUNDLE = Bundle.from_files(ONNX, ABOUT)
PROFILES = folded([purchase(f"c{n}", number=i, day=1 + i) for n in (1, 5, 12) for i in range(n)])
NOW_MS = 1_509_000_000_000

texts = st.one_of(
    st.text(max_size=5), st.sampled_from(["key", "name", "0", "2", "loyal", "\ud800", "é" * 1_001, "x" * 300])
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)
actions = st.one_of(
    values, st.dictionaries(st.sampled_from([*ACTIONS]), st.one_of(values, st.fixed_dictionaries({"key": texts})))
)
labels_of_segments = st.fixed_dictionaries(
    {}, optional={"name": texts, "id": values, "description": values, "actions": actions}
)
label_files = st.one_of(
    values,
    st.fixed_dictionaries(
        {},
        optional={
            "segments": st.one_of(
                values, st.dictionaries(st.sampled_from("012x"), st.one_of(labels_of_segments, values))
            ),
            "actions": actions,
            "labels": values,
        },
    ),
)
bodies = st.one_of(st.binary(max_size=40), label_files.map(lambda file: json.dumps(file).encode()))


def use(manifest: Any) -> None:
    """Everything that functions do with a manifest while they fold events and answer."""
    bundle = BUNDLE
    bundle.manifest = manifest
    for decision in decide(PROFILES, {}, bundle, Moment(NOW_MS, NOW_MS, horizon_days=7)).values():
        answered = answer("c1", decision, manifest)
        json.dumps(answered, allow_nan=False)
        msgspec.json.encode(answered)
        decision.action.encode()


@given(bodies)
@example(b'{"segments": []}')
@example(b"[" * 100_000)
@example(b'{"segments": {"0": ' * 50_000)
@example(b"1" * 5_000)
@example('{"segments": {"0": {"name": "Käufer"}}}'.encode("latin-1"))
@example('{"segments": {"0": {"name": "Käufer"}}}'.encode("utf-16"))
def test_labels_are_applied_or_ignored_as_a_whole_and_that_is_said(body: bytes) -> None:
    labels, problem = checked_labels(body)
    assert problem is None or not labels
    edited = labelled(ABOUT, labels)
    assert [segment["id"] for segment in edited["segments"]] == [0, 1, 2]
    check(edited, MANIFEST)
    use(edited)


@given(bodies)
def test_what_is_said_of_labels_holds_no_word_of_them(body: bytes) -> None:
    marked = body.replace(b'"', b'"secret ')
    assert "secret" not in (checked_labels(marked)[1] or "")


def spoilt(draw: st.DrawFn, document: Any) -> Any:
    """The document with something else in one place of it."""
    if not isinstance(document, dict | list) or not document or draw(st.integers(0, 3)) == 0:
        return draw(values)
    at = draw(st.sampled_from(sorted(document) if isinstance(document, dict) else range(len(document))))
    if isinstance(document, dict) and draw(st.integers(0, 4)) == 0:
        return {name: value for name, value in document.items() if name != at}
    document[at] = spoilt(draw, document[at])
    return document


@given(st.composite(lambda draw: spoilt(draw, deepcopy(ABOUT)))())
def test_a_manifest_is_refused_as_a_bundle_or_serves(manifest: Any) -> None:
    body = json.dumps(manifest).encode()
    try:
        bundle = Bundle.from_bytes(ONNX, body)
    except BundleMismatch:
        return
    use(bundle.manifest)


@given(
    st.one_of(
        st.binary(max_size=30),
        values.map(json.dumps).map(str.encode),
        texts.map(lambda t: json.dumps({"bundle_id": t}).encode()),
    )
)
def test_a_pointer_names_a_bundle_or_is_refused(pointer: bytes) -> None:
    try:
        bundle_id = live_bundle_id(pointer)
    except Misfit:
        return
    assert bundle_id.isascii() and "/" not in bundle_id and 0 < len(bundle_id) <= 128


@given(
    values,
    st.sampled_from([int, float, bool, Text(3), None, (float, None), [int], {"a": int}, {"a?": int}, {"*": bool}]),
)
def test_what_fits_a_shape_is_what_it_says(value: Any, shape: Any) -> None:
    try:
        check(value, shape)
    except Misfit:
        return
    kind: Any = {float: (int, float), (float, None): (int, float, type(None))}.get(
        shape if not isinstance(shape, dict | list) else None
    )
    if kind:
        assert isinstance(value, kind) and not isinstance(value, bool)
    elif isinstance(shape, dict):
        assert isinstance(value, dict)
    elif isinstance(shape, list):
        assert isinstance(value, list) and all(isinstance(one, int) for one in value)
    elif isinstance(shape, Text):
        assert len(value.encode()) <= 12


def test_a_misfit_says_where() -> None:
    messages = {
        b"{": "it is not JSON",
        b"{}": "it has no list",
        b'{"list": 1}': "list of it is not a list",
        b'{"list": [{"n": true}]}': "n of an entry of list of it is not a whole number",
        b'{"list": [], "more": {"x": "12"}}': "an entry of more of it is not a text of at most 1 characters or null",
    }
    for content, message in messages.items():
        with pytest.raises(Misfit, match=f"^{message}$"):
            parsed(content, {"list": [{"n": int}], "more?": {"*": (Text(1), None)}})


def put(s3: "S3Client", key: str, body: bytes) -> None:
    s3.put_object(Bucket=BUCKET, Key=key, Body=body)


def test_labels_that_were_mended_are_followed(s3: "S3Client") -> None:
    publish(s3, (ONNX, ABOUT))
    put(s3, labels_key(BUNDLE_ID), b'{"segments": []}')
    live = LiveBundle(s3, BUCKET)
    bundle = live.get(0)
    assert live.ignored
    put(s3, labels_key(BUNDLE_ID), b'{"segments": {"0": {"name": "New"}}}')
    assert live.get(15) is bundle and bundle and live.ignored is None
    assert bundle.manifest["segments"][0]["name"] == "New"


@pytest.mark.parametrize("name", ["models/current.json", f"models/{BUNDLE_ID}/manifest.json", labels_key(BUNDLE_ID)])
def test_a_document_that_is_too_large_is_never_read(s3: "S3Client", monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    publish(s3, (ONNX, ABOUT))
    put(s3, name, b'{"x": "' + b"y" * 90_000 + b'"}')
    monkeypatch.setattr(fresh_object, "MOST_BYTES", 80_000)
    monkeypatch.setattr(live_bundle, "MOST_BYTES", 80_000)
    live = LiveBundle(s3, BUCKET)
    bundle = live.get(0)
    assert live.problem or live.ignored
    assert (bundle is None) == (name != labels_key(BUNDLE_ID))
    manifests = Manifests(s3, BUCKET)
    assert bool(manifests.get(BUNDLE_ID, 0)) == ("manifest" not in name)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"bundle_id": 5}', b'{"bundle_id": "a/b"}', b"[" * 99_999, b"\xff"])
def test_answers_do_without_names_where_the_documents_are_broken(s3: "S3Client", body: bytes) -> None:
    publish(s3, (ONNX, ABOUT))
    put(s3, "models/current.json", body)
    manifests = Manifests(s3, BUCKET)
    assert manifests.live(0) == {}
    put(s3, f"models/{BUNDLE_ID}/manifest.json", body)
    assert manifests.get(BUNDLE_ID, 0) == {}
