import json
from typing import Any

import pytest

from operations import start
from operations.stack import DeployedStack


class States:
    """Step Functions with one run, which is asked for twice before it ends."""

    def __init__(self, end: dict[str, str]) -> None:
        self.end, self.begun, self._left = end, list[dict[str, Any]](), 2

    def start_execution(self, **given: Any) -> dict[str, str]:
        self.begun.append(given)
        return {"executionArn": "arn:aws:states:::execution:tessera-rescore-customers:one"}

    def describe_execution(self, executionArn: str) -> dict[str, str]:
        self._left -= 1
        return {"status": "RUNNING"} if self._left >= 0 else self.end


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> States:
    made = States({"status": "SUCCEEDED"})
    monkeypatch.setattr(DeployedStack, "client", lambda self, service: made)
    monkeypatch.setattr(DeployedStack, "resource", lambda self, name: name)
    monkeypatch.setattr(start, "LOOK_EVERY_SECONDS", 0)
    return made


def test_a_run_is_started_and_waited_for(states: States, capsys: pytest.CaptureFixture[str]) -> None:
    assert start.main(["rescore"]) == 0
    assert states.begun == [{"stateMachineArn": "RescoreCustomersStateMachine", "input": "{}"}]
    assert capsys.readouterr().out.splitlines() == [
        "run one: its parts and report are below reports/rescore/one of the data bucket",
        "succeeded",
    ]


def test_a_run_that_fails_says_why_and_is_status_1(states: States, capsys: pytest.CaptureFixture[str]) -> None:
    states.end = {"status": "FAILED", "cause": "Some files are not in."}
    assert start.main(["backfill", "--prefix", "history/2016/", "--run", "before"]) == 1
    assert json.loads(states.begun[0]["input"]) == {"prefix": "history/2016/", "run": "before"}
    assert capsys.readouterr().out.splitlines()[1:] == ["failed", "Some files are not in."]


def test_a_run_need_not_be_waited_for(states: States) -> None:
    states.end = {"status": "FAILED"}
    assert start.main(["rescore", "--no-wait"]) == 0


def test_learning_is_started_as_the_others_are(states: States, capsys: pytest.CaptureFixture[str]) -> None:
    assert start.main(["learn", "--run", "night"]) == 0
    assert states.begun == [{"stateMachineArn": "LearnStateMachine", "input": '{"run": "night"}'}]
    assert "below reports/learning/ of" in capsys.readouterr().out
