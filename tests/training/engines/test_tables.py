"""Events and answers come back from tables as they went in."""

import numpy as np
import pyarrow as pa
import pytest

from shared.features import encode, fold
from tests.support.event_files import chunks, purchase
from tests.support.visitors import visit
from training.engines.tables import (
    KEY,
    OWNER,
    Kind,
    answer_schema,
    answer_table,
    answers_of,
    cut_after,
    event_table,
    events_of,
    histories,
)

EVENTS = [purchase("a", 1, brand="ä", quantity=3), visit("phone"), purchase("b", 2, discount=1.5, product_id="p")]
(CHUNK,) = chunks(EVENTS)


def test_events_come_back_as_they_were() -> None:
    again = events_of(event_table(CHUNK.events), CHUNK.events.category_names)
    assert encode(fold(again)) == encode(fold(CHUNK.events))


def test_numbers_without_a_sign_keep_their_bits() -> None:
    (chunk,) = chunks(EVENTS)
    events = chunk.events
    events.rows.session[:] = 2**32 - 1
    events.rows.fingerprint[:] = 2**40 - 1
    rows = events_of(event_table(events), {}).rows
    assert {*rows.session.tolist()} == {2**32 - 1}
    assert {*rows.fingerprint.tolist()} == {2**40 - 1}


def test_what_a_visitor_did_counts_for_who_owns_it_and_what_was_refused_does_not() -> None:
    table = event_table(CHUNK.events)
    owners = ["customer#a" if key.startswith("visitor") else key for key in table[KEY].to_pylist()]
    table = table.append_column(OWNER, pa.array(owners))
    whole = histories(table, CHUNK.events.category_names, {})
    assert dict(zip(whole.keys, whole.event_counts.tolist(), strict=True)) == {"customer#a": 2, "customer#b": 1}
    some = histories(table, CHUNK.events.category_names, {"customer#a": 2**60})
    assert some.keys == ["customer#b"]


@pytest.mark.parametrize("shape", [(3,), (3, 0), (3, 2), (3, 2, 2)])
@pytest.mark.parametrize("kind", [np.float32, np.float64, np.bool_, np.int64])
def test_answers_come_back_with_every_bit(kind: type[np.generic], shape: tuple[int, ...]) -> None:
    answer = np.random.default_rng(1).integers(0, 2, shape).astype(kind)
    if kind in (np.float32, np.float64):
        answer[answer == 1] = np.nan
    table = answer_table(["a", "b", "c"], [answer, answer])
    kinds = [Kind(answer.dtype, answer.shape[1:])] * 2
    assert table.schema == answer_schema(kinds)
    for again in answers_of(table, kinds):
        assert (again.dtype, again.shape, again.tobytes()) == (answer.dtype, answer.shape, answer.tobytes())


def test_nobody_answers_as_much() -> None:
    assert answers_of(answer_table([], [np.empty((0, 2))]), [Kind(np.dtype(float), (2,))])[0].shape == (0, 2)


def test_tables_are_cut_before_the_last_owner() -> None:
    assert [cut_after(pa.chunked_array([list(owners)], pa.string())) for owners in ("", "a", "aab", "abb")] == [
        0,
        0,
        2,
        1,
    ]
