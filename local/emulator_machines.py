"""State machines as they are on AWS; run by ministack's own Python, never imported by the project.

ministack 1.5.33 has them do everything, whatever their roles may do, lets what they have started run on when they are
stopped, and has none start a build. Here
- what a task asks for is checked against the role of its machine, and recorded as the rights of functions are;
- a build that is waited for fails the task where it fails;
- whoever is stopped stops the build and the runs that it waits for, and tries nothing again.
"""

import json
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import emulator_rights  # type: ignore[import-not-found]  # it stands beside this script
from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import codebuild, stepfunctions

type Record = dict[str, Any]

LOOK_EVERY_SECONDS = 0.2
STARTED_BY = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"
WAITS = ".sync"

_execution: ContextVar[Any] = ContextVar("execution", default=None)
"""Which run of a state machine a thread is at work for."""
_execute_task: Any = stepfunctions._execute_task
_invoke_resource: Any = stepfunctions._invoke_resource
_stop_execution: Any = stepfunctions._stop_execution


class _Stopped(Exception):
    """The run of the state machine was stopped meanwhile."""


def install() -> None:
    """Puts what is missing in its place."""
    stepfunctions._execute_task = _execute_task_of
    stepfunctions._invoke_resource = _invoke_what_is_allowed
    stepfunctions._stop_execution = _stop_with_others
    stepfunctions._SERVICE_DISPATCH["arn:aws:states:::codebuild:startBuild"] = _start_build


def _execute_task_of(state: Any, given: Any, execution: Any, context: Any) -> Any:
    token = _execution.set(execution)
    try:
        return _execute_task(state, given, execution, context)
    except _Stopped:
        return given, None
    finally:
        _execution.reset(token)


# ---- Rights ----------------------------------------------------------------------------------------------------------


def _invoke_what_is_allowed(resource: str, given: Any) -> Any:
    machine = stepfunctions._state_machines.get((_execution.get() or {}).get("stateMachineArn"))
    if machine:
        for action, arn in _asked_for(resource, given):
            _check(machine, action, arn)
    return _invoke_resource(resource, given)


def _asked_for(resource: str, given: Any) -> Iterator[tuple[str, str]]:
    """The rights that a task needs, and to what."""
    waits = WAITS in resource
    here = f"{get_region()}:{get_account_id()}"
    if "states:::lambda:invoke" in resource:
        yield "lambda:InvokeFunction", given["FunctionName"]
    elif "states:::states:startExecution" in resource:
        machine = given["StateMachineArn"]
        yield "states:StartExecution", machine
        if waits:
            yield "states:DescribeExecution", f"{machine.replace(':stateMachine:', ':execution:')}:any"
            yield "events:PutRule", f"arn:aws:events:{here}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
    elif "states:::codebuild:startBuild" in resource:
        project = f"arn:aws:codebuild:{here}:project/{given['ProjectName']}"
        yield "codebuild:StartBuild", project
        if waits:
            yield "codebuild:BatchGetBuilds", project
            yield "events:PutRule", f"arn:aws:events:{here}:rule/StepFunctionsGetEventForCodeBuildStartBuildRule"
    elif "states:::events:putEvents" in resource:
        for entry in given["Entries"]:
            bus = entry.get("EventBusName", "default")
            yield "events:PutEvents", bus if bus.startswith("arn:") else f"arn:aws:events:{here}:event-bus/{bus}"


def _check(machine: Record, action: str, arn: str) -> None:
    key = emulator_rights.credentials(machine["roleArn"], machine["name"])["AWS_ACCESS_KEY_ID"]
    principal = iam_evaluator.resolve_principal(key, get_account_id())
    context = iam_evaluator.EvalContext(
        principal_arn=principal.arn,
        principal_type=principal.type,
        principal_account=principal.account,
        action=action,
        resource_arn=arn,
        region=get_region(),
        principal_keys=principal.keys,
    )
    denied = iam_evaluator.evaluate(context, principal.policies, *principal.limits).decision != "Allow"
    emulator_rights.keep(key, action, arn, denied)
    if denied:
        raise stepfunctions._ExecutionError("States.TaskFailed", f"{principal.arn} is not allowed {action} on {arn}")


# ---- Builds, and what is stopped -------------------------------------------------------------------------------------


def _start_build(resource: str, given: Record) -> Record:
    asked = {name[0].lower() + name[1:]: value for name, value in given.items()}
    status, _, body = codebuild._start_build(asked)
    answer = json.loads(body)
    if status >= 400:
        raise stepfunctions._ExecutionError(f"CodeBuild.{answer['__type']}", answer["message"])
    build = codebuild._builds[answer["build"]["id"]]
    execution = _execution.get() or {}
    while resource.endswith(WAITS) and build["buildStatus"] == "IN_PROGRESS":
        if execution.get("status") == "ABORTED":
            codebuild._stop_build({"id": build["id"]})
            raise _Stopped
        time.sleep(LOOK_EVERY_SECONDS)
    output = {"Build": _as_states_have_it(build)}
    if resource.endswith(WAITS) and build["buildStatus"] != "SUCCEEDED":
        raise stepfunctions._ExecutionError("States.TaskFailed", json.dumps(output))
    return output


def _as_states_have_it(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_states_have_it(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    return {name[0].upper() + name[1:]: _as_states_have_it(inner) for name, inner in value.items()}


def _stop_with_others(data: Record) -> Any:
    """Stops the runs as well that this one has started and waits for; its build it stops itself."""
    stopped = data.get("executionArn", "")
    for arn, execution in [*stepfunctions._executions.items()]:
        if stopped and f'"{STARTED_BY}": "{stopped}"' in execution["input"] and execution["status"] == "RUNNING":
            _stop_with_others({"executionArn": arn})
    return _stop_execution(data)
