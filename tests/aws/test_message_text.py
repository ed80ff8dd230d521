"""JSON whose texts hold what SQS refuses keeps its values."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.aws.message_text import message_text


@given(st.dictionaries(st.text(), st.text()))
def test_a_message_holds_the_same_values(values: dict[str, str]) -> None:
    assert json.loads(message_text(json.dumps(values, ensure_ascii=False))) == values


@pytest.mark.parametrize("refused", ["\x00", "\x0b", "\x1f", "\ud800", "\ufffe", "\uffff"])
def test_a_character_that_sqs_refuses_is_escaped(refused: str) -> None:
    assert message_text(f'"a{refused}"') == f'"a\\u{ord(refused):04x}"'


@pytest.mark.parametrize("taken", ["\t", "\n", "größe 😀"])
def test_what_sqs_takes_stays(taken: str) -> None:
    assert message_text(taken) == taken
