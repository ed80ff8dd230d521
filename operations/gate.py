"""What delivers events to the functions of a stack, stopped while its table is made anew and started again after."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from operations.stack import DeployedStack, OperationError

ON, OFF = "Enabled", "Disabled"
WAIT_SECONDS = 300.0
TICKING = "RefreshSegmentsFunction"
"""Who is due is decided on by a schedule, which no event source mapping leads to."""


def stop(stack: DeployedStack, sleep: Callable[[float], None] = time.sleep) -> list[str]:
    """Stops every event source mapping of the stack that is on, and the refresh; returns the mappings that were on.

    Whatever is sent meanwhile waits where it was sent to. Raises OperationError and ClientError.
    """
    mappings = stack.of_type("AWS::Lambda::EventSourceMapping")
    client = stack.client("lambda")
    running = [uuid for uuid in mappings if _state(client, uuid) in (ON, "Enabling")]
    client.put_function_concurrency(FunctionName=stack.resource(TICKING), ReservedConcurrentExecutions=0)
    _switch(client, running, OFF, sleep)
    return running


def start(stack: DeployedStack, mappings: Iterable[str], sleep: Callable[[float], None] = time.sleep) -> None:
    """Starts the refresh and those of the mappings that the stack still has. Raises OperationError and ClientError."""
    client = stack.client("lambda")
    _switch(client, sorted({*mappings} & {*stack.of_type("AWS::Lambda::EventSourceMapping")}), ON, sleep)
    client.delete_function_concurrency(FunctionName=stack.resource(TICKING))


def _switch(client: Any, mappings: list[str], state: str, sleep: Callable[[float], None]) -> None:
    for uuid in mappings:
        client.update_event_source_mapping(UUID=uuid, Enabled=state == ON)
    waited = 0.0
    while others := [uuid for uuid in mappings if _state(client, uuid) != state]:
        if waited >= WAIT_SECONDS:
            raise OperationError(f"event source mappings are not {state} after {waited:g} s: {', '.join(others)}")
        sleep(1.0)
        waited += 1.0


def _state(client: Any, uuid: str) -> str:
    try:
        return str(client.get_event_source_mapping(UUID=uuid)["State"])
    except client.exceptions.ResourceNotFoundException:
        return OFF  # taken away by hand: nothing comes by it
