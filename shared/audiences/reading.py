"""Rules read from text: a closed subset of SQL's conditions, parsed by sqlglot where a rule is defined.

    churn_probability > 0.6 and region = 'DE' and views('Shoes', 7) = 0

docs/audiences.md has the language. Functions that decide evaluate the tree that comes of it and never load this module.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from math import isfinite
from typing import Any

from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError

from shared.audiences.rules import (
    LONGEST_TEXT,
    MEASURES,
    MOST_DAYS,
    MOST_PARTS,
    SUBJECTS,
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
    Rule,
    operands,
    size,
)
from shared.features import EVENT_TYPES, FEATURE_NAMES

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
_LIKELY = 0.75
"""How alike a name nobody knows and one of ours are, for it to be taken for a mistake and not for an attribute."""


class Mistake(ValueError):
    """A rule cannot be read. The message is for whoever wrote it and quotes it: it belongs in answers, not in logs."""

    def __init__(self, message: str, at: int | None = None) -> None:
        super().__init__(message if at is None else f"at character {at}: {message}")
        self.at = at
        """Where the mistake is, in characters from 1; None where that is not known."""


@dataclass(frozen=True)
class Names:
    """The names that rules may use beside attributes, which anything may be."""

    numbers: frozenset[str]
    intents: tuple[str, ...]
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
        close = get_close_matches(name.lower(), [*self.numbers, *self.texts, *MEASURES], n=1, cutoff=_LIKELY)
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
        found: dict[str, Any] = error.errors[0] if error.errors else {}
        word = found.get("highlight")
        start = len(found.get("start_context") or "")
        whole = text[:start] == found.get("start_context")
        what = f"'{word}' does not fit here" if word else "the rule does not end as it should"
        raise Mistake(what, start + 1 if whole and word else None) from None
    except (SqlglotError, RecursionError):
        raise Mistake("the rule cannot be read: is a quote open?") from None


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
            case exp.In() if node.expressions:
                left = self._asked(node.this)
                one_of = [self._compared("=", left, self._operand(value), node) for value in node.expressions]
                return AnyOf(tuple(one_of))
            case exp.Column():
                raise Mistake(f"'{node.name}' is compared with nothing", _place(node))
        operator = _COMPARISONS.get(type(node))
        if operator:
            return self._compared(operator, self._operand(node.this), self._operand(node.expression), node)
        raise Mistake(f"'{_shown(node)}' is not part of the language of rules: {_LANGUAGE}", _place(node))

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
            raise Mistake(f"'{_shown(node)}' is asked of nobody", _place(node))
        return operand

    def _compared(self, operator: str, left: Operand, right: Operand, node: exp.Expr) -> Comparison:
        kinds = {self._kind(left), self._kind(right)} - {None}
        if len(kinds) > 1:
            raise Mistake(f"'{_shown(node)}' compares a number with a text", _place(node))
        for field, literal in ((left, right), (right, left)):
            if isinstance(field, Field) and field.name == INTENT and isinstance(literal, Literal):
                self._check_intent(literal, node)
        if isinstance(left, Literal) and isinstance(right, Literal):
            raise Mistake(f"'{_shown(node)}' is the same for everybody", _place(node))
        return Comparison(operator, left, right)

    def _check_intent(self, literal: Literal, node: exp.Expr) -> None:
        intents = self._names.intents
        if literal.value not in intents:
            close = get_close_matches(str(literal.value), intents, n=1)
            hint = f"probably meant: {close[0]}" if close else f"there are {', '.join(intents)}"
            raise Mistake(f"there is no intent '{literal.value}'; {hint}", _place(node))

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
                return Literal(_checked_text(node.this, node))
            case exp.Literal():
                return Literal(_number(node.this, node))
            case exp.Neg() if isinstance(node.this, exp.Literal) and not node.this.is_string:
                return Literal(-_number(node.this.this, node))
            case exp.Boolean():
                return Literal("true" if node.this else "false")
            case exp.Column() if node.table:
                return self._of_attributes(node)
            case exp.Column():
                return self._named(node)
            case exp.Anonymous():
                return self._function(node)
            case exp.Null():
                raise Mistake("nothing equals null: write 'is null' or 'is not null'", _place(node))
        raise Mistake(f"'{_shown(node)}' is not part of the language of rules: {_LANGUAGE}", _place(node))

    def _of_attributes(self, node: exp.Column) -> Operand:
        if node.table.lower() != ATTRIBUTES or node.args.get("db"):
            raise Mistake(f"'{_shown(node)}': only {ATTRIBUTES} have names with a dot", _place(node))
        return Attribute(_checked_text(node.name, node))

    def _named(self, node: exp.Column) -> Operand:
        name = node.name
        if self._names.kind(name.lower()):
            return Field(name.lower())
        meant = self._names.nearest(name)
        if meant:
            raise Mistake(
                f"nothing is called '{name}'; probably meant: {meant}. An attribute of that name is written"
                f" {ATTRIBUTES}.{name}",
                _place(node),
            )
        if node.this.args.get("quoted"):
            raise Mistake(f"\"{name}\" is a name; a text stands in single quotes: '{name}'", _place(node))
        return Attribute(_checked_text(name, node))

    def _function(self, node: exp.Anonymous) -> Operand:
        name = str(node.this).lower()
        arguments = [self._operand(argument) for argument in node.expressions]
        match name, arguments:
            case "attribute", [Literal(str(attribute))]:
                return Attribute(attribute)
            case (("views" | "carts" | "orders" | "events"), [Literal(float(days))]):
                return Count(name, _days(days, node))
            case (("views" | "carts" | "orders" | "events"), [Literal(str(subject)), Literal(float(days))]):
                return _count(name, subject, _days(days, node), node)
        if name in MEASURES:
            raise Mistake(f"{name} takes a text and days, or days alone: {name}('Shoes', 7)", _place(node))
        close = get_close_matches(name, [*MEASURES, "attribute"], n=1)
        hint = f"; probably meant: {close[0]}" if close else f": there are {', '.join(MEASURES)}"
        raise Mistake(f"there is no function '{name}'{hint}", _place(node))


_LANGUAGE = "and or not ( ) = <> < <= > >= between in is null, and views, carts, orders, events"


def _count(measure: str, subject: str, days: int, node: exp.Expr) -> Count:
    """`category: Shoes` says what Shoes is; of `events`, a name that is a type of events is that."""
    before, colon, after = subject.partition(":")
    if colon and before.strip().lower() in SUBJECTS:
        of: str | None = before.strip().lower()
        subject = after.strip()
    else:
        of = "type" if measure == "events" and subject in EVENT_TYPES else None
        close = get_close_matches(subject, EVENT_TYPES, n=1, cutoff=_LIKELY)
        if measure == "events" and of is None and close:
            raise Mistake(
                f"no type of events is called '{subject}'; probably meant: {close[0]}. A category of that name is"
                f" written 'category: {subject}'",
                _place(node),
            )
    if of == "type":
        _check_type(measure, subject, node)
    if not subject:
        raise Mistake(f"{measure} counts those of a subject without a name", _place(node))
    return Count(measure, days, subject, of)


def _check_type(measure: str, subject: str, node: exp.Expr) -> None:
    if measure != "events":
        raise Mistake(f"{measure} are of one type already: events('type: {subject}', …)", _place(node))
    if subject not in EVENT_TYPES:
        close = get_close_matches(subject, EVENT_TYPES, n=1)
        hint = f"; probably meant: {close[0]}" if close else ""
        raise Mistake(f"'{subject}' is kept as other activity and cannot be told apart{hint}", _place(node))


def _checked_text(text: str, node: exp.Expr) -> str:
    if len(text) > LONGEST_TEXT:
        raise Mistake(f"a text has more than {LONGEST_TEXT} characters", _place(node))
    return text


def _number(text: str, node: exp.Expr) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise Mistake(f"'{text}' is not a number that can be compared with", _place(node))
    return value


def _days(value: float, node: exp.Expr) -> int:
    if value != int(value) or not 0 < value <= MOST_DAYS:
        raise Mistake(f"days are a whole number from 1 to {MOST_DAYS:,}", _place(node))
    return int(value)


def _shown(node: exp.Expr) -> str:
    text = node.sql("duckdb")
    return text if len(text) <= 80 else f"{text[:77]}…"


def _place(node: exp.Expr) -> int | None:
    """Where the first name within a node stands; sqlglot keeps the places of names alone."""
    places = [named.meta["start"] for named in node.find_all(exp.Identifier) if "start" in named.meta]
    own = node.meta.get("start")
    return min([*places, *([own] if own is not None else [])], default=-1) + 1 or None
