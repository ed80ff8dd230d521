"""Rules as SQL conditions for DuckDB and warehouses, over the tables that snapshots are made of.

    customers   a row each, as `c`: customer_id, as_of, a column for each feature, for each field of a decision, and for
                each list of what is recommended
    attributes  a row for each customer and name: customer_id, name, value
    events      customer_id, time, event_type, category, brand, product_id, campaign, and order_id, which of a purchase
                without one is its own

docs/warehouse.md describes them. The condition is true of the same customers as in the functions (`evaluating`).
"""

from __future__ import annotations

import numpy as np
from sqlglot import exp

from shared.audiences.evaluating import NUMBER
from shared.audiences.rules import (
    All,
    AnyOf,
    Attribute,
    Comparison,
    Count,
    Field,
    IsNull,
    Literal,
    Not,
    Operand,
    Recommended,
    Rule,
)
from shared.features import FEATURE_NAMES

_COMPARISONS: dict[str, type[exp.Binary]] = {
    "=": exp.EQ,
    "<>": exp.NEQ,
    "<": exp.LT,
    "<=": exp.LTE,
    ">": exp.GT,
    ">=": exp.GTE,
}
_TYPES = {"views": "view_item", "carts": "add_to_cart", "orders": "purchase"}
_COLUMNS = {"category": "category", "brand": "brand", "product": "product_id", "campaign": "campaign"}
_ANY = ("category", "brand", "product")
_TEXTS = frozenset({"intent"})


def to_sql(rule: Rule, dialect: str = "duckdb") -> str:
    """The condition that is true of the customers `c` whom the rule holds of, in a dialect that sqlglot knows."""
    return _fitted(_condition(rule), dialect).sql(dialect)


def _fitted(condition: exp.Expr, dialect: str) -> exp.Expr:
    """A condition for lists as a warehouse has them: Snowflake in a VARIANT, Redshift as what is nested in a row."""
    for contains in [*condition.find_all(exp.ArrayContains)]:
        if dialect == "snowflake":
            contains.this.replace(exp.cast(contains.this.copy(), "array"))
        elif dialect == "redshift":
            nested = exp.alias_(contains.this.copy(), "p")
            query = exp.select("1").from_(nested).where(exp.column("p").eq(contains.expression.copy()))
            contains.replace(exp.Exists(this=query))
    return condition


def _condition(rule: Rule) -> exp.Expr:
    match rule:
        case Not(part):
            return exp.Not(this=exp.paren(_condition(part)))
        case All(parts):
            return exp.and_(*map(_condition, parts))
        case AnyOf(parts):
            return exp.paren(exp.or_(*map(_condition, parts)))
        case IsNull(operand):
            return exp.Is(this=_value(operand), expression=exp.Null())
        case Recommended(product, among):
            column = exp.column(among, table="c", quoted=True)
            is_in = exp.ArrayContains(this=column, expression=exp.Literal.string(product))
            return exp.func("COALESCE", is_in, exp.false())
        case Comparison(operator, left, right):
            as_numbers = _is_number(left) or _is_number(right)
            sides = [_side(side, other, as_numbers) for side, other in ((left, right), (right, left))]
            return _COMPARISONS[operator](this=sides[0], expression=sides[1])


def _is_number(operand: Operand) -> bool:
    match operand:
        case Field(name):
            return name not in _TEXTS
        case Literal(value):
            return isinstance(value, float)
        case Count():
            return True
        case Attribute():
            return False


def _side(operand: Operand, other: Operand, as_numbers: bool) -> exp.Expr:
    if isinstance(operand, Literal) and isinstance(operand.value, float):
        number = float(np.float32(operand.value)) if isinstance(other, Field) else operand.value
        return exp.cast(exp.Literal.string(repr(number)), "double")
    value = _value(operand)
    if as_numbers and isinstance(operand, Attribute):
        return _as_number(value)
    return exp.cast(value, "double") if as_numbers else value


def _as_number(text: exp.Expr) -> exp.Expr:
    looks_like_one = exp.RegexpLike(this=text.copy(), expression=exp.Literal.string(f"^({NUMBER.pattern})$"))
    return exp.Case().when(looks_like_one, exp.TryCast(this=text, to=exp.DataType.build("double")))


def _value(operand: Operand) -> exp.Expr:
    match operand:
        case Literal(value):
            return exp.Literal.string(str(value))
        case Field(name):
            column = exp.column(name, table="c", quoted=True)
            # A feature that is undefined is NULL in a snapshot, and NaN where somebody wrote it as it is.
            return exp.func("NULLIF", exp.cast(column, "double"), _NAN.copy()) if name in FEATURE_NAMES else column
        case Attribute(name):
            return exp.paren(_select("value", "attributes", exp.column("name", "a").eq(exp.Literal.string(name)), "a"))
        case Count():
            return exp.paren(_count(operand))


_NAN = exp.cast(exp.Literal.string("NaN"), "double")


def _select(what: str, table: str, condition: exp.Expr, alias: str) -> exp.Select:
    own = exp.column("customer_id", alias).eq(exp.column("customer_id", "c"))
    return (
        exp.select(exp.column(what, alias))
        .from_(exp.alias_(exp.to_table(table), alias, table=True))
        .where(own, condition)
    )


def _count(count: Count) -> exp.Select:
    counted = [*_kinds(count), *_subjects(count)]
    time, as_of = exp.column("time", "e"), exp.column("as_of", "c")
    since = as_of - exp.Interval(this=exp.Literal.string(str(count.days)), unit=exp.var("DAY"))
    if count.measure != "orders":
        within = [time >= since, time < as_of.copy()]
        return _select("customer_id", "events", exp.and_(*counted, *within), "e").select("COUNT(*)", append=False)
    first = _select("order_id", "events", exp.and_(*counted, time < as_of.copy()), "e")
    dated = first.select("MIN(e.time) AS first_time", append=False).group_by("e.order_id")
    return exp.select("COUNT(*)").from_(dated.subquery("o")).where(exp.column("first_time", "o") >= since)


def _kinds(count: Count) -> list[exp.Expr]:
    event_type = exp.column("event_type", "e")
    if count.of == "type":
        return [event_type.eq(exp.Literal.string(str(count.subject)))]
    if count.measure in _TYPES:
        return [event_type.eq(exp.Literal.string(_TYPES[count.measure]))]
    exposure = exp.Literal.string("campaign_exposure")
    return [event_type.eq(exposure) if count.of == "campaign" else event_type.neq(exposure)]


def _subjects(count: Count) -> list[exp.Expr]:
    if count.subject is None or count.of == "type":
        return []
    columns = _ANY if count.of is None else (count.of,)
    subject = exp.Literal.string(count.subject)
    return [exp.paren(exp.or_(*(exp.column(_COLUMNS[name], "e").eq(subject.copy()) for name in columns)))]
