"""What several columns say together: of what prices are, which rows tell a purchase, and what days and hours make."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

import numpy as np
from scipy.stats import spearmanr

from training.inspection.columns import LOOKED_AT, Column
from training.inspection.judges import has_days_only
from training.inspection.names import VOID, words

_CLOCK = re.compile(r"(?P<hour>\d{1,2}):\d{2}(?P<seconds>:\d{2})?(?P<half> ?[AaPp][Mm])?")
_ALMOST_ALL = 0.98
MOST_STATES = 30
"""Different values of a column that says what became of an order."""


def price_of(price: Column | None, quantity: Column | None, *, of_product: bool) -> str:
    """A total by its name, or as it grows with the quantity: of an order where no product is named, else of a line."""
    if price is None:
        return "unit"
    if quantity and _grow_together(price, quantity):
        return "line"
    if not re.search(r"\b(total|revenue|sales|amount|spend|payment|value)\b", words(price.name.rpartition(".")[2])):
        return "unit"
    return "line" if of_product or quantity else "order"


def _grow_together(price: Column, quantity: Column) -> bool:
    """Whether who buys more pays more, as with totals: prices of one piece fall with the number if anything."""
    if len(price.numbers) != len(quantity.numbers) or len(price.numbers) < 200:
        return False
    pairs = np.array([price.numbers, quantity.numbers])
    return bool(np.ptp(pairs, axis=1).all() and spearmanr(*pairs).statistic > 0.4)


def decimal_of(columns: Sequence[Column]) -> str:
    """What parts the whole from the fraction in most of their texts."""
    texts = [value for column in columns for value in column.values[:LOOKED_AT] if isinstance(value, str)]
    commas = sum(bool(re.search(r",\d{1,2}\D*$", text)) for text in texts)
    points = sum(bool(re.search(r"\.\d{1,2}\D*$", text)) for text in texts)
    return "," if commas > points else "."


def parts_of(amounts: Column) -> str:
    """The option of a mapping that says in which parts of the currency amounts are; empty for whole ones."""
    if re.search(r"\b(cents?|pence|minor|unit amount)\b", amounts.words):
        return "cents"
    numbers = [amount for amount in amounts.numbers if amount] or [0.0]
    end_in_cents = sum(amount % 10_000 == 0 for amount in numbers) > 0.9 * len(numbers)
    return "millionths" if end_in_cents and median(numbers) >= 1_000_000 else ""


def is_share(discount: Column, price: Column) -> bool:
    """Whether discounts are shares of the price, and no amounts: none is above one where prices are."""
    largest = max(discount.numbers, default=0.0)
    return 0.0 < largest <= 1.0 and bool(price.numbers) and median(price.numbers) > 5.0


def is_of_few_rows(price: Column) -> bool:
    """Whether most rows have no price, or nought: these are visits, of which some end with a purchase."""
    priced = sum(amount != 0.0 for amount in price.numbers) / max(1, len(price.numbers)) * price.share_filled
    return 0.0 < priced < 0.5


def clock_of(days: Column, columns: Sequence[Column]) -> tuple[Column, str] | None:
    """The column of the hours that belong to days without them, and how both are written with a slash between."""
    if not has_days_only(days) or not days.values or not isinstance(days.values[0], str):
        return None
    dashes = len(days.values[0].strip()) == len("YYYY-MM-DD")
    day = days.times.formats[0] if days.times.formats else "%Y-%m-%d" if dashes else "%Y%m%d"
    for column in columns:
        if column.share_filled > _ALMOST_ALL and (form := _clock_form(column)):
            return column, f"{day}/{form}"
    return None


def _clock_form(column: Column) -> str | None:
    values = [str(value).strip() for value in column.values[:LOOKED_AT]]
    if re.search(r"\bhour\b", column.words):
        return "%H" if all(re.fullmatch(r"[01]?\d|2[0-3]", value) for value in values) else None
    first = _CLOCK.fullmatch(values[0])
    if not first or not all(_CLOCK.fullmatch(value) for value in values):
        return None
    seconds = ":%S" if first["seconds"] else ""
    half = first["half"] or ""
    return f"%I:%M{seconds}{' ' if half.startswith(' ') else ''}%p" if half else f"%H:%M{seconds}"


def void_states(columns: Sequence[Column]) -> Iterator[tuple[Column, Mapping[str, int]]]:
    """Columns that say of some orders that they came to nothing: by which words, and of how many rows."""
    for column in columns:
        if re.search(r"\b(status|state)\b", column.words) and column.distinct <= MOST_STATES:
            counts = Counter(str(value).strip() for value in column.values)
            void = {word: count for word, count in counts.most_common() if not VOID.isdisjoint(words(word).split())}
            if void and len(void) < len(counts):
                yield column, void
