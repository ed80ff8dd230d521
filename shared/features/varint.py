"""Variable-length integers (LEB128: seven bits a byte, low bits first), encoded and decoded by the array."""

import numpy as np
from numpy.typing import NDArray

_MOST_BYTES = 10


def zigzag(values: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Signed to unsigned, small magnitudes to small numbers: 0, -1, 1, -2 … become 0, 1, 2, 3 …"""
    return ((values << 1) ^ (values >> 63)).astype(np.uint64)


def unzigzag(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The inverse of `zigzag` for magnitudes below 2**62."""
    return (values >> 1) ^ -(values & 1)


def encode_varints(values: NDArray[np.uint64]) -> tuple[bytes, NDArray[np.int64]]:
    """The bytes of all `values` [n] in a row, and the position at which each one's bytes end [n]."""
    sizes = np.ones(len(values), np.int64)
    for i in range(1, _MOST_BYTES):
        longer = values >= np.uint64(1) << np.uint64(7 * i)
        if not longer.any():
            break
        sizes += longer
    ends = np.cumsum(sizes)
    out = np.empty(ends[-1] if len(ends) else 0, np.uint8)
    begins, left = ends - sizes, np.arange(len(values))
    for i in range(_MOST_BYTES):
        more = sizes[left] > i + 1
        out[begins[left] + i] = (values[left] >> np.uint64(7 * i)) & np.uint64(0x7F) | more.astype(
            np.uint64
        ) << np.uint64(7)
        left = left[more]
        if not len(left):
            break
    return out.tobytes(), ends


def decode_varints(parts: list[bytes]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """All values of all `parts` in a row, and the position of the first value of each part [n_parts]."""
    stream = np.frombuffer(b"".join(parts), np.uint8)
    last = stream < 0x80
    ends = np.flatnonzero(last)
    begins = np.concatenate(([0], ends[:-1] + 1)) if len(ends) else ends
    sizes = ends - begins + 1
    values, left = np.zeros(len(ends), np.uint64), np.arange(len(ends))
    for i in range(_MOST_BYTES):
        values[left] |= (stream[begins[left] + i] & np.uint8(0x7F)).astype(np.uint64) << np.uint64(7 * i)
        left = left[sizes[left] > i + 1]
        if not len(left):
            break
    bytes_before = np.cumsum([0, *map(len, parts[:-1])])
    return values, np.concatenate(([0], np.cumsum(last)))[bytes_before]
