import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.destinations.messages import ENTERED, ERASED, JOB, MOVED, STEP, NoMessage, body, read
from shared.destinations.steps import Conditions, Quiet
from tests.destinations.accounts import NOW_MS
from tests.destinations.worlds import message, queued, step

TOLD: dict[str, Any] = {"customer_id": "a", "transition_id": "t", "at": "2026-01-01T00:00:00Z"}
SENT = {**TOLD, "campaign": "c", "audience": "x", "entered_at": "2017-10-01T00:00:00Z", "stop_when": [], "quiet": None}
WRONG_STEPS: tuple[dict[str, Any], ...] = (
    {"campaign": 7},
    {"entered_at": "yesterday"},
    {"stop_when": ["rains"]},
    {"stop_when": 5},
    {"stop_when": [[]]},
    {"quiet": [1]},
    {"quiet": [1, 1_440]},
    {"quiet": ["a", "b"]},
    {"audience": 7},
)


def test_a_message_says_whom_it_is_about() -> None:
    read_back = message("a", kind=ENTERED, audience="win_back", arm="control")
    assert (read_back.customer_id, read_back.at_ms, read_back.audience) == ("a", NOW_MS + 1, "win_back")
    assert read_back.is_held_back
    assert not message("a").is_held_back
    assert message("a", audience="x").audience is None
    assert step("a").campaign == "hello"
    sending = step("a", stop_when=["orders"], quiet=[1_260, 480])
    assert sending.conditions == Conditions("cart", NOW_MS, ("orders",), Quiet(1_260, 480))
    assert message("a", campaign="hello").campaign is None
    assert "win_back" not in repr(read_back).partition("body=")[0]


@pytest.mark.parametrize(
    ("kind", "detail"),
    [
        (MOVED, {}),
        (MOVED, {**TOLD, "at": "soon"}),
        (MOVED, {**TOLD, "at": 1e308}),
        (MOVED, {**TOLD, "at": -1}),
        (MOVED, {**TOLD, "customer_id": 7}),
        (MOVED, {**TOLD, "customer_id": "a" * 1000}),
        (ENTERED, TOLD),
        (STEP, TOLD),
        *((STEP, {**SENT, **wrong}) for wrong in WRONG_STEPS),
        (ENTERED, {**TOLD, "audience": ["x"]}),
        ("Something Else", TOLD),
        (JOB, {"job": "1", "rows": [[1, 2]]}),
        (JOB, {"rows": []}),
        (ERASED, {"customer_id": "a"}),
        (MOVED, []),
    ],
)
def test_what_no_rule_sends_is_refused(kind: str, detail: Any) -> None:
    with pytest.raises(NoMessage):
        read(queued(body("crm", kind, detail)))


@given(
    st.text()
    | st.recursive(st.none() | st.text() | st.floats(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)).map(
        json.dumps
    )
)
def test_whatever_a_queue_holds_is_a_message_or_refused(text: str) -> None:
    with pytest.raises(NoMessage):
        read(queued(text))


def test_a_name_is_one_that_a_destination_may_have() -> None:
    with pytest.raises(NoMessage):
        read(queued(body("../x", MOVED, TOLD)))


def test_characters_that_queues_refuse_are_escaped() -> None:
    text = body("crm", MOVED, {**TOLD, "customer_id": "\x00￾"})
    assert "\x00" not in text
    assert read(queued(text)).customer_id == "\x00￾"
