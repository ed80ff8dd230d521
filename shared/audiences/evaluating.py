"""Whether rules hold of customers: trees over NumPy columns, in the three-valued logic of SQL.

A comparison with something unknown is unknown, and so is its opposite; a rule holds of those of whom it is true.
Numbers that features and predictions are compared with are rounded to float32, as these are: what is shown as 0.6 is
not above 0.6.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.audiences.counting import Happened
from shared.audiences.rules import (
    All,
    AnyOf,
    Attribute,
    Comparison,
    Condition,
    Count,
    Field,
    IsNull,
    Literal,
    Not,
    Operand,
    Recommended,
    Rule,
)
from shared.features import FEATURE_NAMES, Profiles

type Ints = NDArray[np.int64]
type Mask = NDArray[np.bool_]
type Column = NDArray[Any]
"""Numbers, float64 with NaN for what is unknown, or texts, with None for it [n]."""
type Lists = Mapping[str, Sequence[Sequence[str]]]
"""Ids of the products that are recommended to each customer, by the name of the list [n each]."""

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
"""An attribute that is compared with a number is read as one where it looks like this, and is unknown elsewhere."""

OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "=": np.equal,
    "<>": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


@dataclass(frozen=True)
class Truth:
    """Whether a condition is true of each customer, and whether it is false; where it is neither, it is unknown [n]."""

    true: Mask
    false: Mask


class Histories:
    """What rules ask of customers' histories, made once for all instants."""

    def __init__(self, profiles: Profiles, recommended: Lists | None = None) -> None:
        """With what is recommended now, which is taken to stay so; None where nothing is."""
        self._profiles = profiles
        self.recommended = recommended
        self._places: dict[Recommended, Column] = {}
        self._happened: dict[Count, Happened] = {}
        self._attributes: dict[str, tuple[Column, Ints]] = {}

    def count(self, count: Count, who: Ints, at_ms: Ints | int) -> Ints:
        """What a `count` comes to at each instant, for the customers at the positions `who` [m]."""
        if count not in self._happened:
            self._happened[count] = Happened(count, self._profiles)
        return self._happened[count].counts(who, at_ms)

    def attribute(self, name: str, who: Ints, at_ms: Ints | int) -> Column:
        """What is known under a name before each instant, as texts; None where nothing is [m]."""
        if name not in self._attributes:
            self._attributes[name] = self._values(name)
        values, said_ms = self._attributes[name]
        known = values[who]
        known[said_ms[who] >= at_ms] = None
        return known

    def place(self, condition: Recommended, who: Ints) -> Column:
        """The place of a product in a list, from 1, for the customers at the positions `who`; 0 where it is not
        recommended [m]."""
        if self.recommended is None:
            return np.zeros(len(who))
        if condition not in self._places:
            lists = self.recommended[condition.among]
            places = [one.index(condition.product) + 1 if condition.product in one else 0 for one in lists]
            self._places[condition] = np.array(places, float)
        return self._places[condition][who]

    def happened(self, count: Count) -> Happened:
        """The things that a `count` counts."""
        self.count(count, np.empty(0, np.int64), 0)
        return self._happened[count]

    def said(self, name: str) -> tuple[Column, Ints]:
        """What is known of each customer under a name, and when it was said, UTC milliseconds [n_profiles each]."""
        self.attribute(name, np.empty(0, np.int64), 0)
        return self._attributes[name]

    def _values(self, name: str) -> tuple[Column, Ints]:
        attributes = self._profiles.attributes
        values = np.full(len(self._profiles), None, object)
        said_ms = np.zeros(len(self._profiles), np.int64)
        if name in attributes.names:
            some = np.flatnonzero(attributes.name == attributes.names.index(name))
            texts = np.array([_text(value) for value in attributes.values] + [None], object)[:-1]
            values[attributes.owner[some]] = texts[attributes.value[some]]
            said_ms[attributes.owner[some]] = attributes.time_ms[some]
        return values, said_ms


