"""DuckDB's results as NumPy arrays, a batch at a time and without a Python object a value.

This reads the Arrow C stream interface (arrow.apache.org/docs/format/CStreamInterface.html), for which nothing but
`ctypes` is needed: pyarrow is too large for a function.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from copy import copy
from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_char_p, c_int, c_int64, c_void_p
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from shared.events.texts import Texts

if TYPE_CHECKING:
    import duckdb


class BrokenStream(ValueError):
    """The rows that follow cannot be read; the message says why."""


class _Array(Structure):
    """Of a batch, `children` are its columns; of a column, `buffers` are which values are there, and the values."""


_Array._fields_ = [
    ("length", c_int64),
    ("null_count", c_int64),
    ("offset", c_int64),
    ("n_buffers", c_int64),
    ("n_children", c_int64),
    ("buffers", POINTER(c_void_p)),
    ("children", POINTER(POINTER(_Array))),
    ("dictionary", c_void_p),
    ("release", CFUNCTYPE(None, POINTER(_Array))),
    ("private_data", c_void_p),
]


class _Stream(Structure):
    pass


_Stream._fields_ = [
    ("get_schema", c_void_p),
    ("get_next", CFUNCTYPE(c_int, POINTER(_Stream), POINTER(_Array))),
    ("get_last_error", CFUNCTYPE(c_char_p, POINTER(_Stream))),
    ("release", CFUNCTYPE(None, POINTER(_Stream))),
    ("private_data", c_void_p),
]

_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = c_void_p, [ctypes.py_object, c_char_p]


class Columns:
    """A batch of rows."""

    def __init__(self, array: _Array, names: list[str]) -> None:
        self._columns = {name: array.children[i].contents for i, name in enumerate(names)}
        self._first = 0
        self._n = int(array.length)

    def __len__(self) -> int:
        return self._n

    def part(self, first: int, last: int) -> Self:
        """The rows from one position up to another, which live as long as the batch."""
        part = copy(self)
        part._first, part._n = self._first + first, last - first
        return part

    def numbers(self, name: str, dtype: type[np.generic]) -> NDArray[Any]:
        """A column of numbers without NULLs, of which `dtype` is DuckDB's type [n]. It lives as long as the batch."""
        column = self._columns[name]
        begin = column.offset + self._first
        return _values(column.buffers[1], begin + self._n, dtype)[begin:]

    def texts(self, name: str) -> Texts:
        """A column of texts, as a copy; NULL counts as empty [n]."""
        column = self._columns[name]
        begin = column.offset + self._first
        bounds = _values(column.buffers[1], begin + self._n + 1, np.int64)[begin:]
        return Texts.joined(_values(column.buffers[2], int(bounds[-1]), np.uint8)[bounds[0] :], bounds - bounds[0])


def batches(result: duckdb.DuckDBPyRelation) -> Iterator[Columns]:
    """The rows of `result`, each batch to be used before the next is asked for. Raises BrokenStream.

    The database must have `arrow_large_buffer_size` set: positions in texts are then 64 bits wide.
    """
    names, capsule = result.columns, result.__arrow_c_stream__()
    stream = ctypes.cast(_pointer(capsule, b"arrow_array_stream"), POINTER(_Stream))
    try:
        while True:
            array = _Array()
            if stream.contents.get_next(stream, byref(array)):
                message = stream.contents.get_last_error(stream) or b"no more is known"
                raise BrokenStream(message.decode(errors="replace"))
            if not array.release:
                return
            try:
                yield Columns(array, names)
            finally:
                array.release(byref(array))
    finally:
        stream.contents.release(stream)


def _values(address: int | None, count: int, dtype: type[np.generic]) -> NDArray[Any]:
    if not count or not address:
        return np.zeros(count, dtype)
    size = np.dtype(dtype).itemsize * count
    return np.frombuffer((ctypes.c_char * size).from_address(address), dtype)
