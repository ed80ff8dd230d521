"""Rules read from text: a closed subset of SQL's conditions, parsed by sqlglot where a rule is defined.

    churn_probability > 0.6 and region = 'DE' and views('Shoes', 7) = 0

docs/audiences.md has the language. Functions that decide evaluate the tree that comes of it and never load this module.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError

from shared.audiences.rules import (
    MEASURES,
    MOST_PARTS,
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
    operands,
    size,
)
from shared.audiences.terms import LIKELY, Mistake, checked_text, count, days_of, number, place, shown
from shared.features import FEATURE_NAMES
from shared.recommending.lists import LISTS

LONGEST_RULE = 4_000
"""Characters of a rule's text, at most."""
DEEPEST = 100
"""Brackets within brackets, at most: what the parser can hold."""
ATTRIBUTES = "attributes"
"""Before the name of an attribute that might be taken for something else: `attributes.tier`."""
OF_A_DECISION = ("segment", "micro_segment", "margin")
INTENT = "intent"

_COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}


@dataclass(frozen=True)
class Names:
    """The names that rules may use beside attributes, which anything may be."""

    numbers: frozenset[str]
    intents: tuple[str, ...]
    lists: tuple[str, ...] = LISTS
    """Of products that are recommended, where rules may ask for them."""
    texts: frozenset[str] = frozenset({INTENT})

    @classmethod
    def of(cls, predictions: Iterable[str], intents: Iterable[str]) -> Names:
        """Those of all features, of the `predictions` that a bundle makes, and of decisions with their `intents`."""
        return cls(frozenset((*FEATURE_NAMES, *predictions, *OF_A_DECISION)), tuple(intents))

    def kind(self, name: str) -> str | None:
        """Whether a name stands for a `number` or a `text`; None where it is none of ours."""
        if name in self.numbers:
            return "number"
        return "text" if name in self.texts else None

    def nearest(self, name: str) -> str | None:
        """The one of ours that was probably meant."""
        close = get_close_matches(name.lower(), [*self.numbers, *self.texts, *MEASURES, *LISTS], n=1, cutoff=LIKELY)
        return close[0] if close else None


def read_rule(text: str, names: Names) -> Rule:
    """The rule that `text` says. Raises Mistake, which says where the mistake is and what was probably meant."""
    if not text.strip():
        raise Mistake("the rule is empty")
    if len(text) > LONGEST_RULE:
        raise Mistake(f"the rule has {len(text):,} characters, more than {LONGEST_RULE:,}")
    _check_brackets(text)
    rule = _Reader(names).rule(_parsed(text))
    if size(rule) > MOST_PARTS:
        raise Mistake(f"the rule has {size(rule)} parts, more than {MOST_PARTS}")
    return rule


def attributes_of(rule: Rule) -> list[str]:
    """The attributes that a rule asks for, sorted: whoever wrote it wants to know which names were taken for some."""
    return sorted({operand.name for operand in operands(rule) if isinstance(operand, Attribute)})


def _check_brackets(text: str) -> None:
    depth = 0
    for at, character in enumerate(text, 1):
        depth += (character == "(") - (character == ")")
        if depth > DEEPEST:
            raise Mistake(f"brackets stand within more than {DEEPEST} others", at)


def _parsed(text: str) -> exp.Expr:
    try:
        return exp.condition(text, dialect="duckdb", copy=False)
    except ParseError as error:
        details: dict[str, Any] = error.errors[0] if error.errors else {}
        word = details.get("highlight")
        start = len(details.get("start_context") or "")
        whole = text[:start] == details.get("start_context")
        what = f"'{word}' does not fit here" if word else "the rule does not end as it should"
        raise Mistake(what, start + 1 if whole and word else None) from None
    except (SqlglotError, RecursionError):
        raise Mistake("the rule cannot be read: is a quote open?") from None


def _column(node: exp.In) -> exp.Column | None:
    """The name that something is to be in, where it is one."""
    named = node.args.get("field") or (node.expressions[0] if len(node.expressions) == 1 else None)
    return named if isinstance(named, exp.Column) else None


