"""Invocations that run one at a time, each stopping before every call to AWS and wherever it sleeps."""

from __future__ import annotations

import io
import random
import secrets
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import boto3
import urllib3
from aws_lambda_powertools.event_handler.api_gateway import BaseRouter
from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError

from tests.simulation.expressions import Item
from tests.simulation.faults import Killed
from tests.simulation.release import Outside
from tests.simulation.table import Refused

OF_A_PROCESS = ("current_event", "lambda_context")

type Perform = Callable[[str, str, Item], Item]


class Context(LambdaContext):
    """What Lambda tells a function of its invocation."""

    _memory_limit_in_mb = 1769

    def __init__(self, function: str, request: str, remaining_ms: Callable[[], int]) -> None:
        self._function_name = function
        self._aws_request_id = request
        self._remaining_ms = remaining_ms
        self._invoked_function_arn = f"arn:aws:lambda:eu-west-1:123456789012:function:{function}"

    def get_remaining_time_in_millis(self) -> int:  # type: ignore[override]
        return self._remaining_ms()


class Worker:
    """One invocation in a thread of its own, which goes on only while `step` waits for it."""

    def __init__(self, name: str, job: Callable[[], Any], deadline_ms: int, kept: dict[str, str]) -> None:
        self.name = name
        self.deadline_ms = deadline_ms
        self.kept = kept
        self.waits_for: tuple[str, str, Item] | None = None
        """The call that it is about to make."""
        self.wakes_ms = 0
        """Until when it sleeps."""
        self.alive = True
        self.killed = False
        self.result: Any = None
        self.error: BaseException | None = None
        self._job = job
        self._turn = threading.Lock()
        self._stopped = threading.Lock()
        self._turn.acquire()
        self._stopped.acquire()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def step(self) -> None:
        """Lets it go on until it stops again, or has ended."""
        self._turn.release()
        self._stopped.acquire()
        if not self.alive:
            self._thread.join()

    def kill(self) -> None:
        """Ends it where it stands: nothing of it reaches AWS any more."""
        self.killed = True
        while self.alive:
            self.step()

    def stop(self) -> None:
        """Called by the invocation: waits for its turn."""
        if not self.killed:
            # Powertools keeps a request on a class, which is one of many here and the only one in a process of Lambda.
            request = {name: getattr(BaseRouter, name, None) for name in OF_A_PROCESS}
            self._stopped.release()
            self._turn.acquire()
            for name, value in request.items():
                setattr(BaseRouter, name, value)
        if self.killed:
            raise Killed

    def _run(self) -> None:
        _current.worker = self
        self._turn.acquire()
        try:
            if not self.killed:
                self.result = self._job()
        except Killed as error:
            self.killed = True
            self.error = error
        except BaseException as error:
            self.error = error
        self.alive = False
        self._stopped.release()


class _Current(threading.local):
    worker: Worker | None = None


_current = _Current()


class Surroundings:
    """What the code under test gets of the outside world: time, chance and clients, all of one world."""

    def __init__(self) -> None:
        self.now_ms: Callable[[], int] = lambda: 0
        self.perform: Perform = lambda service, operation, request: {}
        self.rng = random.Random()
        self.slots = random.Random()
        """Chance of its own: what is drawn of it changes nothing else that a seed plays."""

    def modules(self) -> dict[str, Any]:
        """Stand-ins by the name they are imported under."""
        clock = Outside(
            time,
            time=lambda: self.now_ms() / 1_000,
            time_ns=lambda: self.now_ms() * 1_000_000,
            monotonic=lambda: self.now_ms() / 1_000,
            sleep=self._sleep,
        )
        chance = Outside(
            random,
            random=lambda: self.rng.random(),
            uniform=lambda a, b: self.rng.uniform(a, b),
            randrange=lambda *at: self.rng.randrange(*at),
            choice=lambda among: self.rng.choice(among),
        )
        ids = Outside(uuid, uuid4=lambda: uuid.UUID(int=self.rng.getrandbits(128), version=4))
        utilities = Outside(parameters, parameters=Outside(parameters, get_secret=self._secret))
        return {
            "time": clock,
            "random": chance,
            "secrets": Outside(secrets, randbelow=lambda end: self.slots.randrange(end)),
            "uuid": ids,
            "boto3": Outside(boto3, client=self.client),
            "urllib3": Outside(urllib3, PoolManager=lambda **_: Vendors(self)),
            "aws_lambda_powertools.utilities": utilities,
        }

    def client(self, service: str, *_: Any, **__: Any) -> Any:
        """Boto3's own client, whose calls end here."""
        if service not in _CLIENTS:
            client = boto3.client(service, region_name="eu-west-1")  # type: ignore[call-overload]
            client._make_api_call = lambda operation, request: _surroundings_of(client)._call(
                client, service, operation, request
            )
            if service == "s3":
                client.copy = lambda source, bucket, key, extra=None, **_: client.copy_object(
                    CopySource=source, Bucket=bucket, Key=key, **(extra or {})
                )
            _CLIENTS[service] = client
        _CLIENTS[service].surroundings = self
        return _CLIENTS[service]

    def stop_before(self, service: str, operation: str, request: Item) -> None:
        """Lets others go on before a call."""
        if worker := _current.worker:
            worker.waits_for = (service, operation, request)
            worker.stop()
            worker.waits_for = None

    def _call(self, client: Any, service: str, operation: str, request: Item) -> Item:
        self.stop_before(service, operation, request)
        try:
            return {**self.perform(service, operation, request), "ResponseMetadata": {"HTTPStatusCode": 200}}
        except Refused as refused:
            answer = {
                "Error": {"Code": refused.code, "Message": refused.message},
                "ResponseMetadata": {"HTTPStatusCode": refused.status},
                **refused.more,
            }
            error: type[ClientError] = client.exceptions.from_code(refused.code)
            raise error(answer, operation) from None  # type: ignore[arg-type]

    def _sleep(self, seconds: float) -> None:
        if worker := _current.worker:
            worker.wakes_ms = self.now_ms() + round(seconds * 1_000)
            worker.stop()

    def _secret(self, name: str, max_age: int = 5) -> str:
        # Each process asks once, and keeps it.
        kept = _current.worker.kept if _current.worker else {}
        if name not in kept:
            kept[name] = str(self.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])
        return kept[name]


class Vendors:
    """Connections to destinations, in the place of urllib3's."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings

    def request(self, method: str, url: str, body: bytes | None, headers: dict[str, str], **_: Any) -> Any:
        """The vendor's answer, or the error that urllib3 has for none."""
        request = {"method": method, "url": url, "headers": headers, "body": body or b""}
        self._surroundings.stop_before("vendor", "Call", request)
        answer = self._surroundings.perform("vendor", "Call", request)
        return urllib3.HTTPResponse(
            io.BytesIO(answer["body"]), answer["headers"], answer["status"], preload_content=False
        )


_CLIENTS: dict[str, Any] = {}


def _surroundings_of(client: Any) -> Surroundings:
    surroundings: Surroundings = client.surroundings
    return surroundings
