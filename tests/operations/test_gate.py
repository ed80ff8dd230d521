"""What delivers events is stopped and started again, and what somebody had stopped before stays stopped."""

from typing import Any

import pytest

from operations import gate
from operations.stack import DeployedStack, OperationError

GONE = "gone"


class Lambda:
    """Event source mappings that take a look to change their state."""

    class exceptions:  # noqa: N801
        ResourceNotFoundException = KeyError

    def __init__(self, **states: str) -> None:
        self.states = states
        self.stuck = False
        self.refreshes = True

    def get_event_source_mapping(self, UUID: str) -> dict[str, str]:
        state = self.states[UUID]
        if not self.stuck:
            self.states[UUID] = {"Disabling": "Disabled", "Enabling": "Enabled"}.get(state, state)
        return {"State": state}

    def update_event_source_mapping(self, UUID: str, Enabled: bool) -> None:
        self.states[UUID] = "Enabling" if Enabled else "Disabling"

    def put_function_concurrency(self, FunctionName: str, ReservedConcurrentExecutions: int) -> None:
        self.refreshes = ReservedConcurrentExecutions > 0

    def delete_function_concurrency(self, FunctionName: str) -> None:
        self.refreshes = True


class Stack(DeployedStack):
    def __init__(self, functions: Lambda) -> None:
        self.functions = functions

    def client(self, service: str, config: Any = None) -> Any:
        return self.functions

    def resource(self, logical_id: str) -> str:
        return logical_id

    def of_type(self, kind: str) -> list[str]:
        return [*self.functions.states, GONE]


def no_sleep(_seconds: float) -> None:
    return


def test_all_that_is_on_is_stopped_and_named() -> None:
    functions = Lambda(files="Enabled", live="Enabling", streams="Disabled")
    assert gate.stop(Stack(functions), no_sleep) == ["files", "live"]
    assert {*functions.states.values()} == {"Disabled"}
    assert not functions.refreshes


def test_what_was_stopped_starts_again_and_nothing_else() -> None:
    functions = Lambda(files="Disabled", streams="Disabled")
    gate.start(Stack(functions), ["files", "of a stack before"], no_sleep)
    assert functions.states == {"files": "Enabled", "streams": "Disabled"}
    assert functions.refreshes


def test_what_does_not_stop_is_named_in_the_end() -> None:
    functions = Lambda(files="Enabled")
    functions.stuck = True
    with pytest.raises(OperationError, match="not Disabled after 300 s: files"):
        gate.stop(Stack(functions), no_sleep)
