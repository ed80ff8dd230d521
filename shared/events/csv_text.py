"""Records of CSV as batches of parsed lines."""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from shared.events.batches import NOT_UTF8, Batch, is_utf8
from shared.events.streams import LONGEST_LINE, ByteStream, UnreadableFile, lines
from shared.events.tables import MOST_COLUMNS, check_names

csv.field_size_limit(LONGEST_LINE)
WHITESPACE = "whitespace"
"""Stands for a delimiter of any run of blanks."""


class _LongRecord(ValueError):
    """A record of CSV has more than LONGEST_LINE bytes so far."""


class _CsvText:
    """Lines for Python's reader, and the bytes that it took for the record it is at."""

    def __init__(self, numbered: Iterator[tuple[int, bytes]]) -> None:
        self._lines = numbered
        self._taken: list[bytes] = []
        self._size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        _, line = next(self._lines)
        self._taken.append(line)
        self._size += len(line) + 1
        if self._size > LONGEST_LINE + 1:
            raise _LongRecord
        return line.decode(errors="surrogateescape") + "\n"

    def record(self) -> tuple[int, bytes]:
        """How many lines were taken since the last call, and these."""
        count = len(self._taken)
        record = b"\n".join(self._taken)
        self._taken.clear()
        self._size = 0
        return count, record


def _take(batch: Batch, number: int, original: bytes, raw: dict[str, str]) -> None:
    batch.add(number, original, raw, strict=False)


def _check(names: list[str]) -> None:
    check_names(names, "the CSV header")


@dataclass(frozen=True, slots=True)
class CsvForm:
    """How a table of text is written, and what becomes of its records."""

    take: Callable[[Batch, int, bytes, dict[str, str]], None] = _take
    """Given a batch, the number of the line, its bytes, and the values that are filled, by column."""
    check: Callable[[list[str]], None] = _check
    """Given the names of the columns. Raises UnreadableFile."""
    delimiter: str = ","
    header: bool | Sequence[str] = True
    """Whether the first record names the columns; without, they are column_1, column_2 and so on, or these names."""
    quotes: bool = True
    """Whether values may stand in quotes."""


class CsvRecords:
    """Reads records one by one, the header first."""

    def __init__(self, numbered: Iterator[tuple[int, bytes]], form: CsvForm) -> None:
        """Of the lines `numbered`. Raises UnreadableFile where the header is none."""
        self._text = _CsvText(numbered)
        self._records = _records(self._text, form)
        self._form = form
        first = header_of(self._records)
        count, self._original = self._text.record()
        self.number = 1 + count
        """Of the line at which the next record begins."""
        self.header = first
        self._first: list[str] | None = None
        if form.header is not True:
            self.header = list(form.header or numbered_names(first))
            self._first = first
        form.check(self.header)

    def add_first(self, batch: Batch) -> None:
        """The first record, where it is no header."""
        if self._first is not None:
            _add(batch, 1, self._original, self.header, self._first, self._form)

    def add_next(self, batch: Batch, number: int) -> bool:
        """The next record, which begins at this line; whether there is one."""
        broken: Exception | None = None
        values: list[str] = []
        try:
            values = next(self._records)
        except StopIteration:
            return False
        except (csv.Error, _LongRecord) as error:
            broken = error
        count, original = self._text.record()
        if isinstance(broken, _LongRecord):
            batch.refuse_long(number, original)
        elif broken:
            batch.refuse(number, f"not valid CSV: {broken}", original)
        else:
            _add(batch, number, original, self.header, values, self._form)
        self.number = number + count
        return True


def csv_batches(stream: ByteStream, form: CsvForm = CsvForm()) -> Iterator[Batch]:
    """The records, after the header where there is one. Raises UnreadableFile where the header is none."""
    records = CsvRecords(lines(stream), form)
    batch = Batch()
    records.add_first(batch)
    while records.add_next(batch, records.number):
        if batch.is_full:
            yield batch
            batch = Batch()
    yield batch


def numbered_names(first: Sequence[str]) -> list[str]:
    """What columns are called that have no names, by the values of the first record."""
    return [f"column_{at}" for at in range(1, len(first) + 1)]


def header_of(records: Iterator[list[str]]) -> list[str]:
    """The names of the columns, from the first record. Raises UnreadableFile."""
    try:
        names = next(records, [])
    except csv.Error as error:
        raise UnreadableFile(
            "the CSV header is not valid CSV: lines end in \\n or \\r\\n, and quotes are closed"
        ) from error
    except _LongRecord as error:
        raise UnreadableFile(f"the CSV header is longer than {LONGEST_LINE:,} bytes") from error
    if len(names) > MOST_COLUMNS:
        raise UnreadableFile(f"the CSV header names {len(names):,} columns, more than {MOST_COLUMNS:,}")
    if not is_utf8("".join(names).encode(errors="surrogateescape")):
        raise UnreadableFile("the CSV header is not valid UTF-8")
    return names


def _records(text: _CsvText, form: CsvForm) -> Iterator[list[str]]:
    if form.delimiter == WHITESPACE:
        return map(str.split, text)
    if not form.quotes:
        return csv.reader(text, delimiter=form.delimiter, strict=True, quoting=csv.QUOTE_NONE)
    return csv.reader(text, delimiter=form.delimiter, strict=True)


def _add(batch: Batch, number: int, original: bytes, header: list[str], values: list[str], form: CsvForm) -> None:
    if not values:
        return
    if not "".join(values).isprintable() and not is_utf8(original):
        batch.refuse(number, NOT_UTF8, original)
    elif len(values) != len(header):
        batch.refuse(number, f"{len(values)} values where the header names {len(header)} columns", original)
    else:
        named = zip(header, values, strict=True)
        form.take(batch, number, original, {name: value for name, value in named if value})
