"""What DuckDB is asked about a table of events, without a word of the user's in any statement.

Columns go by where they stand, `c0`, `c1` and so on; whatever else comes from outside is a parameter. Only what is
in this repository is written into a statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.events.event import BESIDE, FIELDS, LARGEST_AMOUNT, LARGEST_QUANTITY, LEAST_MS, LONGEST_TEXT
from shared.events.judging import AHEAD_MS, EXPOSURE, LATEST_MS, Rules
from shared.events.streams import LONGEST_LINE
from shared.features.columns import (
    ARMS,
    DEVICES,
    EVENT_TYPES,
    NO_ARM,
    OTHER,
    OTHER_DEVICE,
    OWN_TYPES,
    UNKNOWN_DEVICE,
)
from shared.identity.keys import LONGEST_ID

_WHOLE = ("tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger", "ubigint", "hugeint")
_FLOATS = {"float": 2**24, "double": 2**53}
"""From which whole numbers on a type no longer holds each of them."""
_NUMBERS = (*_WHOLE, *_FLOATS, "decimal")
_TIMES = ("date", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns", "timestamp with time zone")
_NESTED = ("struct", "list", "map", "array", "union", "variant")
_NUMBER_FIELDS = ("quantity", "price", "discount", "engagement_seconds")
_ID_FIELDS = tuple(name for name in FIELDS if name.endswith("_id"))
_SHORT = ("event_id", "event_type", "customer_id", "anonymous_id")
_TEXTS = ("event_id", "session_id", "order_id", "product_id", "category", "brand", "channel", "region")
_EXPOSURE = f"'{EXPOSURE}'"
_PLAIN_BYTES = 512
"""Of the texts of a row that is read by the column: bounds what a batch of them takes."""
_SHOWN_CHARACTERS = 200
"""Of a text in a row that is too long; enough for every id."""
_VALUE_BYTES = 24
"""Taken for what is not text, with its name."""


@dataclass(frozen=True, slots=True)
class Table:
    """A Parquet file's columns, in its order."""

    names: Sequence[str]
    kinds: Sequence[str]
    """DuckDB's name for the type of each, without what is inside of it."""
    mapped: bool = False
    """Whether a mapping says what they mean, row by row."""

    @property
    def aliases(self) -> list[str]:
        """What columns are called in statements."""
        return [f"c{at}" for at in range(len(self.kinds))]

    @property
    def source(self) -> str:
        """SQL for all rows with `nth`, their position from 0; the path of the file is the parameter `path`."""
        columns = ", ".join([*self.aliases, "nth"])
        return f"FROM read_parquet($path, file_row_number = true) AS events({columns})"

    def at(self, field: str) -> str | None:
        """What the column of a field of the contract is called."""
        return f"c{self.names.index(field)}" if field in self.names else None

    def kind(self, field: str) -> str | None:
        """The type of the column of a field of the contract."""
        return self.kinds[self.names.index(field)] if field in self.names else None

    def limit(self, at: int) -> int:
        """From which whole numbers on the column no longer tells them apart; 0 where it is not one of floats."""
        return _FLOATS.get(self.kinds[at], 0)

    def is_plain(self) -> bool:
        """Whether the types of the columns allow for rows that keep every rule."""
        if self.mapped:
            return False
        if self.kind("event_type") != "varchar" or self.kind("timestamp") not in (*_WHOLE[1:4], *_WHOLE[5:7], *_TIMES):
            return False
        if any(self.kind(name) not in (None, *_NUMBERS) for name in _NUMBER_FIELDS):
            return False
        if any(self.kind(name) not in (None, "varchar", *_NUMBERS) for name in _ID_FIELDS):
            return False
        return all(self.kind(name) in (None, "varchar") for name in _contract_texts() if name not in _ID_FIELDS)


def all_rows(table: Table, rules: Rules) -> str:
    """SQL for what is counted of each plain row, and `size`: of any other row the bytes it takes, of a plain one 0."""
    columns = ", ".join(f"{expression} AS {name}" for name, expression in _plain_columns(table, rules).items())
    size = f"CASE WHEN plain THEN 0 ELSE {_size(table)} END::BIGINT AS size"
    return f"SELECT {columns}, {size} FROM (SELECT *, ({_plain(table, rules)}) IS TRUE AS plain {table.source})"


