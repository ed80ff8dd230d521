"""Profiles to bytes and back, for many customers at once.

A profile is a fixed header, its incompressible hashes, and a deflated body of varints, column after column: times as
differences, sessions and orders as positions in a small dictionary, amounts in the coarsest exact unit.

    header   version u8, flags u8, rows u32, ids u32, brands u32, bytes of category names u32
    hashes   fingerprints 5 bytes each, session and order ids u32 each, brands u32 each, if flagged a sketch's SKETCHED
             fingerprints
    body     3 units, number of categories, 11 columns of `rows` values, lengths of the category names, then the names

Version 1 had no channels, and 10 columns.
"""

import struct
import zlib
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shared.features.columns import Rows
from shared.features.state import FINGERPRINT_BITS, SKETCHED, Profiles
from shared.features.varint import decode_varints, encode_varints, unzigzag, zigzag

VERSION = 2
_HEADER = struct.Struct("<BBIIII")
_DEFLATED, _SKETCHED = 1, 2
_FINGERPRINT_BYTES = FINGERPRINT_BITS // 8
_TIME_UNITS = (1, 1_000, 60_000)
_MONEY_UNITS = (1, 100, 10_000)
_COLUMNS = {1: 10, 2: 11}
"""By version, how many columns the body has."""
_LEAD = 4
_LONG = 1_000
"""Rows from which on each column is worth a table of codes of its own: up to 4 % fewer bytes."""

type Ints = NDArray[np.int64]


class UnknownStateVersion(ValueError):
    """The bytes were written by a later version of the encoding, in a release that this code is older than.

    That is no fault of the bytes: they are kept as they are, and what was to be made of them waits for a release that
    reads them.
    """


class BrokenState(ValueError):
    """The bytes are none that this encoding wrote."""


@cache
def category_hash(name: str) -> int:
    """The value of `Rows.category` for a category's name; never 0, which means none."""
    return zlib.crc32(name.encode()) or 1


