"""Numbers of a model as people would write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MANY = 64
"""From how many values on all of them are looked at together sooner than one by one."""
_PLACES = 13
"""After the point, at most, of a float32 from `_LEAST` on: nine digits tell any of them."""
_LEAST, _MOST = 1e-4, 1e7
"""Within these, powers of ten and what is multiplied by them are exact, so that a division gives what reading gives."""


def shortest(values: NDArray[np.float32]) -> list[float]:
    """Each of `values` [n] in the fewest digits that are the same float32 still: 0.12, not 0.11999999731779099."""
    if len(values) < _MANY:
        return [float(str(value)) for value in values]
    wide = values.astype(np.float64)
    written = np.full(len(values), np.nan)
    size = np.abs(wide)
    left = np.flatnonzero((size == 0) | (size >= _LEAST) & (size < _MOST))
    for places in range(_PLACES + 1):
        rounded = np.rint(wide[left] * 10.0**places) / 10.0**places
        same = rounded.astype(np.float32) == values[left]
        written[left[same]] = rounded[same]
        left = left[~same]
    for i in np.flatnonzero(np.isnan(written)):
        written[i] = float(str(values[i]))
    return written.tolist()
