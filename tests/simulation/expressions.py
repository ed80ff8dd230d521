"""DynamoDB's condition, filter, key and update expressions, as far as the functions use them."""

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

type Item = dict[str, Any]
type Operand = Callable[[Item, Mapping[str, str], Item], Any]
type Test = Callable[[Item, Mapping[str, str], Item], bool]

_TOKEN = re.compile(r"\s*(<=|>=|<>|[=<>(),+-]|[#:]?\w+)")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_CLAUSES = ("SET", "REMOVE", "ADD", "DELETE")


def plain(value: Any) -> Any:
    """An attribute value as what compares like it."""
    if value is None:
        return None
    ((kind, inner),) = value.items()
    return Decimal(inner) if kind == "N" else inner


def holds(expression: str | None, item: Item, names: Mapping[str, str], values: Item) -> bool:
    """Whether a condition is true of an item; of none given it is."""
    return expression is None or _condition(expression)(item, names, values)


@lru_cache(maxsize=256)
def _condition(expression: str) -> Test:
    tokens = _Tokens(expression)
    test = _either(tokens)
    assert tokens.done, f"not understood: {expression}"
    return test


class _Tokens:
    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)
        assert "".join(self._tokens) == re.sub(r"\s", "", text), f"not understood: {text}"

    @property
    def done(self) -> bool:
        return not self._tokens

    def peek(self) -> str:
        return self._tokens[0] if self._tokens else ""

    def take(self) -> str:
        token: str = self._tokens.pop(0)
        return token

    def accept(self, word: str) -> bool:
        if self.peek().upper() != word:
            return False
        self.take()
        return True


def _either(tokens: _Tokens) -> Test:
    parts = [_both(tokens)]
    while tokens.accept("OR"):
        parts.append(_both(tokens))
    return lambda item, names, values: any(part(item, names, values) for part in parts)


def _both(tokens: _Tokens) -> Test:
    parts = [_one(tokens)]
    while tokens.accept("AND"):
        parts.append(_one(tokens))
    return lambda item, names, values: all(part(item, names, values) for part in parts)


def _one(tokens: _Tokens) -> Test:
    if tokens.accept("NOT"):
        inner = _one(tokens)
        return lambda item, names, values: not inner(item, names, values)
    if tokens.accept("("):
        inner = _either(tokens)
        assert tokens.accept(")")
        return inner
    word = tokens.peek()
    if word in ("attribute_exists", "attribute_not_exists", "begins_with"):
        return _function(tokens)
    left = _operand(tokens)
    if tokens.accept("BETWEEN"):
        low = _operand(tokens)
        assert tokens.accept("AND")
        high = _operand(tokens)
        return lambda *at: _ordered(low(*at), left(*at)) and _ordered(left(*at), high(*at))
    compare = _COMPARE[tokens.take()]
    right = _operand(tokens)

    def compared(item: Item, names: Mapping[str, str], values: Item) -> bool:
        a, b = left(item, names, values), right(item, names, values)
        return a is not None and b is not None and compare(plain(a), plain(b))

    return compared


def _ordered(low: Any, high: Any) -> bool:
    return low is not None and high is not None and bool(plain(low) <= plain(high))


def _function(tokens: _Tokens) -> Test:
    name = tokens.take()
    assert tokens.accept("(")
    path = _operand(tokens)
    prefix = _operand(tokens) if tokens.accept(",") else path
    assert tokens.accept(")")
    if name == "attribute_exists":
        return lambda *at: path(*at) is not None
    if name == "attribute_not_exists":
        return lambda *at: path(*at) is None
    return lambda *at: path(*at) is not None and plain(path(*at)).startswith(plain(prefix(*at)))


def _operand(tokens: _Tokens) -> Operand:
    token = tokens.take()
    if token.startswith(":"):
        return lambda item, names, values: values[token]
    if token.startswith("#"):
        return lambda item, names, values: item.get(names[token])
    if token == "if_not_exists":
        assert tokens.accept("(")
        path = _operand(tokens)
        assert tokens.accept(",")
        other = _operand(tokens)
        assert tokens.accept(")")
        return lambda *at: other(*at) if path(*at) is None else path(*at)
    return lambda item, names, values: item.get(token)


def updated(expression: str, item: Item, names: Mapping[str, str], values: Item) -> Item:
    """The item after an update expression."""
    after = dict(item)
    for change in _update(expression):
        change(item, names, values, after)
    return after


type Change = Callable[[Item, Mapping[str, str], Item, Item], None]


@lru_cache(maxsize=256)
def _update(expression: str) -> list[Change]:
    tokens = _Tokens(expression)
    changes = []
    while not tokens.done:
        clause = tokens.take().upper()
        assert clause in _CLAUSES, f"not understood: {expression}"
        changes += [*_changes(clause, tokens)]
    return changes


def _changes(clause: str, tokens: _Tokens) -> Iterator[Change]:
    while True:
        name = tokens.take()
        yield {"SET": _set, "REMOVE": _remove, "ADD": _add, "DELETE": _delete}[clause](name, tokens)
        if not tokens.accept(","):
            return


def _name(token: str, names: Mapping[str, str]) -> str:
    return names[token] if token.startswith("#") else token


def _set(name: str, tokens: _Tokens) -> Change:
    assert tokens.accept("=")
    value = _operand(tokens)
    sign = tokens.take() if tokens.peek() in ("+", "-") else ""
    other = _operand(tokens) if sign else value

    def change(item: Item, names: Mapping[str, str], values: Item, after: Item) -> None:
        result = value(item, names, values)
        if sign:
            more = plain(other(item, names, values))
            result = {"N": str(plain(result) + more if sign == "+" else plain(result) - more)}
        after[_name(name, names)] = result

    return change


def _remove(name: str, tokens: _Tokens) -> Change:
    return lambda item, names, values, after: after.pop(_name(name, names), None) and None


def _add(name: str, tokens: _Tokens) -> Change:
    value = _operand(tokens)

    def change(item: Item, names: Mapping[str, str], values: Item, after: Item) -> None:
        ((kind, new),) = value(item, names, values).items()
        known = item.get(_name(name, names), {kind: "0" if kind == "N" else []})[kind]
        total = str(Decimal(known) + Decimal(new)) if kind == "N" else sorted({*known, *new})
        after[_name(name, names)] = {kind: total}

    return change


def _delete(name: str, tokens: _Tokens) -> Change:
    value = _operand(tokens)

    def change(item: Item, names: Mapping[str, str], values: Item, after: Item) -> None:
        ((kind, gone),) = value(item, names, values).items()
        left = [one for one in item.get(_name(name, names), {kind: []})[kind] if one not in gone]
        after.pop(_name(name, names), None)
        if left:
            after[_name(name, names)] = {kind: left}

    return change
