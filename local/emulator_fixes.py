"""Starts ministack with what it lacks of AWS and this system uses; run by its own Python, never imported.

ministack 1.5.33 forgets these, which AWS does:
- PartiQL writes reach a table's stream;
- an announced object has the version that was written;
- of a version of an object a range can be read;
- a queue hands a function as many messages as its batches take, not ten at the most;
- conditions of a template may join, split and select;
- a schedule is on time, not up to ten seconds late;
- an imported OpenAPI document brings its gateway responses, request validators, the models these check with, and what
  the gateway answers by itself.

Two things are as a machine with few processors and a clock that is moved by hand want them: state machines call four
functions at once, and whoever waits in one for minutes or days is woken when the functions are given another time.

What it lacks of the checks of rights is in `emulator_rights.py` beside this file, how builds are run in
`emulator_builds.py`, how jobs of EMR Serverless are in `emulator_jobs.py`, and how state machines start builds, with
rights of their own, in `emulator_machines.py`.

And it unpacks the layer, all 230 MB of it, again for each worker of each function; here all workers of all emulators
share one copy, below the folder that LAYERS names.
"""

import fcntl
import hashlib
import json
import os
import shutil
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import emulator_builds  # type: ignore[import-not-found]  # it stands beside this script
import emulator_jobs  # type: ignore[import-not-found]  # so does it
import emulator_machines  # type: ignore[import-not-found]  # so does it
import emulator_rights  # type: ignore[import-not-found]  # so does it
from ministack.app import main
from ministack.core import lambda_runtime
from ministack.services import apigateway_v1, dynamodb, eventbridge, lambda_svc, s3, sqs, stepfunctions
from ministack.services.cloudformation import changesets, engine, handlers, stacks

PLACES = {"path": "path", "query": "querystring", "header": "header"}

_import_routes = apigateway_v1._import_rest_api
_fire_event, _dispatch_event = s3._fire_s3_event, eventbridge._dispatch_event
_get_object = s3._get_object
_receive: Any = sqs._receive_messages_for_esm
_evaluate = engine._evaluate_conditions
_announced = threading.local()
"""Which version of an object is being announced."""


def _get_range(bucket: str, key: str, headers: Any, query: Any = None) -> Any:
    wanted = headers.get("range")
    if not wanted or not s3._qp(query or {}, "versionId", ""):
        return _get_object(bucket, key, headers, query)
    # A sum of all bytes is not one of some.
    others = {name: value for name, value in headers.items() if name != "x-amz-checksum-mode"}
    status, answered, body = _get_object(bucket, key, others, query)
    span = s3._parse_range(wanted, len(body)) if status == 200 else None
    if span is None:
        return status, answered, body
    first, last = span
    size = {"Content-Length": str(last + 1 - first), "Content-Range": f"bytes {first}-{last}/{len(body)}"}
    return 206, {**answered, **size}, body[first : last + 1]


def _receive_batch(queue_url: str, most: int) -> list[Any]:
    batch: list[Any] = []
    while len(batch) < most and (some := _receive(queue_url, most - len(batch))):
        batch += some
    return batch


def _reach_the_stream(name: str) -> None:
    write: Callable[..., Any] = getattr(dynamodb, name)

    def write_and_tell(table: Any, parsed: Any, *rest: Any) -> Any:
        keep = dynamodb._set_item

        def set_item(table: Any, pk: str, sk: str, item: Any) -> Any:
            old = keep(table, pk, sk, item)
            dynamodb._emit_stream_event(parsed["table"], "MODIFY" if old else "INSERT", old, item)
            return old

        dynamodb._set_item = set_item
        try:
            return write(table, parsed, *rest)
        finally:
            dynamodb._set_item = keep

    setattr(dynamodb, name, write_and_tell)


def _import_whole(spec: Any, data: Any = None) -> Any:
    api = _import_routes(spec, data)
    for kind, response in spec.get("x-amazon-apigateway-gateway-responses", {}).items():
        apigateway_v1._put_gateway_response(api, kind, response)
    for name, schema in spec.get("components", {}).get("schemas", {}).items():
        apigateway_v1._create_model(api, {"name": name, "schema": json.dumps(schema)})
    validators = {
        name: json.loads(apigateway_v1._create_request_validator(api, {"name": name, **checks})[2])["id"]
        for name, checks in spec.get("x-amazon-apigateway-request-validators", {}).items()
    }
    usual = spec.get("x-amazon-apigateway-request-validator")
    for resource in apigateway_v1._resources[api].values():
        for method, stored in resource["resourceMethods"].items():
            operation = spec["paths"][resource["path"]][method.lower()]
            stored["requestValidatorId"] = validators.get(operation.get("x-amazon-apigateway-request-validator", usual))
            stored["requestParameters"] = {
                f"method.request.{PLACES[parameter['in']]}.{parameter['name']}": parameter["required"]
                for parameter in operation.get("parameters", ())
            }
            stored["requestModels"] = {
                kind: body["schema"]["$ref"].rpartition("/")[2]
                for kind, body in operation.get("requestBody", {}).get("content", {}).items()
            }
            given = operation["x-amazon-apigateway-integration"]
            stored["methodIntegration"]["requestTemplates"] = given.get("requestTemplates", {})
            stored["methodIntegration"]["integrationResponses"] = {
                response["statusCode"]: {**response, "selectionPattern": "" if pattern == "default" else pattern}
                for pattern, response in given.get("responses", {}).items()
            }
    return api