def encode(profiles: Profiles) -> list[bytes]:
    """One blob a profile [n_profiles]: equal profiles give equal bytes."""
    if not len(profiles):
        return []
    rows, starts, counts, owner = profiles.rows, profiles.starts, profiles.event_counts, profiles.owner
    id_values, id_counts, (session, order) = _dictionary(owner, len(profiles), rows.session, rows.order)
    brand_values, brand_counts, (brand,) = _dictionary(owner, len(profiles), rows.brand)
    categories, category_counts, (category,) = _dictionary(owner, len(profiles), rows.category)
    encoded = {code: name.encode() for code, name in profiles.category_names.items()}
    names = [encoded[code] for code in categories.tolist()]

    time_unit = _coarsest_unit(_TIME_UNITS, starts, rows.time_ms)
    money_unit = _coarsest_unit(_MONEY_UNITS, starts, rows.net, rows.discount)
    engagement_unit = _coarsest_unit(_TIME_UNITS, starts, rows.engagement_ms)
    columns = [
        _differences(rows.time_ms // time_unit[owner], starts),
        rows.kind,
        zigzag(_differences(session, starts)),
        zigzag(order - session),
        category,
        brand,
        rows.net // money_unit[owner],
        rows.discount // money_unit[owner],
        rows.engagement_ms // engagement_unit[owner],
        rows.device,
        rows.channel,
    ]
    lead = np.column_stack([time_unit, money_unit, engagement_unit, category_counts]).astype(np.uint64)
    name_lengths = np.array([len(name) for name in names], np.uint64)

    # Every value of every profile in one array, profile by profile, so that one call encodes them all.
    sizes = _LEAD + len(columns) * counts + category_counts
    value_starts = np.concatenate(([0], np.cumsum(sizes)))
    values = np.empty(value_starts[-1], np.uint64)
    values[value_starts[:-1, None] + np.arange(_LEAD)] = lead
    row_at, row_count = _positions(value_starts[:-1] + _LEAD, counts), counts[owner]
    for i, column in enumerate(columns):
        values[row_at + i * row_count] = column
    values[_positions(value_starts[:-1] + _LEAD + len(columns) * counts, category_counts)] = name_lengths
    stream, byte_ends = encode_varints(values)

    byte_starts = np.concatenate(([0], byte_ends))
    cuts = np.column_stack([byte_starts[value_starts[:-1]], byte_starts[value_starts[1:]]]).tolist()
    for long in np.flatnonzero(counts >= _LONG):
        column_ends = value_starts[long] + _LEAD + counts[long] * np.arange(1, len(columns))
        cuts[long][1:1] = byte_starts[column_ends].tolist()
    fingerprints = _fingerprint_bytes(rows.fingerprint)
    ids, brands = id_values.astype("<u4").tobytes(), brand_values.astype("<u4").tobytes()
    return [
        _blob(
            int(counts[i]),
            fingerprints[_FINGERPRINT_BYTES * starts[i] : _FINGERPRINT_BYTES * starts[i + 1]],
            ids[4 * id_lo : 4 * id_hi],
            brands[4 * brand_lo : 4 * brand_hi],
            _fingerprint_bytes(profiles.sketches[key]) if key in profiles.sketches else b"",
            [stream[begin:end] for begin, end in pairwise(cuts[i])],
            b"".join(names[name_lo:name_hi]),
        )
        for i, (key, id_lo, id_hi, brand_lo, brand_hi, name_lo, name_hi) in enumerate(
            zip(profiles.keys, *_bounds(id_counts), *_bounds(brand_counts), *_bounds(category_counts), strict=True)
        )
    ]


def decode(keys: list[str], blobs: list[bytes]) -> Profiles:
    """The profiles behind `blobs`, whose keys must be sorted as in `Profiles`. One that is not whole spoils no other.

    Raises UnknownStateVersion and BrokenState.
    """
    if not blobs:
        return Profiles.empty()
    try:
        return _decoded(keys, blobs)
    except (zlib.error, struct.error, IndexError, KeyError, UnicodeDecodeError) as error:
        raise BrokenState(f"a profile's state is broken: {error}") from error


def rows_in(blob: bytes) -> int:
    """How many events a profile's state holds, without decoding it; of broken bytes, no more than fit into them."""
    return min(int.from_bytes(blob[2:6], "little"), len(blob) // _FINGERPRINT_BYTES)


def _decoded(keys: list[str], blobs: list[bytes]) -> Profiles:
    heads = np.array([_header(blob) for blob in blobs], np.int64)
    counts, id_counts, brand_counts, name_bytes = heads[:, 2:].T
    flags = heads[:, 1]
    sketch_bytes = np.where(flags & _SKETCHED, _FINGERPRINT_BYTES * SKETCHED, 0)
    hash_bytes = np.column_stack([_FINGERPRINT_BYTES * counts, 4 * id_counts, 4 * brand_counts, sketch_bytes])
    fingerprint_end, id_end, brand_end, sketch_end = (_HEADER.size + np.cumsum(hash_bytes, axis=1)).T.tolist()
    _demand(np.array(sketch_end) <= np.array(list(map(len, blobs))))
    starts = np.concatenate(([0], np.cumsum(counts)))
    owner = np.repeat(np.arange(len(keys)), counts)
    fingerprints = b"".join(b[_HEADER.size : end] for b, end in zip(blobs, fingerprint_end, strict=True))
    ids = b"".join(b[lo:hi] for b, lo, hi in zip(blobs, fingerprint_end, id_end, strict=True))
    brands = b"".join(b[lo:hi] for b, lo, hi in zip(blobs, id_end, brand_end, strict=True))
    sketches = {
        keys[i]: _fingerprints(blobs[i][brand_end[i] : sketch_end[i]]) for i in np.flatnonzero(flags & _SKETCHED)
    }
    bodies = [
        zlib.decompress(b[lo:], wbits=-15) if deflated else b[lo:]
        for b, lo, deflated in zip(blobs, sketch_end, (flags & _DEFLATED).tolist(), strict=True)
    ]
    value_ends = [len(body) - size for body, size in zip(bodies, name_bytes.tolist(), strict=True)]
    _demand(np.array(value_ends) > 0)
    values, value_starts = decode_varints([body[:end] for body, end in zip(bodies, value_ends, strict=True)])
    value_counts = np.diff(value_starts, append=len(values))
    _demand(value_counts >= _LEAD)

    lead = values[value_starts[:, None] + np.arange(_LEAD)].astype(np.int64)
    time_unit, money_unit, engagement_unit, category_counts = lead.T
    row_at, row_count = _positions(value_starts + _LEAD, counts), counts[owner]
    written = np.array([_COLUMNS[version] for version in heads[:, 0].tolist()])
    _demand(value_counts == _LEAD + written * counts + category_counts)
    column = [values[row_at + i * row_count].astype(np.int64) for i in range(min(_COLUMNS.values()))]
    channel, known = np.zeros(len(owner), np.uint8), np.flatnonzero(written[owner] > len(column))
    channel[known] = values[(row_at + len(column) * row_count)[known]]
    name_lengths = values[_positions(value_starts + _LEAD + written * counts, category_counts)].astype(np.int64)
    name_owner = np.repeat(np.arange(len(keys)), category_counts)
    _demand(np.bincount(name_owner, name_lengths, minlength=len(keys)) == name_bytes)
    names = _split(b"".join(b[end:] for b, end in zip(bodies, value_ends, strict=True)), name_lengths)

    session = _running_sum(unzigzag(column[2]), starts)
    id_values, brand_values = np.frombuffer(ids, "<u4"), np.frombuffer(brands, "<u4")
    codes = np.array([category_hash(name) for name in names], np.uint32)
    rows = Rows(
        time_ms=_running_sum(column[0], starts) * time_unit[owner],
        kind=column[1].astype(np.uint8),
        fingerprint=_fingerprints(fingerprints),
        session=_look_up(id_values, id_counts, owner, session),
        order=_look_up(id_values, id_counts, owner, session + unzigzag(column[3])),
        category=_look_up(codes, category_counts, owner, column[4]),
        brand=_look_up(brand_values, brand_counts, owner, column[5]),
        net=column[6] * money_unit[owner],
        discount=column[7] * money_unit[owner],
        engagement_ms=column[8] * engagement_unit[owner],
        device=column[9].astype(np.uint8),
        channel=channel,
    )
    return Profiles(keys, starts, rows, dict(zip(codes.tolist(), names, strict=True)), sketches)


def _demand(whole: NDArray[np.bool_]) -> None:
    if not whole.all():
        raise BrokenState("a profile's state is broken: its parts are not as long as it says")


def _header(blob: bytes) -> tuple[int, ...]:
    if blob[0] not in _COLUMNS:
        raise UnknownStateVersion(f"profile state of version {blob[0]}, but this code reads versions up to {VERSION}")
    return _HEADER.unpack_from(blob)


def _blob(
    rows: int, fingerprints: bytes, ids: bytes, brands: bytes, sketch: bytes, values: list[bytes], names: bytes
) -> bytes:
    body = b"".join([*values, names])
    deflated = _deflated([*values[:-1], values[-1] + names])
    smaller = len(deflated) < len(body)
    flags = (_DEFLATED if smaller else 0) | (_SKETCHED if sketch else 0)
    head = _HEADER.pack(VERSION, flags, rows, len(ids) // 4, len(brands) // 4, len(names))
    return head + fingerprints + ids + brands + sketch + (deflated if smaller else body)


def _deflated(parts: list[bytes]) -> bytes:
    """The parts as one stream, in which each has its own table of codes."""
    deflate = zlib.compressobj(level=6, wbits=-15)
    out = [deflate.compress(parts[0])]
    for part in parts[1:]:
        out += [deflate.flush(zlib.Z_SYNC_FLUSH), deflate.compress(part)]
    return b"".join([*out, deflate.flush()])


def _fingerprint_bytes(fingerprints: NDArray[np.uint64]) -> bytes:
    return fingerprints.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :_FINGERPRINT_BYTES].tobytes()


def _fingerprints(joined: bytes) -> NDArray[np.uint64]:
    raw = np.zeros((len(joined) // _FINGERPRINT_BYTES, 8), np.uint8)
    raw[:, :_FINGERPRINT_BYTES] = np.frombuffer(joined, np.uint8).reshape(-1, _FINGERPRINT_BYTES)
    return raw.view("<u8").ravel().astype(np.uint64)


def _dictionary(owner: Ints, n_profiles: int, *columns: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], Ints, Ints]:
    """Values of each profile in order of first appearance, how many a profile has, and 1 + the position of each
    row's value among them, 0 for none [n_columns, n_rows]."""
    values = np.column_stack(columns).ravel().astype(np.uint64)
    owners = np.repeat(owner, len(columns)).astype(np.uint64)
    used = np.flatnonzero(values)
    pairs, first, inverse = np.unique(
        owners[used] << np.uint64(32) | values[used], return_index=True, return_inverse=True
    )
    by_appearance = np.argsort(first)
    pairs = pairs[by_appearance]
    counts = np.bincount((pairs >> np.uint64(32)).astype(np.int64), minlength=n_profiles)
    starts = np.concatenate(([0], np.cumsum(counts)))
    position = np.empty(len(pairs), np.int64)
    position[by_appearance] = np.arange(len(pairs))
    codes = np.zeros(len(values), np.int64)
    codes[used] = 1 + position[inverse] - starts[owners[used].astype(np.int64)]
    return (pairs & np.uint64(0xFFFFFFFF)).astype(np.uint32), counts, codes.reshape(-1, len(columns)).T


def _look_up(values: NDArray[np.uint32], counts: Ints, owner: Ints, codes: Ints) -> NDArray[np.uint32]:
    starts = np.cumsum(counts) - counts
    padded = np.concatenate((np.zeros(1, np.uint32), values))
    return padded[np.where(codes > 0, starts[owner] + codes, 0)]


def _coarsest_unit(units: tuple[int, ...], starts: Ints, *columns: Ints) -> Ints:
    """The largest of `units` that divides all of a profile's values in all `columns` [n_profiles]."""
    best = np.full(len(starts) - 1, units[0], np.int64)
    for unit in units[1:]:
        remainders = np.logical_or.reduce([column % unit != 0 for column in columns])
        best[~np.logical_or.reduceat(remainders, starts[:-1])] = unit
    return best


def _differences(column: Ints, starts: Ints) -> Ints:
    """Each value less the one before it in the same profile; the first stands as it is."""
    out = np.diff(column, prepend=0)
    out[starts[:-1]] = column[starts[:-1]]
    return out


def _running_sum(column: Ints, starts: Ints) -> Ints:
    total = np.cumsum(column)
    before = total[starts[:-1]] - column[starts[:-1]]
    return total - np.repeat(before, np.diff(starts))


def _positions(begins: Ints, counts: Ints) -> Ints:
    """begins[i], begins[i] + 1, … counts[i] of them, for every i in turn."""
    offsets = np.cumsum(counts) - counts
    return np.repeat(begins - offsets, counts) + np.arange(counts.sum())


def _bounds(counts: Ints) -> tuple[list[int], list[int]]:
    ends = np.cumsum(counts)
    return (ends - counts).tolist(), ends.tolist()


def _split(joined: bytes, lengths: Ints) -> list[str]:
    return [joined[begin:end].decode() for begin, end in zip(*_bounds(lengths), strict=True)]
