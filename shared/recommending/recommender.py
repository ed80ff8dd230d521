"""All that recommendations are made of, as one document: numbers of fixed sizes behind a header, read in place."""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields
from math import isfinite
from typing import Annotated, Any, Self

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from shared.recommending.again import AGAIN
from shared.recommending.blend import Blend
from shared.recommending.discovery import NEW
from shared.recommending.products import FAVOURITES, MOST_PRODUCTS, NEIGHBOURS, NOWHERE, Products
from shared.recommending.trees import ALL, LEAVES, Trees
from shared.telemetry.errors import AnonymousError

MAGIC = b"tessera recommender 1\n"
"""The first bytes; the number goes up where older code could not read it."""
MOST_BYTES = 64_000_000
MOST_CATEGORIES = 10_000
MOST_SEGMENTS = 1_000
LONGEST_TEXT = 256
"""Bytes of a product's id, or name, or a category's name."""
MOST_KNOTS = 64
MOST_TREES = 1_000
_FLAGS = "available"
"""Of which any byte may stand in the document."""
_LENGTH = struct.Struct("<I")

type Count = Annotated[int, Meta(ge=0)]
type _Conditions = Annotated[
    list[Annotated[int, Meta(ge=0, le=ALL)]], Meta(min_length=LEAVES - 1, max_length=LEAVES - 1)
]
type Numbers = Annotated[list[float], Meta(min_length=1, max_length=MOST_KNOTS)]
type Names = Annotated[list[Annotated[str, Meta(max_length=LONGEST_TEXT)]], Meta(max_length=MOST_CATEGORIES)]


class NoRecommender(AnonymousError):
    """The bytes are no recommender that this code can use; the message says why and holds nothing of them."""


class _Blend(msgspec.Struct, frozen=True, tag="lines"):
    signals: list[str]
    knots: list[Numbers]
    values: list[Numbers]
    base: float


class _Trees(msgspec.Struct, frozen=True, tag="trees"):
    signals: list[str]
    signal: list[_Conditions]
    limit: list[Annotated[list[float | None], Meta(min_length=LEAVES - 1, max_length=LEAVES - 1)]]
    """None where a tree has no such condition."""
    kept: list[_Conditions]
    leaf: list[Annotated[list[float], Meta(min_length=LEAVES, max_length=LEAVES)]]
    base: float


class _Header(msgspec.Struct, frozen=True):
    recommender_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,127}$")]
    as_of_ms: Annotated[int, Meta(ge=0, lt=253_402_300_800_000)]
    horizon_days: Annotated[int, Meta(ge=1, le=3_650)]
    products: Annotated[int, Meta(ge=0, le=MOST_PRODUCTS)]
    category_names: Names
    segment_names: Names
    text_bytes: Count
    again: _Blend
    new: _Blend | _Trees
    model_version: Annotated[str, Meta(max_length=128)] | None = None


@dataclass(frozen=True)
class Recommender:
    """What a shop's recommendations are made of, as of an instant."""

    recommender_id: str
    as_of_ms: int
    horizon_days: int
    """Days within which the scores say how likely a product is bought."""
    products: Products
    ids: list[str]
    """Of the products, as the shop has them [n_products]."""
    names: list[str]
    """What to call them; empty where that is not known [n_products]."""
    category_names: list[str]
    """[n_categories]"""
    segment_names: list[str]
    """[n_segments]"""
    again: Blend
    new: Blend | Trees
    model_version: str | None = None
    """The bundle that decided the segments."""

    def title(self, place: int) -> str:
        """What to call a product."""
        return self.names[place] or self.ids[place]

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """The recommender in a document. Raises NoRecommender."""
        if len(content) > MOST_BYTES:
            raise NoRecommender(f"it has more than {MOST_BYTES:,} bytes")
        if not content.startswith(MAGIC) or len(content) < len(MAGIC) + _LENGTH.size:
            raise NoRecommender("it does not begin as a recommender of this release does")
        (length,) = _LENGTH.unpack_from(content, len(MAGIC))
        begin = len(MAGIC) + _LENGTH.size
        try:
            header = msgspec.json.decode(content[begin : begin + length], type=_Header)
        except msgspec.ValidationError as error:
            raise NoRecommender(f"its header is refused: {error}") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise NoRecommender("its header is not JSON") from None
        arrays, begin = _arrays(content, begin + length, header)
        texts = _texts(content[begin:], arrays.pop("text_sizes"), header)
        products = Products(**arrays)
        _check(products)
        return cls(
            recommender_id=header.recommender_id,
            as_of_ms=header.as_of_ms,
            horizon_days=header.horizon_days,
            products=products,
            ids=texts[: header.products],
            names=texts[header.products :],
            category_names=header.category_names,
            segment_names=header.segment_names,
            again=_blend(header.again, AGAIN),
            new=_blend(header.new, NEW) if isinstance(header.new, _Blend) else _trees(header.new, NEW),
            model_version=header.model_version,
        )

    def to_bytes(self) -> bytes:
        """The document: equal recommenders give equal bytes."""
        texts = [text.encode() for text in (*self.ids, *self.names)]
        header = _Header(
            recommender_id=self.recommender_id,
            as_of_ms=self.as_of_ms,
            horizon_days=self.horizon_days,
            products=len(self.products),
            category_names=self.category_names,
            segment_names=self.segment_names,
            text_bytes=sum(map(len, texts)),
            again=_stored(self.again, AGAIN),
            new=_stored(self.new, NEW) if isinstance(self.new, Blend) else _stored_trees(self.new, NEW),
            model_version=self.model_version,
        )
        encoded = msgspec.json.encode(header)
        arrays = {field.name: getattr(self.products, field.name) for field in fields(Products)}
        arrays["text_sizes"] = np.array([len(text) for text in texts], np.uint16)
        parts = [np.ascontiguousarray(arrays[name], dtype).tobytes() for name, (dtype, _) in _shapes(header).items()]
        return b"".join([MAGIC, _LENGTH.pack(len(encoded)), encoded, *parts, *texts])


