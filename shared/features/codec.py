"""Profiles to bytes and back, for many customers at once.

A profile is a fixed header, its incompressible hashes, and a deflated body of varints, column after column, as
`stored_columns` lists them.

    header   version u8, flags u8, rows u32, ids u32, brands u32, bytes of category names u32
    hashes   fingerprints 5 bytes each, session and order ids u32 each, brands u32 each, if flagged a sketch's SKETCHED
             fingerprints
    body     UNITS, number of categories, COLUMNS of `rows` values each, lengths of the category names, then the names
"""

import struct
import zlib
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.features.bodies import Bodies, Body, BrokenState, cut, demand, read_bodies, write_bodies
from shared.features.state import FINGERPRINT_BITS, SKETCHED, Profiles
from shared.features.stored_columns import COLUMNS, Dictionary, Ints, to_numbers, to_rows

VERSION = COLUMNS[-1].since
"""Goes up with each column that is stored beside those before."""
_HEADER = struct.Struct("<BBIIII")
_DEFLATED, _SKETCHED = 1, 2
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
    name_bytes: Ints


class _Hashes(NamedTuple):
    """The incompressible parts of a profile, in their order."""

    fingerprints: bytes
    ids: bytes
    brands: bytes
    sketch: bytes


@cache
def category_hash(name: str) -> int:
    """The value of `Rows.category` for a category's name; never 0, which means none."""
    return zlib.crc32(name.encode()) or 1


def encode(profiles: Profiles) -> list[bytes]:
    """One blob a profile [n_profiles]: equal profiles give equal bytes."""
    if not len(profiles):
        return []
    numbers, dictionaries = to_numbers(profiles.rows, profiles.starts)
    categories = dictionaries["categories"]
    encoded = {code: name.encode() for code, name in profiles.category_names.items()}
    names = [encoded[code] for code in categories.values.tolist()]
    bodies = write_bodies(Bodies(numbers, profiles.event_counts, names, categories.counts))
    return [_blob(*parts) for parts in zip(_hashes(profiles, dictionaries), bodies, strict=True)]


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
    return min(int.from_bytes(blob[2:6], "little"), len(blob) // _FINGERPRINT_BYTES)


# ---- To bytes --------------------------------------------------------------------------------------------------------


def _hashes(profiles: Profiles, dictionaries: Mapping[str, Dictionary]) -> list[_Hashes]:
    fingerprints = cut(_fingerprint_bytes(profiles.rows.fingerprint), _FINGERPRINT_BYTES * profiles.event_counts)
    ids, brands = (
        cut(dictionaries[name].values.astype("<u4").tobytes(), _HASH_BYTES * dictionaries[name].counts)
        for name in ("ids", "brands")
    )
    sketches = [
        _fingerprint_bytes(profiles.sketches[key]) if key in profiles.sketches else b"" for key in profiles.keys
    ]
    return list(map(_Hashes, fingerprints, ids, brands, sketches))


def _blob(hashes: _Hashes, body: Body) -> bytes:
    flags = (_DEFLATED if body.deflated else 0) | (_SKETCHED if hashes.sketch else 0)
    rows = len(hashes.fingerprints) // _FINGERPRINT_BYTES
    ids, brands = len(hashes.ids) // _HASH_BYTES, len(hashes.brands) // _HASH_BYTES
    head = _HEADER.pack(VERSION, flags, rows, ids, brands, body.name_bytes)
    return b"".join([head, *hashes, body.content])


# ---- From bytes ------------------------------------------------------------------------------------------------------


def _decoded(keys: list[str], blobs: list[bytes]) -> Profiles:
    heads = _Heads(*np.array([_header(blob) for blob in blobs], np.int64).T)
    (fingerprints, ids, brands, sketches), begins = _split_hashes(heads, blobs)
    inflated = [
        zlib.decompress(blob[begin:], wbits=-15) if flags & _DEFLATED else blob[begin:]
        for blob, begin, flags in zip(blobs, begins, heads.flags.tolist(), strict=True)
    ]
    bodies = read_bodies(inflated, heads.name_bytes, heads.version, heads.rows)
    distinct = {name: name.decode() for name in sorted({*bodies.names}, reverse=True)}
    codes = {name: category_hash(text) for name, text in distinct.items()}
    dictionaries = {
        "ids": Dictionary(np.frombuffer(b"".join(ids), "<u4"), heads.ids),
        "brands": Dictionary(np.frombuffer(b"".join(brands), "<u4"), heads.brands),
        "categories": Dictionary(np.array([codes[name] for name in bodies.names], np.uint32), bodies.categories),
    }
    starts = np.concatenate(([0], np.cumsum(heads.rows)))
    rows = to_rows(bodies.numbers, dictionaries, _fingerprints(b"".join(fingerprints)), starts)
    category_names = {codes[name]: text for name, text in distinct.items()}  # of two with one code the smaller
    known = {key: _fingerprints(sketch) for key, sketch in zip(keys, sketches, strict=True) if sketch}
    return Profiles(keys, starts, rows, category_names, known)


def _header(blob: bytes) -> tuple[int, ...]:
    if not 1 <= blob[0] <= VERSION:
        raise UnknownStateVersion(f"profile state of version {blob[0]}, but this code reads versions up to {VERSION}")
    return _HEADER.unpack_from(blob)


def _split_hashes(heads: _Heads, blobs: list[bytes]) -> tuple[list[list[bytes]], list[int]]:
    """The hashes of all profiles, a list for each field of `_Hashes`, and where in each blob its body begins."""
    sketch_bytes = np.where(heads.flags & _SKETCHED, _FINGERPRINT_BYTES * SKETCHED, 0)
    sizes = [_FINGERPRINT_BYTES * heads.rows, _HASH_BYTES * heads.ids, _HASH_BYTES * heads.brands, sketch_bytes]
    ends = _HEADER.size + np.cumsum([np.zeros(len(blobs), np.int64), *sizes], axis=0)
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
