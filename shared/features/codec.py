"""Profiles to bytes and back, for many customers at once.

A profile is a header, its incompressible hashes, and a body in one of two forms, which `bodies` describes.

    header   version u8, flags u8, and the numbers of rows, ids, brands, products and bytes of texts, each in as many
             bytes as is flagged; before version 3 none of products, and u32 each
    hashes   fingerprints 5 bytes each, session and order ids u32 each, brands u32 each, products u32 each, if flagged a
             sketch's SKETCHED fingerprints
"""

import struct
import zlib
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.features.bodies import Bodies, Body, BrokenState, cut, demand
from shared.features.ordering import FINGERPRINT_BITS
from shared.features.packed_bodies import read_packed, write_packed
from shared.features.state import SKETCHED, Profiles
from shared.features.stored_attributes import attributes_from, attributes_of
from shared.features.stored_columns import COLUMNS, HASHED, NAMED, Dictionary, Ints, to_numbers, to_rows
from shared.features.varint_bodies import read_varints, write_varints

VERSION = COLUMNS[-1].since
"""Goes up with each column that is stored beside those before."""
_HEADERS = [struct.Struct(f"<BB5{size}") for size in "BHI"]
"""By how large the largest number in it is."""
_HEADER_BEFORE = struct.Struct("<BB4I")
_LAST_BEFORE = 2
"""The last version with a header of that form."""
_DEFLATED, _SKETCHED, _WIDTH_SHIFT, _PACKED = 1, 2, 2, 16
_WIDTH = 3 << _WIDTH_SHIFT
"""Which of the headers it is."""
_LONG = 128
"""Rows from which on both forms of a body are tried: below, bits take fewer bytes, or a few more and far less time."""
_ROWS_AT_ONCE = 32_768
"""Of profiles that are encoded at once: what is in between stays in the processor's cache."""
_ROW_BYTES, _BESIDE_BYTES = 256, 4_096
"""More than a body holds for each row, and beside rows and texts, however large its numbers are."""
_FINGERPRINT_BYTES = FINGERPRINT_BITS // 8
_HASH_BYTES = 4


class UnknownStateVersion(ValueError):
    """The bytes were written by a later version of the encoding, in a release that this code is older than.

    That is no fault of the bytes: they are kept as they are, and what was to be made of them waits for a release that
    reads them.
    """


class _Heads(NamedTuple):
    """The headers of profiles, field by field [n_profiles each]."""

    version: Ints
    flags: Ints
    rows: Ints
    ids: Ints
    brands: Ints
    products: Ints
    text_bytes: Ints
    size: Ints
    """Bytes of the header itself."""


@cache
def category_hash(name: str) -> int:
    """The value of `Rows.category` for a category's name; never 0, which means none."""
    return zlib.crc32(name.encode()) or 1


def encode(profiles: Profiles) -> list[bytes]:
    """One blob a profile [n_profiles]: equal profiles give equal bytes."""
    ends = np.searchsorted(profiles.starts, np.arange(_ROWS_AT_ONCE, len(profiles.rows), _ROWS_AT_ONCE), "right")
    bounds = np.unique([0, *ends.tolist(), len(profiles)]).tolist()
    return [blob for begin, end in pairwise(bounds) for blob in _encoded(profiles.part(begin, end))]


def _encoded(profiles: Profiles) -> list[bytes]:
    numbers, dictionaries = to_numbers(profiles.rows, profiles.starts)
    categories = dictionaries[NAMED]
    encoded = {code: name.encode() for code, name in profiles.category_names.items()}
    names = [encoded[code] for code in categories.values.tolist()]
    attributes = attributes_of(profiles)
    bodies = _bodies(Bodies(numbers, profiles.event_counts, names, categories.counts, attributes))
    listed = [dictionaries[name] for name in HASHED]
    counts = [profiles.event_counts, *(each.counts for each in listed)]
    parts = zip(_heads(counts, bodies), _hashes(profiles, listed), bodies, strict=True)
    blobs = [head + hashes + body.content for head, hashes, body in parts]
    for at, key in enumerate(profiles.keys) if profiles.sketches else ():
        if key in profiles.sketches:
            blobs[at] = _with_sketch(blobs[at], profiles.sketches[key], bodies[at])
    return blobs


