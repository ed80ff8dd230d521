"""A function as it stands in a warm container of Lambda, over an AWS in this process."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.typing import LambdaContext

from bench.aws_stub import BUCKET, TABLE, AwsStub
from shared.models.layout import MANIFEST_FILE, ONNX_FILE, POINTER_KEY, bundle_key

MARKS, DESTINATIONS = "bench/marks", "bench/destinations/"
"""Names of secrets: that of marks, and what those of destinations begin with."""
_ENVIRONMENT = {
    "DATA_BUCKET": BUCKET,
    "TABLE_NAME": TABLE,
    "TABLE_EPOCH": "",
    "TIME_ZONE": "UTC",
    "CURRENCY": "",
    "FROZEN_TIME": "2018-01-01T00:00:00Z",
    "MARK_SECRET": MARKS,
    "DESTINATION_SECRETS": DESTINATIONS,
    "DELIVERY_RETENTION_DAYS": "400",
    "ARCHIVE_RETENTION_DAYS": "0",
    "QUARANTINE_RETENTION_DAYS": "400",
    "CALLERS": "roles",
    "LIVE_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/live",
    "ERASURE_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/erasures",
    "POWERTOOLS_SERVICE_NAME": "tessera",
    "POWERTOOLS_METRICS_NAMESPACE": "Tessera",
    "POWERTOOLS_TRACE_DISABLED": "true",
}
"""As template.yaml has it, at the instant of the made-up shop."""


class Context(LambdaContext):
    """What Lambda tells a function of its invocation."""

    _function_name = "function"
    _memory_limit_in_mb = 1769
    _invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:function"
    _aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """As much as an invocation has at its beginning."""
        return 900_000


class Container:
    """A function with clients of its own, to be called while it is `awake`."""

    def __init__(self, function: str, aws: AwsStub) -> None:
        self._aws = aws
        self._secrets = SecretsProvider(boto3_client=aws.client("secretsmanager"))
        self._context = Context()
        with self.awake():
            self.app = _fresh(f"functions.{function}.app")

    def __call__(self, event: Mapping[str, Any]) -> Any:
        """The handler's answer."""
        return self.app.handler(event, self._context)

    @contextmanager
    def awake(self) -> Iterator[None]:
        """Meanwhile there is the function's environment, and what it says of itself goes where nobody reads it."""
        with ExitStack() as stack:
            stack.enter_context(patch.dict(os.environ, _ENVIRONMENT))
            from shared.telemetry.logs import logger, metrics  # which look at the environment when they are loaded

            nowhere = stack.enter_context(Path(os.devnull).open("w"))
            stack.enter_context(redirect_stdout(nowhere))
            for handler in logger.handlers:
                if isinstance(handler, logging.StreamHandler):
                    stack.callback(handler.setStream, handler.stream)
                    handler.setStream(nowhere)
            stack.enter_context(
                patch.dict(
                    "aws_lambda_powertools.utilities.parameters.base.DEFAULT_PROVIDERS", {"secrets": self._secrets}
                )
            )
            stack.enter_context(patch.object(metrics.provider, "namespace", "Tessera"))
            stack.enter_context(self._aws.in_place())
            yield


def publish(aws: AwsStub, folder: Path) -> None:
    """Makes the bundle in a folder the live one."""
    bundle_id = json.loads((folder / MANIFEST_FILE).read_text())["bundle_id"]
    for name in (MANIFEST_FILE, ONNX_FILE):
        aws.put_object(bundle_key(bundle_id, name), (folder / name).read_bytes())
    aws.put_object(POINTER_KEY, json.dumps({"bundle_id": bundle_id}).encode())


def _fresh(name: str) -> ModuleType:
    """A module of its own, as if it were imported for the first time, which nobody else is given."""
    spec = find_spec(name)
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
