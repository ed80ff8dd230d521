"""Every alarm has its section in the runbook, and every section something to do."""

import re

import pytest

from tests.e2e.test_runbook import TROUBLES
from tests.support.runbook import commands, sections
from tests.support.template import template

ALARMS = sorted(
    name for name, resource in template()["Resources"].items() if resource["Type"] == "AWS::CloudWatch::Alarm"
)


def section_of(alarm: str) -> str:
    """The places of destinations are all alike."""
    return re.sub(r"^Destination\d", "Destination", alarm)


def test_every_alarm_has_a_section_and_every_section_of_an_alarm_has_its_alarm() -> None:
    assert sorted(title for title in sections() if title.endswith("Alarm")) == sorted({*map(section_of, ALARMS)})


@pytest.mark.parametrize("alarm", ALARMS)
def test_a_section_says_what_to_do(alarm: str) -> None:
    assert commands(sections()[section_of(alarm)])


def test_every_command_is_tried_on_a_deployed_stack() -> None:
    said = {" ".join(command).removeprefix("uv run python -m ") for command in commands()}
    assert said == {*TROUBLES, ".venv-sam/bin/sam delete --stack-name tessera --no-prompts"}


@pytest.mark.parametrize("alarm", ALARMS)
def test_an_alarm_tells_somebody_when_it_goes_off_and_when_it_is_over(alarm: str) -> None:
    properties = template()["Resources"][alarm]["Properties"]
    actions = {"If": ["HasAlarmEmail", [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]}
    assert properties["AlarmActions"] == properties["OKActions"] == actions
    assert properties["AlarmDescription"].endswith(".")


def test_every_dead_letter_queue_has_an_alarm() -> None:
    resources = template()["Resources"]
    queues = {name for name in resources if name.endswith(("DeadLetterQueue", "UnstartedRunsQueue"))}
    watched = {
        value["GetAtt"].partition(".")[0]
        for alarm in ALARMS
        for dimension in resources[alarm]["Properties"].get("Dimensions", ())
        if isinstance(value := dimension["Value"], dict) and "GetAtt" in value
    }
    assert len(queues) >= 5
    assert queues <= watched


def test_every_rule_keeps_what_it_cannot_deliver() -> None:
    resources = template()["Resources"]
    rules = [resource for resource in resources.values() if resource["Type"] == "AWS::Events::Rule"]
    targets = [target for rule in rules for target in rule["Properties"]["Targets"]]
    events = [
        event["Properties"]
        for resource in resources.values()
        if resource["Type"] == "AWS::Serverless::StateMachine"
        for event in resource["Properties"].get("Events", {}).values()
    ]
    assert len(targets) == 10 and len(events) == 3
    others = [target for target in [*targets, *events] if not target.get("Id", "").endswith("DeadLetterQueue")]
    assert len(others) == 12
    assert all("DeadLetterConfig" in target for target in others)