def decode(keys: list[str], blobs: list[bytes]) -> Profiles:
    """The profiles behind `blobs`, whose keys must be sorted as in `Profiles`. One that is not whole spoils no other.

    Raises UnknownStateVersion and BrokenState.
    """
    if not blobs:
        return Profiles.empty()
    try:
        return _decoded(keys, blobs)
    except (zlib.error, struct.error, IndexError, UnicodeDecodeError) as error:
        raise BrokenState(f"a profile's state is broken: {error}") from error


def rows_in(blob: bytes) -> int:
    """How many events a profile's state holds, without decoding it; of broken bytes, no more than fit into them."""
    width = 4 if blob[:1] <= bytes([_LAST_BEFORE]) else 1 << ((blob[1] if len(blob) > 1 else 0) >> _WIDTH_SHIFT & 3)
    return min(int.from_bytes(blob[2 : 2 + width], "little"), len(blob) // _FINGERPRINT_BYTES)


# ---- To bytes --------------------------------------------------------------------------------------------------------


def _hashes(profiles: Profiles, listed: Sequence[Dictionary]) -> list[bytes]:
    """The fingerprints of each profile, and what is in its dictionaries [n_profiles]."""
    parts = [cut(_fingerprint_bytes(profiles.rows.fingerprint), _FINGERPRINT_BYTES * profiles.event_counts)]
    parts += [cut(each.values.astype("<u4").tobytes(), _HASH_BYTES * each.counts) for each in listed]
    return list(map(b"".join, zip(*parts, strict=True)))


def _bodies(bodies: Bodies) -> list[Body]:
    """The body of each profile [n_profiles]: of a long one in the form that takes fewer bytes."""
    written = write_packed(bodies)
    long = np.flatnonzero(bodies.rows >= _LONG)
    if len(long):
        for at, other in zip(long.tolist(), write_varints(bodies.take(long)), strict=True):
            written[at] = min(written[at], other, key=lambda body: len(body.content))
    return written


def _heads(counts: Sequence[Ints], bodies: Sequence[Body]) -> list[bytes]:
    numbers = np.column_stack([*counts, [body.text_bytes for body in bodies]])
    width = (numbers.max(axis=1) >= [[1 << 8], [1 << 16]]).sum(axis=0)
    flags = width << _WIDTH_SHIFT
    flags += [body.deflated * _DEFLATED + body.packed * _PACKED for body in bodies]
    table = zip(width.tolist(), flags.tolist(), numbers.tolist(), strict=True)
    return [_HEADERS[which].pack(VERSION, flag, *own) for which, flag, own in table]


def _with_sketch(blob: bytes, sketch: NDArray[np.uint64], body: Body) -> bytes:
    """The blob with the sketch before its body, and flagged so."""
    before = len(blob) - len(body.content)
    flags = bytes([blob[1] | _SKETCHED])
    return b"".join([blob[:1], flags, blob[2:before], _fingerprint_bytes(sketch), body.content])


# ---- From bytes ------------------------------------------------------------------------------------------------------


def _decoded(keys: list[str], blobs: list[bytes]) -> Profiles:
    heads = _Heads(*np.array([_header(blob) for blob in blobs], np.int64).T)
    (fingerprints, *hashes, sketches), begins = _split_hashes(heads, blobs)
    largest = _ROW_BYTES * heads.rows + _BESIDE_BYTES + heads.text_bytes
    contents = [
        _inflated(blob[begin:], most) if flags & _DEFLATED else blob[begin:]
        for blob, begin, flags, most in zip(blobs, begins, heads.flags.tolist(), largest.tolist(), strict=True)
    ]
    bodies = _read_bodies(contents, heads)
    distinct = {name: name.decode() for name in sorted({*bodies.names}, reverse=True)}
    codes = {name: category_hash(text) for name, text in distinct.items()}
    dictionaries = {
        name: Dictionary(np.frombuffer(b"".join(parts), "<u4"), getattr(heads, name))
        for name, parts in zip(HASHED, hashes, strict=True)
    }
    named = np.array([codes[name] for name in bodies.names], np.uint32)
    dictionaries[NAMED] = Dictionary(named, bodies.categories)
    starts = np.concatenate(([0], np.cumsum(heads.rows)))
    rows = to_rows(bodies.numbers, dictionaries, _fingerprints(b"".join(fingerprints)), starts)
    category_names = {codes[name]: text for name, text in distinct.items()}  # of two with one code the smaller
    known = {key: _fingerprints(sketch) for key, sketch in zip(keys, sketches, strict=True) if sketch}
    attributes = attributes_from(bodies.attributes, rows.time_ms, starts)
    return Profiles(keys, starts, rows, category_names, known, attributes)


def _inflated(packed: bytes, most: int) -> bytes:
    inflater = zlib.decompressobj(wbits=-15)
    body = inflater.decompress(packed, most)
    if not inflater.eof:
        raise BrokenState("a profile's state is broken: it ends too early, or expands too far")
    return body


def _header(blob: bytes) -> tuple[int, ...]:
    if not 1 <= blob[0] <= VERSION:
        raise UnknownStateVersion(f"profile state of version {blob[0]}, but this code reads versions up to {VERSION}")
    if blob[0] <= _LAST_BEFORE:
        *numbers, text_bytes = _HEADER_BEFORE.unpack_from(blob)
        return *numbers, 0, text_bytes, _HEADER_BEFORE.size
    width = (blob[1] & _WIDTH) >> _WIDTH_SHIFT
    header = _HEADERS[width]
    return *header.unpack_from(blob), header.size


def _read_bodies(contents: list[bytes], heads: _Heads) -> Bodies:
    is_packed = (heads.flags & _PACKED > 0) & (heads.version > _LAST_BEFORE)
    packed, others = np.flatnonzero(is_packed), np.flatnonzero(~is_packed)
    parts = []
    if len(packed):
        own = contents if not len(others) else [contents[at] for at in packed.tolist()]
        parts.append(read_packed(own, heads.text_bytes[packed], heads.rows[packed]))
    if len(others):
        own = contents if not len(packed) else [contents[at] for at in others.tolist()]
        parts.append(read_varints(own, heads.text_bytes[others], heads.version[others], heads.rows[others]))
    if len(parts) == 1:
        return parts[0]
    return parts[0].followed_by(parts[1]).take(np.argsort(np.concatenate((packed, others))))


def _split_hashes(heads: _Heads, blobs: list[bytes]) -> tuple[list[list[bytes]], list[int]]:
    """Fingerprints, dictionaries and sketches of all profiles, a list each, and where in each blob its body begins."""
    sketch_bytes = np.where(heads.flags & _SKETCHED, _FINGERPRINT_BYTES * SKETCHED, 0)
    listed = [_HASH_BYTES * getattr(heads, name) for name in HASHED]
    ends = np.cumsum([heads.size, _FINGERPRINT_BYTES * heads.rows, *listed, sketch_bytes], axis=0)
    demand(ends[-1] <= np.array(list(map(len, blobs))))
    bounds = ends.tolist()
    hashes = [
        [blob[begin:end] for blob, begin, end in zip(blobs, begins, ends, strict=True)]
        for begins, ends in pairwise(bounds)
    ]
    return hashes, bounds[-1]


# ---- Both ways -------------------------------------------------------------------------------------------------------


def _fingerprint_bytes(fingerprints: NDArray[np.uint64]) -> bytes:
    return fingerprints.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :_FINGERPRINT_BYTES].tobytes()


def _fingerprints(joined: bytes) -> NDArray[np.uint64]:
    raw = np.zeros((len(joined) // _FINGERPRINT_BYTES, 8), np.uint8)
    raw[:, :_FINGERPRINT_BYTES] = np.frombuffer(joined, np.uint8).reshape(-1, _FINGERPRINT_BYTES)
    return raw.view("<u8").ravel().astype(np.uint64)
