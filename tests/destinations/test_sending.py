import time

import pytest

from shared.destinations import sending
from shared.destinations.contract import Answer, Request
from shared.destinations.sending import Sender, Unanswered
from tests.support.vendors.server import served


def test_an_answer_is_handed_over_as_it_is_and_redirects_are_not_followed() -> None:
    calls: list[Request] = []

    def takes(request: Request) -> Answer:
        calls.append(request)
        return Answer(302, {"Location": "http://127.0.0.1:1/", "Retry-After": "7"}, b"body")

    with served(takes) as url:
        answer = Sender()(Request("PATCH", f"{url}/a?b=c", {"x-own": "1"}, b"said"))
    assert (answer.status, answer.headers["retry-after"], answer.body) == (302, "7", b"body")
    assert [(one.method, one.url, one.headers["x-own"], one.body) for one in calls] == [
        ("PATCH", "/a?b=c", "1", b"said")
    ]


def test_nobody_there_is_told_without_the_address() -> None:
    with pytest.raises(Unanswered) as refusal:
        Sender()(Request("POST", "http://127.0.0.1:1/secret-id", {}))
    assert "secret" not in str(refusal.value)


def test_a_call_that_is_not_answered_in_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "ANSWER_SECONDS", 0.1)

    def late(_: Request) -> Answer:
        time.sleep(0.5)
        return Answer(200)

    with served(late) as url, pytest.raises(Unanswered):
        Sender()(Request("POST", url, {}))


def test_an_answer_without_an_end_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "MOST_ANSWER_BYTES", 1_000)
    with served(lambda _: Answer(200, body=b"x" * 1_000)) as url:
        assert len(Sender()(Request("GET", url, {})).body) == 1_000
    with served(lambda _: Answer(200, body=b"x" * 1_001)) as url, pytest.raises(Unanswered, match="at most"):
        Sender()(Request("GET", url, {}))