def _announce(*given: Any, version_id: str | None = None, **named: Any) -> None:
    _announced.version_id = version_id
    _fire_event(*given, version_id=version_id, **named)


def _dispatch(event: Any, *rest: Any) -> Any:
    version_id = getattr(_announced, "version_id", None)
    if event["Source"] == "aws.s3" and version_id:
        detail = json.loads(event["Detail"])
        detail["object"]["version-id"] = version_id
        event = {**event, "Detail": json.dumps(detail)}
    return _dispatch_event(event, *rest)


def _evaluate_texts(template: dict[str, Any], params: Any) -> Any:
    """Conditions whose texts are put together first, as they are anywhere else in a template."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(inner) for inner in value]
        if not isinstance(value, dict):
            return value
        if value.keys() & {"Fn::Join", "Fn::Select", "Fn::Split"}:
            return engine._resolve_refs(value, {}, params, {}, {}, "", "")
        return {name: plain(inner) for name, inner in value.items()}

    return _evaluate({**template, "Conditions": plain(template.get("Conditions", {}))}, params)


class _UnpackedOnce(zipfile.ZipFile):
    """An archive of a layer is unpacked for all emulators, into a folder that its content names; others as always."""

    _one_at_a_time = threading.Lock()
    _held: ClassVar[dict[Path, int]] = {}
    """What this emulator uses, locked until it ends, so that no other removes it."""

    def namelist(self) -> list[str]:
        """None to check one by one, which takes long: `zipfile` lets no path lead out of its folder."""
        return []

    def extractall(self, path: Any = None, members: Any = None, pwd: bytes | None = None) -> None:
        if not Path(str(self.filename)).name.startswith("layer_"):
            super().extractall(path, self.infolist(), pwd)
            return
        content = repr([(member.filename, member.CRC) for member in self.infolist()]).encode()
        folder = Path(os.environ["LAYERS"], hashlib.blake2b(content, digest_size=16).hexdigest())
        with self._one_at_a_time:
            if folder not in self._held:
                self._held[folder] = self._hold(folder)
        Path(path).rmdir()
        Path(path).symlink_to(folder)
        Path(str(self.filename)).unlink()  # before 95 MB a worker reach the disk

    def _hold(self, folder: Path) -> int:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = folder.parent / "unfinished"
        with (folder.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                for other in filter(_is_unused, folder.parent.glob("?" * len(folder.name))):
                    shutil.rmtree(unfinished, ignore_errors=True)
                    other.rename(unfinished)
                shutil.rmtree(unfinished, ignore_errors=True)
                super().extractall(unfinished, self.infolist())
                unfinished.rename(folder)
            held = os.open(folder, os.O_RDONLY)
            fcntl.flock(held, fcntl.LOCK_SH)
            return held


def _is_unused(folder: Path) -> bool:
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(held)
    return True


class _Waits:
    """Waits of state machines. One that is woken early goes on as if it were over, and what comes next looks anew."""

    LONG_SECONDS = 60
    """Shorter ones are over soon anyway."""
    ALL_FUNCTIONS_SECONDS = 2
    """Functions are given the time one after the other."""

    def __init__(self) -> None:
        self._moved = threading.Condition()
        self._timer = threading.Timer(0, self._wake)
        self._update: Any = lambda_svc._update_config

    def sleep(self, seconds: float) -> None:
        if seconds <= self.LONG_SECONDS:
            time.sleep(max(0.0, seconds))
            return
        with self._moved:
            self._moved.wait(seconds)

    def update_function(self, name: str, data: Any) -> Any:
        if "FROZEN_TIME" in ((data.get("Environment") or {}).get("Variables") or {}):
            self._timer.cancel()
            self._timer = threading.Timer(self.ALL_FUNCTIONS_SECONDS, self._wake)
            self._timer.daemon = True
            self._timer.start()
        return self._update(name, data)

    def _wake(self) -> None:
        with self._moved:
            self._moved.notify_all()


_few = threading.BoundedSemaphore(4)
_call_lambda: Any = stepfunctions._call_lambda


def _call_a_few(reference: Any, payload: Any) -> Any:
    """Others wait their turn; no function of this system calls a state machine and waits for it."""
    with _few:
        return _call_lambda(reference, payload)


if __name__ == "__main__":
    lambda_runtime.zipfile = SimpleNamespace(**vars(zipfile) | {"ZipFile": _UnpackedOnce})
    _reach_the_stream("_partiql_insert")
    _reach_the_stream("_partiql_update")
    apigateway_v1._import_rest_api = _import_whole
    for module in (changesets, engine, handlers, stacks):
        module._evaluate_conditions = _evaluate_texts
    s3._fire_s3_event = _announce
    s3._get_object = _get_range
    sqs._receive_messages_for_esm = _receive_batch
    eventbridge._dispatch_event = _dispatch
    eventbridge._SCHEDULER_TICK_INTERVAL = 1
    waits = _Waits()
    stepfunctions._scaled_sleep = waits.sleep
    lambda_svc._update_config = waits.update_function
    stepfunctions._call_lambda = _call_a_few
    emulator_rights.install()
    emulator_builds.install()
    emulator_jobs.install()
    emulator_machines.install()
    sys.exit(main())
