"""Bodies as few bits: they come back, and one that is not as long as it says is refused."""

import numpy as np
import pytest

from bench.shop import shop_events
from shared.features import fold
from shared.features.bodies import Bodies, BrokenState
from shared.features.packed_bodies import read_packed, write_packed
from shared.features.stored_attributes import attributes_of
from shared.features.stored_columns import NAMED, to_numbers
from shared.features.varint_bodies import write_varints
from tests.features.stored_bodies import ROWS, bodies, plain, short


def test_bodies_come_back() -> None:
    for written, rows in ((bodies(), ROWS), (short(), np.array([1]))):
        kept = write_packed(written)
        assert {(body.packed, body.deflated) for body in kept} == {(True, False)}
        read = read_packed([body.content for body in kept], np.array([body.text_bytes for body in kept]), rows)
        assert plain(read) == plain(written)


def test_bodies_of_a_shop_take_fewer_bytes_than_as_varints() -> None:
    shop = fold(shop_events(100))
    numbers, dictionaries = to_numbers(shop.rows, shop.starts)
    categories = dictionaries[NAMED]
    names = [shop.category_names[code].encode() for code in categories.values.tolist()]
    written = Bodies(numbers, shop.event_counts, names, categories.counts, attributes_of(shop))
    packed, varints = (sum(len(body.content) for body in write(written)) for write in (write_packed, write_varints))
    assert packed < 0.95 * varints


@pytest.mark.parametrize("cut", [0, 1, 4, 12, -8, -1])
def test_a_body_that_ends_too_early_is_refused(cut: int) -> None:
    [body] = write_packed(bodies().take(np.array([0])))
    with pytest.raises((BrokenState, IndexError)):
        read_packed([body.content[:cut]], np.array([body.text_bytes]), np.array([2]))


@pytest.mark.parametrize(("text_bytes", "rows"), [(5, 2), (3, 2), (4, 3), (4, 900), (0, 2)])
def test_a_body_of_which_something_else_is_said_is_refused(text_bytes: int, rows: int) -> None:
    [body] = write_packed(bodies().take(np.array([0])))
    with pytest.raises((BrokenState, IndexError)):
        read_packed([body.content], np.array([text_bytes]), np.array([rows]))
