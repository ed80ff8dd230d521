"""A rule of an audience: a small tree of comparisons, as it is stored and as functions evaluate it.

A rule is read from text once (`reading`), and from there on is this tree, whose JSON form is one list a node.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from shared.recommending.lists import LISTS

OPERATORS = ("=", "<>", "<", "<=", ">", ">=")
MEASURES = ("views", "carts", "orders", "events")
SUBJECTS = ("category", "brand", "product", "campaign", "type")
"""What the events that are counted may have in common."""
MOST_PARTS = 200
"""Nodes of a rule, at most: what a decision can evaluate without being noticed."""
MOST_DAYS = 3_650
LONGEST_TEXT = 256


class NotARule(ValueError):
    """A stored tree is none that this code knows."""


@dataclass(frozen=True, slots=True)
class Field:
    """A feature, a prediction, or what else a decision says: `segment`, `micro_segment`, `margin`, `intent`."""

    name: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """What is known of the customer under a name."""

    name: str


@dataclass(frozen=True, slots=True)
class Count:
    """How many views, carts, orders or events there were in the last `days`, of one subject or of any."""

    measure: str
    days: int
    subject: str | None = None
    """The category, brand, product …; None for any."""
    of: str | None = None
    """Which of SUBJECTS that is; None where it may be a category, a brand or a product."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A number or a text; what is true or false is the text `true` or `false`, as attributes are."""

    value: float | str


type Operand = Field | Attribute | Count | Literal


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two operands; unknown where one of them is."""

    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class IsNull:
    """Whether an operand is not known. Never unknown itself."""

    operand: Operand


@dataclass(frozen=True, slots=True)
class Recommended:
    """Whether a product is among those recommended. Never unknown: without a recommender nothing is."""

    product: str
    """Its id."""
    among: str
    """Which of LISTS."""


type Condition = Comparison | IsNull | Recommended


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite; unknown where that is."""

    part: Rule


@dataclass(frozen=True, slots=True)
class All:
    """False where one part is, else unknown where one is."""

    parts: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True where one part is, else unknown where one is."""

    parts: tuple[Rule, ...]


type Rule = Condition | Not | All | AnyOf


def conditions(rule: Rule) -> Iterator[Condition]:
    """The leaves of a rule, from left to right."""
    match rule:
        case Comparison() | IsNull() | Recommended():
            yield rule
        case Not(part):
            yield from conditions(part)
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from conditions(part)


def operands(rule: Rule) -> Iterator[Operand]:
    """All operands of a rule, from left to right."""
    for condition in conditions(rule):
        yield from operands_of(condition)


def operands_of(condition: Condition) -> tuple[Operand, ...]:
    """What a condition compares, from left to right."""
    match condition:
        case Comparison(_, left, right):
            return left, right
        case IsNull(operand):
            return (operand,)
        case Recommended():
            return ()


def asks_recommendations(rule: Rule) -> bool:
    """Whether a rule asks what is recommended."""
    return any(isinstance(condition, Recommended) for condition in conditions(rule))


def size(rule: Rule) -> int:
    """How many nodes a rule has."""
    match rule:
        case Not(part):
            return 1 + size(part)
        case All(parts) | AnyOf(parts):
            return 1 + sum(map(size, parts))
        case _:
            return 1


def shared(rule: Rule, known: dict[Any, Any]) -> Rule:
    """The same rule made of the nodes in `known` where they are equal, which learns those that are new."""

    def one[N](node: N) -> N:
        return known.setdefault(node, node)  # type: ignore[no-any-return]

    match rule:
        case Comparison(operator, left, right):
            return one(Comparison(operator, one(left), one(right)))
        case IsNull(operand):
            return one(IsNull(one(operand)))
        case Recommended():
            return one(rule)
        case Not(part):
            return Not(shared(part, known))
        case All(parts):
            return All(tuple(shared(part, known) for part in parts))
        case AnyOf(parts):
            return AnyOf(tuple(shared(part, known) for part in parts))


def shown(node: Condition | Operand) -> str:
    """A condition as it is written."""
    match node:
        case Field(name):
            return name
        case Attribute(name):
            return f"attributes.{name}" if name.isidentifier() else f"attribute({_quoted(name)})"
        case Count(measure, days, None):
            return f"{measure}({days})"
        case Count(measure, days, subject, of):
            return f"{measure}({_quoted(f'{of}: {subject}' if of else str(subject))}, {days})"
        case Literal(str() as text):
            return _quoted(text)
        case Literal(value):
            return f"{value:.15g}"
        case Comparison(operator, left, right):
            return f"{shown(left)} {operator} {shown(right)}"
        case IsNull(operand):
            return f"{shown(operand)} is null"
        case Recommended(product, among):
            return f"{_quoted(product)} in {among}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# ---- As JSON ---------------------------------------------------------------------------------------------------------


def to_json(node: Rule | Operand) -> list[Any]:
    """The tree as lists, each of which begins with what it is."""
    match node:
        case Field(name):
            return ["field", name]
        case Attribute(name):
            return ["attribute", name]
        case Count(measure, days, subject, of):
            return ["count", measure, days, subject, of]
        case Literal(value):
            return ["literal", value]
        case Comparison(operator, left, right):
            return [operator, to_json(left), to_json(right)]
        case IsNull(operand):
            return ["is null", to_json(operand)]
        case Recommended(product, among):
            return ["recommended", product, among]
        case Not(part):
            return ["not", to_json(part)]
        case All(parts):
            return ["and", *map(to_json, parts)]
        case AnyOf(parts):
            return ["or", *map(to_json, parts)]


def from_json(tree: Any) -> Rule:
    """The rule of a stored tree. Raises NotARule, and reads no deeper than MOST_PARTS."""
    rule = _rule(tree, MOST_PARTS)
    if size(rule) > MOST_PARTS:
        raise NotARule(f"a rule has more than {MOST_PARTS} parts")
    return rule


def _rule(tree: Any, depth: int) -> Rule:
    if not depth:
        raise NotARule("a rule is too deep")
    match tree:
        case [str(operator), left, right] if operator in OPERATORS:
            return Comparison(operator, _operand(left), _operand(right))
        case ["is null", operand]:
            return IsNull(_operand(operand))
        case ["recommended", str(product), str(among)] if among in LISTS:
            return Recommended(product, among)
        case ["not", part]:
            return Not(_rule(part, depth - 1))
        case ["and", *parts] if parts:
            return All(tuple(_rule(part, depth - 1) for part in parts))
        case ["or", *parts] if parts:
            return AnyOf(tuple(_rule(part, depth - 1) for part in parts))
    raise NotARule("a rule has a part of an unknown kind")


def _operand(tree: Any) -> Operand:
    match tree:
        case ["field", str(name)]:
            return Field(name)
        case ["attribute", str(name)]:
            return Attribute(name)
        case ["count", str(measure), int(days), str() | None as subject, str() | None as of] if (
            measure in MEASURES and 0 < days <= MOST_DAYS and (of is None or of in SUBJECTS)
        ):
            return Count(measure, days, subject, of)
        case ["literal", bool()]:
            pass
        case ["literal", (float() | int()) as number]:
            return Literal(float(number))
        case ["literal", str(text)]:
            return Literal(text)
    raise NotARule("a rule compares something of an unknown kind")