@dataclass
class Customers:
    """Customers at an instant each, as rules see them. What was asked once is not computed again."""

    features: NDArray[np.float32]
    """[n, len(FEATURE_NAMES)], NaN where undefined."""
    decided: Mapping[str, Column]
    """What a bundle and the intents say, by the names of fields; those it lacks are unknown of everybody [n each]."""
    histories: Histories
    who: Ints
    """Their positions in the histories [n]."""
    at_ms: Ints | int
    """UTC milliseconds; one for all, or one each [n]."""
    _asked: dict[int, tuple[Operand, Column]] = field(default_factory=dict)
    _judged: dict[int, tuple[Condition, Truth]] = field(default_factory=dict)
    # By what they are and not by what they say, as a hash of a tree takes longer than many a comparison: rules of one
    # document share what they have in common.

    def __len__(self) -> int:
        return len(self.who)

    def holds(self, rule: Rule) -> Mask:
        """Of whom a rule is true [n]."""
        return self.truth(rule).true

    def truth(self, rule: Rule) -> Truth:
        """Of whom a rule is true and of whom it is false."""
        match rule:
            case Not(part):
                truth = self.truth(part)
                return Truth(truth.false, truth.true)
            case All(parts):
                truths = [self.truth(part) for part in parts]
                return Truth(_all([t.true for t in truths]), _any([t.false for t in truths]))
            case AnyOf(parts):
                truths = [self.truth(part) for part in parts]
                return Truth(_any([t.true for t in truths]), _all([t.false for t in truths]))
            case Comparison() | IsNull() | Recommended():
                if id(rule) not in self._judged:
                    self._judged[id(rule)] = rule, self._judge(rule)
                return self._judged[id(rule)][1]

    def value(self, operand: Operand) -> Column:
        """What is known of each customer [n]; of a literal, the same of all."""
        if isinstance(operand, Literal):
            return np.full(len(self), operand.value, float if isinstance(operand.value, float) else object)
        if id(operand) not in self._asked:
            self._asked[id(operand)] = operand, self._value(operand)
        return self._asked[id(operand)][1]

    def _value(self, operand: Field | Attribute | Count) -> Column:
        match operand:
            case Count():
                return self.histories.count(operand, self.who, self.at_ms).astype(float)
            case Attribute(name):
                return self.histories.attribute(name, self.who, self.at_ms)
            case Field(name) if name in _FEATURE:
                return self.features[:, _FEATURE[name]].astype(float)
            case Field(name):
                values = self.decided.get(name)
                if values is None:
                    return np.full(len(self), np.nan)
                return values if values.dtype == object else values.astype(float)

    def _judge(self, condition: Condition) -> Truth:
        if isinstance(condition, IsNull):
            is_known = _known(self.value(condition.operand))
            return Truth(~is_known, is_known)
        if isinstance(condition, Recommended):
            places = self.histories.place(condition, self.who)
            return Truth(places > 0, ~(places > 0))
        left, right = self._sides(condition)
        known: Mask = _known(left) & _known(right)
        operation = OPERATIONS[condition.operator]
        if left.dtype != object and right.dtype != object:
            true = operation(left, right) & known
        else:
            true = np.zeros(len(self), bool)
            some = np.flatnonzero(known)
            true[some] = operation(_at(left, some), _at(right, some))
        return Truth(true, known & ~true)

    def _sides(self, condition: Comparison) -> tuple[Column, Column]:
        """Both sides [n each, or 1 for a literal]: both numbers or both texts."""
        sides = condition.left, condition.right
        left, right = (self._side(side, other) for side, other in (sides, sides[::-1]))
        if left.dtype != right.dtype and object in (left.dtype, right.dtype):
            return _as_numbers(left), _as_numbers(right)
        return left, right

    def _side(self, operand: Operand, other: Operand) -> Column:
        if not isinstance(operand, Literal):
            return self.value(operand)
        return np.array([compared_with(operand, other)], object if isinstance(operand.value, str) else float)


_FEATURE = {name: i for i, name in enumerate(FEATURE_NAMES)}


def compared_with(literal: Literal, other: Operand) -> float | str:
    """A literal as another operand is compared with it."""
    is_number = isinstance(literal.value, float)
    return float(np.float32(literal.value)) if is_number and isinstance(other, Field) else literal.value


def as_number(text: str | None) -> float:
    """The number that a text is; NaN where it is none."""
    return float(text) if text is not None and NUMBER.fullmatch(text) else float("nan")


def _text(value: str) -> str:
    """An attribute, which is stored as JSON, as the text that rules compare."""
    known = json.loads(value)
    return known if isinstance(known, str) else value


def _as_numbers(values: Column) -> NDArray[np.float64]:
    return np.array([as_number(text) for text in values], float) if values.dtype == object else values


def _known(values: Column) -> Mask:
    known: Mask = np.not_equal(values, np.array(None)) if values.dtype == object else ~np.isnan(values)
    return known


def _at(values: Column, some: NDArray[np.intp]) -> Column:
    return np.repeat(values, len(some)) if len(values) == 1 else values[some]


def _all(masks: list[Mask]) -> Mask:
    every: Mask = np.logical_and.reduce(masks)
    return every


def _any(masks: list[Mask]) -> Mask:
    some: Mask = np.logical_or.reduce(masks)
    return some
