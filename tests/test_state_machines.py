"""The definitions of the state machines against the template that fills them in, and against the language."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint_all  # type: ignore[import-untyped]

from local.emulator import ROOT
from tests.support.template import template

MACHINES = {
    name: resource["Properties"]
    for name, resource in template()["Resources"].items()
    if resource["Type"] == "AWS::Serverless::StateMachine"
}
PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


def text_of(machine: str) -> str:
    return Path(ROOT / MACHINES[machine]["DefinitionUri"]).read_text()


def definition(machine: str) -> Any:
    """The definition with a number, or a name where the text expects one, in place of each placeholder."""
    text = text_of(machine).replace("arn:${Partition}:", "arn:aws:")
    return json.loads(PLACEHOLDER.sub("2", re.sub(r'"\$\{(\w+)\}"', r'"\1"', text)))


def states(part: Any) -> list[dict[str, Any]]:
    """Every state, those inside of others included."""
    if not isinstance(part, dict):
        return []
    own = list(part["States"].values()) if "States" in part else []
    return own + [state for value in part.values() for state in states(value)]


def faults(definition: Any) -> list[str]:
    """What cfn-lint says against a definition, hints excepted."""
    properties = {"RoleArn": "arn:aws:iam::123456789012:role/r", "Definition": definition}
    resource = {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}
    matches = lint_all(json.dumps({"Resources": {"Machine": resource}}))
    return [str(match) for match in matches if not match.rule.id.startswith("I")]


def test_every_definition_belongs_to_a_machine() -> None:
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "statemachines").iterdir()}
    assert files == {machine["DefinitionUri"] for machine in MACHINES.values()}


@pytest.mark.parametrize("machine", MACHINES)
def test_the_template_fills_in_every_placeholder_and_no_other(machine: str) -> None:
    assert {*PLACEHOLDER.findall(text_of(machine))} == {*MACHINES[machine]["DefinitionSubstitutions"]}


@pytest.mark.parametrize("machine", MACHINES)
def test_the_definition_is_valid(machine: str) -> None:
    assert faults(definition(machine)) == []


@pytest.mark.parametrize("machine", MACHINES)
def test_every_task_is_tried_again(machine: str) -> None:
    tasks = [state for state in states(definition(machine)) if state["Type"] == "Task"]
    assert len(tasks) >= (1 if machine in ("JourneysStateMachine", "MirrorExportsStateMachine") else 2)
    for task in tasks:
        assert task["Retry"][-1]["ErrorEquals"] == ["States.ALL"]
        assert task["Retry"][-1]["MaxAttempts"] > 0


def test_a_broken_definition_would_be_found() -> None:
    (machine, *_) = MACHINES
    assert faults(definition(machine) | {"StartAt": "nowhere"}) != []
