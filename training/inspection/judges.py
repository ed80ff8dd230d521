"""What the values of a column speak for: of each field, from 0 to 1, and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping

from training.inspection.columns import LOOKED_AT, Column
from training.inspection.names import event_type_of

MOST_WORDS = 200
"""Different event types of a shop."""


def judge(field: str, column: Column) -> tuple[float, str]:
    """How far its values may be those of a field, and why."""
    return _JUDGES.get(field, _any)(column)


def is_person(column: Column) -> bool:
    """Whether its values come again and again, as people do."""
    share, _ = _id(column)
    again = len(column.values) / column.distinct
    often = share == 1.0 and column.share_filled > 0.5 and again > 1.2 and column.distinct > 20
    return often and column.times.share < 0.9 and not _PERIODS.search(column.words)


def is_price(column: Column) -> bool:
    """Whether its values are amounts with cents."""
    return column.share_of_numbers > 0.9 and column.share_of_whole < 0.8


def is_quantity(column: Column) -> bool:
    """Whether its values are small whole numbers."""
    amounts = sorted(column.numbers)
    small = bool(amounts) and amounts[int(0.9 * (len(amounts) - 1))] <= 100
    return column.share_of_numbers > 0.9 and small and column.share_of_whole == 1.0


def has_days_only(column: Column) -> bool:
    """Whether its times name no hour."""
    form = column.times.formats[0] if column.times.formats else ""
    if form:
        return "%H" not in form and "%I" not in form
    return all(isinstance(value, str) and _DAY.fullmatch(value.strip()) for value in column.values)


_DAY = re.compile(r"\d{8}|\d{4}-\d\d-\d\d")
_PERIODS = re.compile(r"\b(year|quarter|month|week|day|hour|store|zip|postal|page)\b")


def _any(column: Column) -> tuple[float, str]:
    return 1.0, f"{column.distinct:,} different values"


def _time(column: Column) -> tuple[float, str]:
    share = column.times.share if column.times.share > 0.8 else 0.0
    return share * (0.95 if share and has_days_only(column) else 1.0), f"{column.times.share:.0%} are times"


def _numeric(column: Column) -> tuple[float, str]:
    share = column.share_of_numbers
    return (share if share > 0.8 else 0.0), f"{share:.0%} are numbers"


def _price(column: Column) -> tuple[float, str]:
    share, why = _numeric(column)
    return share * (0.7 if is_quantity(column) else 0.9 if column.share_of_whole >= 0.95 else 1.0), why


def _quantity(column: Column) -> tuple[float, str]:
    share, why = _numeric(column)
    return share * (1.0 if column.share_of_whole > 0.5 else 0.6), why


def _id(column: Column) -> tuple[float, str]:
    longest = max(len(str(value)) for value in column.values[:LOOKED_AT])
    if longest > 128 or column.distinct < 2 or (column.times.share > 0.9 and not column.numbers):
        return 0.0, "no ids"
    per_value = len(column.values) / column.distinct
    fractions = any(isinstance(v, float) and not v.is_integer() for v in column.values[:LOOKED_AT])
    return (0.0 if fractions else 1.0), f"{column.distinct:,} different ones, {per_value:.1f} rows each"


def _person(column: Column) -> tuple[float, str]:
    share, why = _id(column)
    return share * min(1.0, 0.5 + column.share_filled / 2), why


def _event_type(column: Column) -> tuple[float, str]:
    counts = Counter(str(value) for value in column.values)
    if len(counts) > MOST_WORDS or all(re.fullmatch(r"[\d.\-]+", value) for value in counts):
        return 0.0, "too many words"
    known = sum(count for value, count in counts.items() if event_type_of(value)) / counts.total()
    why = f"{known:.0%} of its words are known as events"
    return (0.7 + 0.3 * known if known > 0.5 else 0.8 if known else 0.55), why


def _few(column: Column) -> tuple[float, str]:
    ratio = column.distinct / max(1, len(column.values))
    return (0.5 if ratio > 0.9 and column.rows > 100 else 1.0), f"{column.distinct:,} different values"


def _currency(column: Column) -> tuple[float, str]:
    share = sum(bool(re.fullmatch(r"[A-Za-z]{3}", str(v))) for v in column.values) / len(column.values)
    return (share if share > 0.9 else 0.0), "codes of three letters"


_JUDGES: Mapping[str, Callable[[Column], tuple[float, str]]] = {
    "timestamp": _time,
    "customer_id": _person,
    "anonymous_id": _person,
    "session_id": _id,
    "order_id": _id,
    "product_id": _id,
    "event_id": _id,
    "event_type": _event_type,
    "quantity": _quantity,
    "price": _price,
    "discount": _numeric,
    "engagement_seconds": _numeric,
    "currency": _currency,
    "category": _few,
    "brand": _few,
    "device": _few,
    "region": _few,
    "channel": _few,
}
