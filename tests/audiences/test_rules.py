"""Rules as trees, and the trees that are none."""

from typing import Any

import pytest
from hypothesis import given

from shared.audiences.reading import read_rule
from shared.audiences.rules import MOST_PARTS, NotARule, Recommended, conditions, from_json, operands, size, to_json
from tests.audiences.random_rules import NAMES, rules


@given(text=rules)
def test_a_rule_comes_back_from_its_json(text: str) -> None:
    rule = read_rule(text, NAMES)

    assert from_json(to_json(rule)) == rule
    assert 1 <= size(rule) <= MOST_PARTS
    assert all(isinstance(one, Recommended) or set(operands(one)) for one in conditions(rule))


@pytest.mark.parametrize(
    "tree",
    [
        None,
        [],
        ["and"],
        ["nand", ["is null", ["field", "tenure"]]],
        ["=", ["field", "tenure"]],
        ["=", ["field", 1], ["literal", 1]],
        ["=", ["count", "views", 0, None, None], ["literal", 1]],
        ["=", ["count", "views", 7, "Shoes", "colour"], ["literal", 1]],
        ["=", ["count", "buys", 7, None, None], ["literal", 1]],
        ["=", ["literal", True], ["field", "tenure"]],
        ["=", ["literal", None], ["field", "tenure"]],
        ["not", ["field", "tenure"]],
        ["recommended", "p1", "for_nobody"],
        ["recommended", 1, "buy_again"],
    ],
)
def test_what_is_no_rule_is_refused(tree: Any) -> None:
    with pytest.raises(NotARule):
        from_json(tree)


def test_a_rule_is_neither_too_deep_nor_too_long() -> None:
    leaf: Any = ["is null", ["field", "tenure"]]
    deep = leaf
    for _ in range(10_000):
        deep = ["not", deep]

    with pytest.raises(NotARule, match="deep"):
        from_json(deep)
    with pytest.raises(NotARule, match="parts"):
        from_json(["and", *[leaf] * MOST_PARTS])