def other_rows(table: Table, rules: Rules) -> str:
    """SQL for the rows from $first to $last that are not plain: position, size, and values as `_value` has them.

    Of rows too long for a line, nested values are left out and texts shortened.
    """
    plain = f"({_plain(table, rules)}) IS TRUE"
    return (
        f"SELECT nth, size, {_values(table)}"
        f" FROM (SELECT *, {_size(table)}::BIGINT AS size, {plain} AS plain {table.source})"
        " WHERE nth BETWEEN $first AND $last AND NOT plain ORDER BY nth"
    )


def each_row(table: Table) -> str:
    """SQL for the same of every row, in their order: there is one thread, and one scan."""
    return f"SELECT nth, size, {_values(table)} FROM (SELECT *, {_size(table)}::BIGINT AS size {table.source})"


def parameters(table: Table, rules: Rules) -> Mapping[str, str]:
    """Of the first two statements, beside the path and the rows."""
    return {"currency": str(rules.currency)} if table.at("currency") and rules.currency is not None else {}


def own_types(rules: Rules) -> Mapping[str, list[str]]:
    """Of the first statement, beside those of both."""
    return {"own_types": list(rules.own_types)} if rules.own_types else {}


def _contract_texts() -> list[str]:
    return [name for name in FIELDS if name not in (*_NUMBER_FIELDS, *BESIDE, "timestamp", "consent")]


def _plain(table: Table, rules: Rules) -> str:
    """SQL for "this row keeps every rule"; NULL counts as no."""
    customer, visitor = _text("customer_id", table), _text("anonymous_id", table)
    latest = min(LATEST_MS - 1, LATEST_MS if rules.now_ms is None else rules.now_ms + AHEAD_MS)
    currency = "regexp_full_match({0}, '[A-Z]{{3}}')" if rules.currency is None else "{0} = $currency"
    quantity, price = _number("quantity", table, 1), _number("price", table, 0)
    joined = " + ".join(f"coalesce(strlen({_text(name, table)}), 0)" for name in _TEXTS if table.at(name))
    texts = [name for name in _contract_texts() if table.at(name)]
    return " AND ".join(
        [
            # Bytes stand for characters: never fewer, so nothing too long passes.
            *(f"strlen({_text(name, table)}) BETWEEN 1 AND {LONGEST_ID}" for name in ("event_id", "event_type")),
            f"strlen(coalesce({customer}, {visitor})) BETWEEN 1 AND {LONGEST_ID}",
            f"({customer} IS NULL OR {visitor} IS NULL)",
            # A number that is no id is a NULL above, but not nobody's.
            *(f"(({table.at(name)} IS NULL) = ({_text(name, table)} IS NULL))" for name in texts if name in _ID_FIELDS),
            *(["false"] if rules.unwritten else []),  # lines are asked for, of which columns do not know
            *(f"{table.at(name)} IS NULL" for name in ("consent", "attributes") if table.at(name)),
            f"({_text('event_type', table)} <> {_EXPOSURE} OR {_whole_exposure(table)})",
            *(f"coalesce(strlen({_text(name, table)}), 0) <= {LONGEST_TEXT}" for name in texts if name not in _SHORT),
            f"{joined or '0'} <= {_PLAIN_BYTES}",
            *([f"coalesce({currency.format(_text('currency', table))}, true)"] if table.at("currency") else []),
            f"{quantity} > 0 AND {quantity} <= {LARGEST_QUANTITY}",
            *(
                f"{_number(name, table, 0)} BETWEEN 0 AND {LARGEST_AMOUNT}"
                for name in ("price", "discount", "engagement_seconds")
            ),
            f"{price} * {quantity} <= {LARGEST_AMOUNT}",
            f"{_time(table)} BETWEEN 0 AND {latest}",
        ]
    )


def _plain_columns(table: Table, rules: Rules) -> dict[str, str]:
    own = f"list_position($own_types, {_text('event_type', table)}) - 1 + {OWN_TYPES}, " if rules.own_types else ""
    kind = f"coalesce(list_position({list(EVENT_TYPES)}, {_text('event_type', table)}) - 1, {own}{OTHER})"
    device = f"coalesce(list_position({list(DEVICES)}, lower({_text('device', table)})) - 1, {OTHER_DEVICE})"
    texts = {"person": f"coalesce({_text('customer_id', table)}, {_text('anonymous_id', table)})"}
    texts |= {name: _text(name, table) for name in _TEXTS}
    return {
        # Other rows may hold texts of any length.
        **{name: f"CASE WHEN plain THEN {text} END" for name, text in texts.items()},
        "visitor": f"({_text('customer_id', table)} IS NULL)::UTINYINT",
        "time_ms": f"CASE WHEN plain THEN {_time(table)} ELSE 0 END::BIGINT",
        "kind": f"({kind})::UTINYINT",
        "net": f"{_number('price', table, 0)} * {_number('quantity', table, 1)}",
        "discount": _number("discount", table, 0),
        "engagement": _number("engagement_seconds", table, 0),
        "device": f"(CASE WHEN NOT plain OR coalesce({_text('device', table)}, '') = '' THEN {UNKNOWN_DEVICE}"
        f" ELSE {device} END)::UTINYINT",
        "campaign": f"CASE WHEN {_exposed(table)} THEN {table.at('campaign') or 'NULL'} END::VARCHAR",
        "arm": f"(CASE WHEN {_exposed(table)} THEN {_arm(table)} ELSE {NO_ARM} END)::UTINYINT",
    }