class _Reader:
    """From sqlglot's tree to ours; whatever is not named here is no part of the language."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def rule(self, node: exp.Expr) -> Rule:
        match node:
            case exp.Paren():
                return self.rule(node.this)
            case exp.And():
                return All(self._flat(node, exp.And))
            case exp.Or():
                return AnyOf(self._flat(node, exp.Or))
            case exp.Not():
                return Not(self.rule(node.this))
            case exp.Is() if isinstance(node.expression, exp.Null):
                return IsNull(self._asked(node.this))
            case exp.Between():
                left = self._asked(node.this)
                low = self._compared(">=", left, self._operand(node.args["low"]), node)
                return All((low, self._compared("<=", left, self._operand(node.args["high"]), node)))
            case exp.In(this=exp.Literal(is_string=True)) if (among := _column(node)) is not None:
                return Recommended(checked_text(node.this.this, node), self._list(among))
            case exp.In() if node.expressions:
                left = self._asked(node.this)
                one_of = [self._compared("=", left, self._operand(value), node) for value in node.expressions]
                return AnyOf(tuple(one_of))
            case exp.Column():
                raise Mistake(f"'{node.name}' is compared with nothing", place(node))
        operator = _COMPARISONS.get(type(node))
        if operator:
            return self._compared(operator, self._operand(node.this), self._operand(node.expression), node)
        raise Mistake(f"'{shown(node)}' is not part of the language of rules: {_LANGUAGE}", place(node))

    def _list(self, column: exp.Column) -> str:
        name = column.name.lower()
        if not self._names.lists:
            raise Mistake("what is recommended is asked by rules of audiences, and by no others", place(column))
        if column.table or name not in self._names.lists:
            close = get_close_matches(name, LISTS, n=1)
            hint = f"probably meant: {close[0]}" if close else f"there are {' and '.join(LISTS)}"
            raise Mistake(f"'{shown(column)}' is no list of products; {hint}", place(column))
        return name

    def _flat(self, node: exp.Expr, kind: type[exp.Expr]) -> tuple[Rule, ...]:
        """The parts of a chain, without recursion: chains are longer than stacks are deep."""
        parts: list[exp.Expr] = []
        waiting = [node]
        while waiting:
            one = waiting.pop()
            if isinstance(one, kind):
                waiting += [one.expression, one.this]
            else:
                parts.append(one)
        return tuple(map(self.rule, parts))

    def _asked(self, node: exp.Expr) -> Operand:
        operand = self._operand(node)
        if isinstance(operand, Literal):
            raise Mistake(f"'{shown(node)}' is asked of nobody", place(node))
        return operand

    def _compared(self, operator: str, left: Operand, right: Operand, node: exp.Expr) -> Comparison:
        kinds = {self._kind(left), self._kind(right)} - {None}
        if len(kinds) > 1:
            raise Mistake(f"'{shown(node)}' compares a number with a text", place(node))
        for field, literal in ((left, right), (right, left)):
            if isinstance(field, Field) and field.name == INTENT and isinstance(literal, Literal):
                self._check_intent(literal, node)
        if isinstance(left, Literal) and isinstance(right, Literal):
            raise Mistake(f"'{shown(node)}' is the same for everybody", place(node))
        return Comparison(operator, left, right)

    def _check_intent(self, literal: Literal, node: exp.Expr) -> None:
        intents = self._names.intents
        if literal.value not in intents:
            close = get_close_matches(str(literal.value), intents, n=1)
            hint = f"probably meant: {close[0]}" if close else f"there are {', '.join(intents)}"
            raise Mistake(f"there is no intent '{literal.value}'; {hint}", place(node))

    def _kind(self, operand: Operand) -> str | None:
        match operand:
            case Field(name):
                return self._names.kind(name)
            case Literal(str()):
                return "text"
            case Attribute():
                return None  # it is read as what it is compared with
        return "number"

    def _operand(self, node: exp.Expr) -> Operand:
        match node:
            case exp.Paren():
                return self._operand(node.this)
            case exp.Literal() if node.is_string:
                return Literal(checked_text(node.this, node))
            case exp.Literal():
                return Literal(number(node.this, node))
            case exp.Neg() if isinstance(node.this, exp.Literal) and not node.this.is_string:
                return Literal(-number(node.this.this, node))
            case exp.Boolean():
                return Literal("true" if node.this else "false")
            case exp.Column() if node.table:
                return self._of_attributes(node)
            case exp.Column():
                return self._named(node)
            case exp.Anonymous():
                return self._function(node)
            case exp.Null():
                raise Mistake("nothing equals null: write 'is null' or 'is not null'", place(node))
        raise Mistake(f"'{shown(node)}' is not part of the language of rules: {_LANGUAGE}", place(node))

    def _of_attributes(self, node: exp.Column) -> Operand:
        if node.table.lower() != ATTRIBUTES or node.args.get("db"):
            raise Mistake(f"'{shown(node)}': only {ATTRIBUTES} have names with a dot", place(node))
        return Attribute(checked_text(node.name, node))

    def _named(self, node: exp.Column) -> Operand:
        name = node.name
        if name.lower() in LISTS:
            raise Mistake(f"{name} is a list of products: write 'ID' in {name.lower()}", place(node))
        if self._names.kind(name.lower()):
            return Field(name.lower())
        meant = self._names.nearest(name)
        if meant:
            raise Mistake(
                f"nothing is called '{name}'; probably meant: {meant}. An attribute of that name is written"
                f" {ATTRIBUTES}.{name}",
                place(node),
            )
        if node.this.args.get("quoted"):
            raise Mistake(f"\"{name}\" is a name; a text stands in single quotes: '{name}'", place(node))
        return Attribute(checked_text(name, node))

    def _function(self, node: exp.Anonymous) -> Operand:
        name = str(node.this).lower()
        arguments = [self._operand(argument) for argument in node.expressions]
        match name, arguments:
            case "attribute", [Literal(str(attribute))]:
                return Attribute(attribute)
            case (("views" | "carts" | "orders" | "events"), [Literal(float(days))]):
                return Count(name, days_of(days, node))
            case (("views" | "carts" | "orders" | "events"), [Literal(str(subject)), Literal(float(days))]):
                return count(name, subject, days_of(days, node), node)
        if name in MEASURES:
            raise Mistake(f"{name} takes a text and days, or days alone: {name}('Shoes', 7)", place(node))
        close = get_close_matches(name, [*MEASURES, "attribute"], n=1)
        hint = f"; probably meant: {close[0]}" if close else f": there are {', '.join(MEASURES)}"
        raise Mistake(f"there is no function '{name}'{hint}", place(node))


_LANGUAGE = "and or not ( ) = <> < <= > >= between in is null, and views, carts, orders, events"
