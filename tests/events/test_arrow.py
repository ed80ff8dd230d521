"""DuckDB's results as arrays, batch by batch."""

import duckdb
import numpy as np
import pytest

from shared.events.arrow import BrokenStream, batches

QUERY = "SELECT range AS n, CASE WHEN range % 3 > 0 THEN 'größe ' || range END AS t FROM range({})"


def database() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    made.execute("SET arrow_large_buffer_size = true")
    return made


def test_numbers_and_texts_are_read_and_null_is_an_empty_text() -> None:
    with database() as made:
        for batch in batches(made.sql(QUERY.format(4))):
            assert len(batch) == 4
            assert batch.numbers("n", np.int64).tolist() == [0, 1, 2, 3]
            assert batch.texts("t").tolist() == ["", "größe 1", "größe 2", ""]


def test_many_rows_come_in_batches() -> None:
    with database() as made:
        sums = [int(batch.numbers("n", np.int64).sum()) for batch in batches(made.sql(QUERY.format(500_000)))]
    assert len(sums) > 1
    assert sum(sums) == 500_000 * 499_999 // 2


def test_nothing_gives_no_batch() -> None:
    with database() as made:
        assert [*batches(made.sql(QUERY.format(0)))] == []


def test_a_query_that_breaks_off_says_so() -> None:
    with database() as made, pytest.raises((BrokenStream, duckdb.Error)):
        for _ in batches(made.sql("SELECT error('no more') FROM range(3)")):
            pass


def test_a_part_of_a_batch_has_the_rows_between_two_positions() -> None:
    with database() as made:
        for batch in batches(made.sql(QUERY.format(9))):
            part = batch.part(2, 8).part(1, 4)
            assert len(part) == 3
            assert part.numbers("n", np.int64).tolist() == [3, 4, 5]
            assert part.texts("t").tolist() == ["", "größe 4", "größe 5"]
            assert batch.part(3, 3).texts("t").tolist() == []
