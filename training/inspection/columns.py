"""The columns of a sample, and what can be seen of their values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from shared.events.mapping import MISSING
from shared.events.translator import number
from training.inspection.names import words
from training.inspection.sample import Row, Sample
from training.inspection.times import Written, written

LOOKED_AT = 2_000
"""Values of a column."""


@dataclass(frozen=True)
class Column:
    """A column's values as far as they are looked at."""

    name: str
    values: Sequence[Any]
    """Those that are filled."""
    rows: int

    @cached_property
    def words(self) -> str:
        """The name in small letters, its words parted by spaces."""
        return words(self.name.rpartition(".")[2])

    @cached_property
    def distinct(self) -> int:
        """Different values."""
        return len({str(value) for value in self.values})

    @cached_property
    def numbers(self) -> list[float]:
        """Those that are numbers, also behind a currency sign."""
        numbers = []
        for value in self.values[:LOOKED_AT]:
            try:
                if not isinstance(value, str) or not re.search(r"[A-DF-Za-df-z]{4}", value):
                    numbers.append(number(value))
            except (ValueError, TypeError):
                continue
        return numbers

    @cached_property
    def times(self) -> Written:
        """How its values are times."""
        return written(self.values[:LOOKED_AT])

    @property
    def share_of_numbers(self) -> float:
        """Of the values that are looked at."""
        return len(self.numbers) / max(1, min(len(self.values), LOOKED_AT))

    @cached_property
    def share_of_whole(self) -> float:
        """Of the numbers."""
        return sum(amount.is_integer() for amount in self.numbers) / max(1, len(self.numbers))

    @property
    def share_filled(self) -> float:
        """Of the rows."""
        return len(self.values) / max(1, self.rows)


def columns_of(sample: Sample) -> list[Column]:
    """The sample by columns."""
    return [Column(name, _filled(sample.rows, name), len(sample.rows)) for name in sample.names]


def _filled(rows: Sequence[Row], name: str) -> list[Any]:
    values = (row.get(name) for row in rows)
    return [v for v in values if v is not None and not (isinstance(v, str) and v.strip() in ("", *MISSING))]