def _exposed(table: Table) -> str:
    return f"plain AND {_text('event_type', table)} = {_EXPOSURE}"


def _arm(table: Table) -> str:
    """SQL for the position in ARMS of what an exposure says, none for any other word."""
    column = table.at("arm")
    return f"coalesce(list_position({list(ARMS)}, {column}) - 1, {NO_ARM})" if column else str(NO_ARM)


def _whole_exposure(table: Table) -> str:
    """SQL for whether campaign and arm are those of an exposure."""
    if table.kind("campaign") != "varchar" or table.kind("arm") != "varchar":
        return "false"
    return f"(strlen({table.at('campaign')}) BETWEEN 1 AND {LONGEST_ID} AND {_arm(table)} <> {NO_ARM})"


def _time(table: Table) -> str:
    """SQL for milliseconds since 1970, as `parse_timestamp` reads them; negative ones for all before."""
    column, kind = table.at("timestamp"), table.kind("timestamp")
    if kind in _WHOLE:
        return f"CASE WHEN {column} < {LEAST_MS} THEN greatest({column}::BIGINT, -1) * 1_000 ELSE {column} END"
    if kind == "date":
        return f"epoch_ms({column})"
    return f"CASE WHEN epoch_us({column}) < 0 THEN -1 ELSE epoch_us({column}) // 1_000 END"


def _text(name: str, table: Table) -> str:
    """SQL for a field of text; of ids that are numbers, those that are whole."""
    column, kind = table.at(name), table.kind(name)
    if column is None or kind is None:
        return "NULL::VARCHAR"
    if kind in _FLOATS:
        whole = f"{column} = trunc({column}) AND abs({column}) < {_FLOATS[kind]}"
        return f"(CASE WHEN {whole} THEN try_cast({column} AS BIGINT)::VARCHAR END)"
    if kind == "decimal":
        whole = f"{column} = trunc({column})"
        return f"(CASE WHEN {whole} THEN try_cast(trunc({column}) AS DECIMAL(38, 0))::VARCHAR END)"
    return f"{column}::VARCHAR"


def _number(name: str, table: Table, absent: float) -> str:
    column = table.at(name)
    return f"coalesce({column}::DOUBLE, {absent})" if column else f"{absent}::DOUBLE"


def _size(table: Table) -> str:
    """SQL for the bytes of a row, at least 1."""
    parts = [str(1 + _VALUE_BYTES * len(table.kinds))]
    for column, kind in zip(table.aliases, table.kinds, strict=True):
        if kind in _NESTED:
            parts.append(f"coalesce(strlen(to_json({column})::VARCHAR), 0)")
        elif kind == "blob":
            parts.append(f"4 * coalesce(octet_length({column}), 0)")
        elif kind == "varchar":
            parts.append(f"coalesce(strlen({column}), 0)")
    return f"list_sum([{', '.join(parts)}])"


def _values(table: Table) -> str:
    return ", ".join(_value(column, kind) for column, kind in zip(table.aliases, table.kinds, strict=True))


def _value(column: str, kind: str) -> str:
    """SQL for a value as a line of JSON would hold it, nests as JSON; binary data and numbers as Python has them."""
    if kind == "varchar":
        return f"CASE WHEN size <= {LONGEST_LINE} THEN {column} ELSE left({column}, {_SHOWN_CHARACTERS}) END"
    if kind in _NESTED:
        return f"CASE WHEN size <= {LONGEST_LINE} THEN to_json({column})::VARCHAR END"
    if kind == "blob":
        return f"CASE WHEN size <= {LONGEST_LINE} THEN {column} END"
    return column if kind in (*_NUMBERS, "boolean") else f"{column}::VARCHAR"
