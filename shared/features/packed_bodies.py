"""Bodies of stored profiles as few bits, without a compressor: the form of short histories.

bits     the columns, as `bits` packs them
numbers  as varints: the three UNITS in one, the first time, number of categories, number of attributes, then those
         of the texts
texts
"""

from collections.abc import Sequence

import numpy as np

from shared.features.bits import pack, unpack
from shared.features.bodies import Bodies, Body, Layout, cut, demand, read_texts
from shared.features.stored_columns import COLUMNS, TIME, UNITS, Ints, Numbers
from shared.features.varint import decode_varints, encode_varints

_LEAD = 4
"""Numbers before those of the texts."""
_SIZES = [np.array(sizes) for sizes in UNITS.values()]
_STEPS = np.cumprod([1, *map(len, _SIZES)])
"""The choice of each unit is so many times its place in the one number for all."""
_TIME_AT = [column.name for column in COLUMNS].index(TIME)


def write_packed(bodies: Bodies) -> list[Body]:
    """The body of each profile [n_profiles], of at least one row each."""
    starts = np.cumsum(bodies.rows) - bodies.rows
    bits, bit_bytes = pack([_as_packed(at, bodies, starts) for at in range(len(COLUMNS))], bodies.rows)
    layout = Layout.following(np.full(len(starts), _LEAD), bodies.categories, bodies.attributes.counts)
    values = np.empty(layout.sizes.sum(), np.uint64)
    choices = [np.searchsorted(sizes, unit) for sizes, unit in zip(_SIZES, bodies.numbers.units, strict=True)]
    leads = (
        sum(choice * step for choice, step in zip(choices, _STEPS, strict=False)),
        bodies.numbers.columns[_TIME_AT][starts],
        bodies.categories,
        bodies.attributes.counts,
    )
    for i, lead in enumerate(leads):
        values[layout.starts + i] = lead
    for at, numbers in zip(layout.text_positions(), bodies.text_numbers(), strict=True):
        values[at] = numbers
    stream, ends = encode_varints(values)
    bounds = np.append(0, ends)[np.append(layout.starts, len(values))]
    parts = zip(cut(bits, bit_bytes), cut(stream, np.diff(bounds)), bodies.texts(), strict=True)
    return [Body(b"".join(own), True, False, len(own[-1])) for own in parts]


def read_packed(contents: Sequence[bytes], text_bytes: Ints, rows: Ints) -> Bodies:
    """What `write_packed` was given, of profiles with so many rows and bytes of texts [n_profiles each].

    Raises BrokenState, and IndexError where a body ends too early.
    """
    sizes = np.array(list(map(len, contents)))
    begins = np.cumsum(sizes) - sizes
    packed, ends = unpack(np.frombuffer(b"".join(contents), np.uint8), begins, rows, len(COLUMNS))
    firsts, lasts = (ends - begins).tolist(), (sizes - text_bytes).tolist()
    demand(ends - begins < sizes - text_bytes)
    numbers = [content[first:last] for content, first, last in zip(contents, firsts, lasts, strict=True)]
    values, starts = decode_varints(numbers)
    demand(np.diff(starts, append=len(values)) >= _LEAD)
    unit, first_time, categories, attributes = (values[starts + i].astype(np.int64) for i in range(_LEAD))
    layout = Layout(starts, np.full(len(starts), _LEAD), categories, attributes)
    layout.check(len(values))
    demand((unit >= 0) & (unit < _STEPS[-1]))
    units = [own[unit // step % len(own)] for own, step in zip(_SIZES, _STEPS, strict=False)]
    texts = [content[last:] for content, last in zip(contents, lasts, strict=True)]
    names, stored = read_texts(values, layout, texts)
    row_starts = np.cumsum(rows) - rows
    columns = [_from_packed(at, column, first_time, row_starts, rows) for at, column in enumerate(packed)]
    return Bodies(Numbers(units, columns), rows, names, categories, stored)


def _as_packed(at: int, bodies: Bodies, starts: Ints) -> Ints:
    """A column as it is packed: of one that goes on as it was, the bits that differ from the row before."""
    column = bodies.numbers.columns[at]
    if at == _TIME_AT:
        column = column.copy()
        column[starts] = 0
    if not COLUMNS[at].lasts:
        return column
    differing = column.copy()
    differing[1:] ^= column[:-1]
    differing[starts] = column[starts]
    return differing


def _from_packed(at: int, packed: Ints, first_time: Ints, starts: Ints, rows: Ints) -> Ints:
    if at == _TIME_AT:
        packed = packed.copy()
        packed[starts] = first_time
    if not COLUMNS[at].lasts:
        return packed
    running: Ints = np.bitwise_xor.accumulate(packed)
    running ^= np.repeat(running[starts] ^ packed[starts], rows)
    return running
