"""The state machines and the callers of the API, as processes of the world."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from shared.decisions.decision import iso
from tests.simulation.sources import Failed, Invoke, Process, Wait

if TYPE_CHECKING:
    from tests.simulation.world import World

PARTITIONS = 2
SETTLE_SECONDS = 930
RETRIES = 6


def rescore(world: World, run: str) -> Process:
    """An execution of statemachines/rescore_customers.asl.json."""
    since = iso(world.now_ms)
    for sweep in (1, 2):
        name = run if sweep == 1 else f"{run}.2"
        parts = [
            _until_done({"run": name, "since": since, "segment": i, "segments": PARTITIONS}, "rescore_customers")
            for i in range(PARTITIONS)
        ]
        yield [world.start(part) for part in parts]
        outcome = yield from _tried({"kind": "rescore", "run": name, "parts": PARTITIONS}, "summarise_run")
        if isinstance(outcome, Failed) or outcome["unfinished"] > 0:
            world.failed_runs.append(("rescore", run))
            return
        if outcome["superseded"]:
            return
        if sweep == 1:
            yield Wait(SETTLE_SECONDS)


def later(seconds: float, process: Process) -> Process:
    """A process that begins after some time."""
    yield Wait(seconds)
    yield from process


def backfill(world: World, run: str, given: dict[str, str]) -> Process:
    """An execution of statemachines/backfill_events.asl.json."""
    planned = yield from _tried({"execution": run, "input": given}, "plan_backfill")
    if isinstance(planned, Failed):
        if type(planned.error).__name__ != "NothingToDo":
            world.failed_runs.append(("backfill", run))
        return
    batches = json.loads(world.cloud.objects.latest(planned["plan"]) or b"[]")
    yield [world.start(_until_done({"run": planned["run"], "batch": one}, "backfill_events")) for one in batches]
    event = {"kind": "backfill", "run": planned["run"], "parts": planned["batches"]}
    outcome = yield from _tried(event, "summarise_run")
    if isinstance(outcome, Failed) or outcome["unfinished"] > 0:
        world.failed_runs.append(("backfill", run))


def export(world: World, run: str) -> Process:
    """An execution of statemachines/export_tables.asl.json."""
    parts = [
        _until_done({"run": run, "segment": i, "segments": PARTITIONS}, "export_tables") for i in range(PARTITIONS)
    ]
    yield [world.start(part) for part in parts]
    outcome = yield from _tried({"run": run, "parts": PARTITIONS}, "finish_export")
    if isinstance(outcome, Failed) or outcome["unfinished"] > 0:
        world.failed_runs.append(("export", run))
    elif not outcome["reconciles"]:
        world.findings.append(f"the export {run} does not reconcile")
    elif not outcome["superseded"]:
        measured = yield from _tried({"date": outcome["date"]}, "measure_results")
        if not isinstance(measured, Failed):
            measured = yield from _tried({"date": outcome["date"]}, "measure_drift")
        if isinstance(measured, Failed):
            world.failed_runs.append(("export", run))


def journey(world: World, given: dict[str, Any]) -> Process:
    """An execution of statemachines/advance_journey.asl.json."""
    while True:
        following = yield from _tried(given, "advance_journey")
        if isinstance(following, Failed):
            world.failed_runs.append(("journey", json.dumps(given)))
            return
        if following["state"] == "ended":
            return
        yield Wait(following["seconds"])


def _until_done(event: dict[str, Any], function: str) -> Process:
    while True:
        answer = yield from _tried(event, function)
        if isinstance(answer, Failed) or answer["done"]:
            return


def _tried(event: dict[str, Any], function: str) -> Any:
    wait = 2.0
    for attempt in range(RETRIES + 1):
        answer = yield Invoke(function, event)
        if not isinstance(answer, Failed) or type(answer.error).__name__ == "NothingToDo":
            return answer
        if attempt < RETRIES:
            yield Wait(wait)
            wait = min(wait * 2, 120)
    return answer


def request(
    method: str, path: str, number: int, body: Any = None, query: dict[str, str] | None = None
) -> dict[str, Any]:
    """A request as API Gateway hands it over."""
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": {"Content-Type": "application/json"},
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": {name: [value] for name, value in (query or {}).items()} or None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "requestId": f"request-{number:06d}",
            "identity": {"sourceIp": "192.0.2.1"},
            "httpMethod": method,
            "path": path,
            "resourcePath": path,
            "stage": "v1",
        },
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


def called(
    world: World, function: str, event: dict[str, Any], until: int | tuple[int, ...], answers: list[Any]
) -> Process:
    """A caller who asks again until the answer has a status of `until`; it is then put into `answers`."""
    statuses = (until,) if isinstance(until, int) else until
    while True:
        number = world.next_request()
        asked = {**event, "requestContext": {**event["requestContext"], "requestId": f"request-{number:06d}"}}
        answer = yield Invoke(function, asked)
        if not isinstance(answer, Failed) and answer["statusCode"] in statuses:
            answers.append(json.loads(answer["body"]))
            return
        if not isinstance(answer, Failed) and answer["statusCode"] < 500:
            world.findings.append(f"{function} answered {answer['statusCode']}: {answer['body']}")
            return
        yield Wait(world.rng.choice([1, 10, 100]))
