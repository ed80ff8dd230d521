"""What DuckDB is asked never holds a word of the user's, and it can reach nothing but the one file."""

import io
import string
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.events import FIELDS, Rules, UnreadableFile, parquet
from shared.events.locked import locked_database
from tests.events.lines import GOOD, NOW_MS, read
from tests.support.examples import at_most

HOSTILE = (
    'size 5"',
    "it's",
    "a;b",
    "back\\slash",
    "größe 😀",
    '"); SELECT 1; --',
    "c1",
    "nth",
    "",
    " ",
    "$path",
    "{path}",
    "%s",
    "x\n--",
    "getenv('AWS_SECRET_ACCESS_KEY')",
    "x\"); COPY (SELECT getenv('AWS_SECRET_ACCESS_KEY')) TO '/tmp/pwned'; --",
    "', (SELECT content FROM read_text('/proc/self/environ')), '",
)
_texts = st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
_names = st.lists(_texts.filter(lambda name: name not in FIELDS), min_size=1, max_size=4, unique=True)


class Spy:
    """A database that notes what it is asked."""

    def __init__(self, database: duckdb.DuckDBPyConnection, statements: list[str]) -> None:
        self._database, self._statements = database, statements

    def execute(self, statement: str, values: Any = None) -> Any:
        self._statements.append(statement)
        return self._database.execute(statement, values)

    def sql(self, statement: str, params: Any = None) -> Any:
        self._statements.append(statement)
        return self._database.sql(statement, params=params)

    def cursor(self) -> "Spy":
        return Spy(self._database.cursor(), self._statements)


def written(columns: dict[str, list[Any]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def statements(content: bytes, path: Path, rules: Rules) -> tuple[list[str], list[Any]]:
    """What is asked about a file, and what is found in it."""
    asked: list[str] = []

    @contextmanager
    def spied(at: Path) -> Iterator[Spy]:
        with locked_database(at) as database:
            yield Spy(database, asked)

    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "locked_database", spied)
        return asked, list(parquet.parts(path, rules))


@settings(max_examples=at_most(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_names, _texts, _texts, st.sampled_from(FIELDS), st.booleans())
def test_statements_are_the_same_whatever_columns_and_values_are_called(
    tmp_path: Path, names: list[str], value: str, currency: str, field: str, is_text: bool
) -> None:
    def asked(names: list[str], value: str, currency: str) -> list[str]:
        whole = {**GOOD, "timestamp": "2017-10-01" if is_text else 1_506_852_000, "session_id": "", field: value}
        rows = [{**whole, **dict.fromkeys(names, text)} for text in (value, "x")]
        # Of a row that is refused everything is asked.
        rows.append({**rows[0], "event_id": "x" * 999})
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        return statements(written(columns), tmp_path / "a.parquet", Rules(currency=currency))[0]

    harmless = [string.ascii_letters[at] * 3 for at in range(len(names))]
    assert asked(names, value, currency) == asked(harmless, "harmless", "USD")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_column_of_any_name_is_read_as_any_other(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret")
    before = {*Path("/tmp").iterdir(), *tmp_path.iterdir()}
    for moment in (1_506_852_000, "2017-10-01"):
        rows = [{**GOOD, "timestamp": moment, name: "x"}, {**GOOD, "timestamp": moment, "price": -1.0, name: name}]
        state, [rejection] = read(written({field: [row[field] for row in rows] for field in rows[0]}), "a.parquet")
        assert state.event_counts.tolist() == [1]
        assert rejection.reason.startswith("price must be a number from 0")
        assert b"a secret" not in rejection.original
    assert not Path("/tmp/pwned").exists()
    assert {*tmp_path.iterdir()} <= before


def test_an_error_tells_nothing_of_what_is_in_the_file() -> None:
    content = written({"secret name": ["secret value"] * 9, "event_type": ["x"] * 9, "timestamp": [1] * 9})
    for at in range(4, len(content) - 8, 53):
        damaged = content[:at] + b"\xff" * 8 + content[at + 8 :]
        try:
            read(damaged, "a.parquet")
        except UnreadableFile as error:
            assert "secret" not in str(error)
            assert "/" not in str(error)


def test_a_file_without_required_columns_does_not_tell_their_names() -> None:
    with pytest.raises(
        UnreadableFile, match="no column event_type, but 2 columns, of the contract's timestamp"
    ) as raised:
        read(written({"jane@example.com": ["x"], "timestamp": [NOW_MS]}), "a.parquet")
    assert "jane" not in str(raised.value)
