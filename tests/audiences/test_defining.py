"""Audiences as people write them in a file."""

import pytest

from shared.audiences.audience import MOST_AUDIENCES
from shared.audiences.defining import MOST_BYTES, Mistakes, as_definition, read_audiences
from tests.audiences.random_rules import NAMES

CONTRACT = """
[[audience]]
key = "win_back"
name = "Worth winning back"
where = "churn_probability > 0.6 and expected_ltv > 200 and region = 'DE' and views('Shoes', 7) = 0"
holdout = 0.1
action = "win_back_offer"
destinations = ["hubspot"]

[[audience]]
key = "all"
where = "tenure >= 0"
"""


def test_the_file_of_the_contract_is_read() -> None:
    some = read_audiences(CONTRACT, NAMES)

    assert [one.key for one in some.all] == ["win_back", "all"]
    first, second = some.all
    assert (first.holdout, first.action, first.destinations) == (0.1, "win_back_offer", ("hubspot",))
    assert second.name == "all"
    assert as_definition(second) == {"key": "all", "name": "all", "where": "tenure >= 0"}


def test_all_mistakes_are_told_at_once() -> None:
    text = """
    [[audience]]
    key = "Win Back"
    where = "tenure > 1"
    [[audience]]
    key = "a"
    where = "tenur > 1"
    [[audience]]
    where = "tenure > 1"
    [[audience]]
    key = "b"
    where = "tenure > 1"
    holdout = 1.5
    [[audience]]
    key = "c"
    where = "tenure > 1"
    colour = "red"
    [[audience]]
    key = "d"
    where = "tenure > 1"
    [[audience]]
    key = "d"
    where = "tenure > 1"
    """
    with pytest.raises(Mistakes) as error:
        read_audiences(text, NAMES)

    mistakes = error.value.mistakes
    assert len(mistakes) == 6
    assert "probably meant: tenure" in mistakes[1]
    assert mistakes[5] == "d: two audiences have this key"


@pytest.mark.parametrize(
    "text",
    [
        "[[audience]",
        "audience = 3",
        "colour = 1",
        "holdout = -0.1",
        "#" * (MOST_BYTES + 1),
        "a = " + "[" * 5_000,
        "\n".join(f"[[audience]]\nkey = 'a{i}'\nwhere = 'tenure > 1'" for i in range(MOST_AUDIENCES + 1)),
    ],
)
def test_what_is_no_such_file_is_refused(text: str) -> None:
    with pytest.raises(Mistakes):
        read_audiences(text, NAMES)