def _shapes(header: _Header) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Type and shape of each array, in their order."""
    n, categories, segments = header.products, len(header.category_names), len(header.segment_names)
    return {
        "code": ("<u4", (n,)),
        "category": ("<u4", (n,)),
        "available": ("?", (n,)),
        **dict.fromkeys(("demand", "trend", "week", "age_days", "gap_days", "repeats", "price"), ("<f4", (n,))),
        "near": ("<i4", (n, NEIGHBOURS)),
        "alike": ("<f4", (n, NEIGHBOURS)),
        "categories": ("<u4", (categories,)),
        "of_category": ("<i4", (categories, FAVOURITES)),
        "of_all": ("<i4", (FAVOURITES,)),
        "segments": ("<i4", (segments,)),
        "of_segment": ("<i4", (segments, FAVOURITES)),
        "lift": ("<f4", (segments, FAVOURITES)),
        "text_sizes": ("<u2", (2 * n,)),
    }


def _arrays(content: bytes, begin: int, header: _Header) -> tuple[dict[str, NDArray[Any]], int]:
    """The arrays, which stand in `content` from a position on, and where they end."""
    shapes = {name: (np.dtype(kind), shape) for name, (kind, shape) in _shapes(header).items()}
    size = sum(kind.itemsize * int(np.prod(shape)) for kind, shape in shapes.values())
    if len(content) - begin != size + header.text_bytes:
        raise NoRecommender("it is not as long as its header says")
    arrays: dict[str, NDArray[Any]] = {}
    for name, (kind, shape) in shapes.items():
        count = int(np.prod(shape))
        raw = np.frombuffer(content, np.uint8 if name == _FLAGS else kind, count, begin).reshape(shape)
        arrays[name] = raw != 0 if name == _FLAGS else raw.copy()  # which begins where processors like it
        begin += kind.itemsize * count
    return arrays, begin


def _texts(content: bytes, sizes: NDArray[np.uint16], header: _Header) -> list[str]:
    ends = np.cumsum(sizes.astype(np.int64))
    if (int(ends[-1]) if len(ends) else 0) != header.text_bytes:
        raise NoRecommender("its texts are not as long as it says")
    try:
        return [content[end - size : end].decode() for end, size in zip(ends.tolist(), sizes.tolist(), strict=True)]
    except UnicodeDecodeError:
        raise NoRecommender("its texts are not UTF-8") from None


def _check(products: Products) -> None:
    """Raises NoRecommender where numbers are not what they are to be."""
    for name in ("code", "categories", "segments"):
        if (np.diff(getattr(products, name).astype(np.int64)) <= 0).any():
            raise NoRecommender(f"its {name} do not ascend")
    for name in ("near", "of_category", "of_all", "of_segment"):
        places = getattr(products, name)
        if ((places < NOWHERE) | (places >= len(products))).any():
            raise NoRecommender(f"its {name} are of products that it does not have")
    for name in ("demand", "trend", "week", "age_days", "gap_days", "repeats", "alike", "lift"):
        if not (np.abs(getattr(products, name)) < 1e6).all():
            raise NoRecommender(f"its {name} are not finite")
    if (products.age_days < 0).any() or (products.gap_days <= 0).any() or np.isinf(products.price).any():
        raise NoRecommender("its days or prices are impossible")


def _blend(stored: _Blend, signals: tuple[str, ...]) -> Blend:
    if tuple(stored.signals) != signals:
        raise NoRecommender("it was trained on other signals than this release knows: train it again")
    sizes = {len(line) for line in (*stored.knots, *stored.values)}
    if len(sizes) != 1 or not len(stored.knots) == len(stored.values) == len(signals):
        raise NoRecommender("its lines are not of one length")
    knots, values = np.array(stored.knots), np.array(stored.values)
    if not (np.abs([*knots.ravel(), *values.ravel(), stored.base]) < 1e9).all() or (np.diff(knots) < 0).any():
        raise NoRecommender("its lines are not defined")
    return Blend(knots, values, stored.base)


def _trees(stored: _Trees, signals: tuple[str, ...]) -> Trees:
    if tuple(stored.signals) != signals:
        raise NoRecommender("it was trained on other signals than this release knows: train it again")
    sizes = {len(stored.signal), len(stored.limit), len(stored.kept), len(stored.leaf)}
    if len(sizes) != 1 or not 1 <= max(sizes) <= MOST_TREES:
        raise NoRecommender("its trees are not whole")
    signal, kept, leaf = np.array(stored.signal), np.array(stored.kept), np.array(stored.leaf)
    limit = np.array([[np.inf if one is None else one for one in tree] for tree in stored.limit])
    if (signal >= len(signals)).any() or (kept > ALL).any() or not (np.abs([*leaf.ravel(), stored.base]) < 1e9).all():
        raise NoRecommender("its trees are not defined")
    return Trees(signal, limit, kept.astype(np.uint8), leaf, stored.base)


def _stored_trees(trees: Trees, signals: tuple[str, ...]) -> _Trees:
    limit = [[one if isfinite(one) else None for one in tree] for tree in trees.limit.tolist()]
    return _Trees([*signals], trees.signal.tolist(), limit, trees.kept.tolist(), trees.leaf.tolist(), trees.base)


def _stored(blend: Blend, signals: tuple[str, ...]) -> _Blend:
    return _Blend([*signals], blend.knots.tolist(), blend.values.tolist(), blend.base)
