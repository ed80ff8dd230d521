"""Clients of the simulated services, without a world around them."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from tests.simulation.table import Refused


class Client:
    """A client of a service in memory; `turn` comes before each call."""

    def __init__(self, service: Any, turn: Callable[[str], None] = lambda _name: None) -> None:
        self._service = service
        self._turn = turn
        refused = type("ConditionalCheckFailedException", (ClientError,), {})
        self.exceptions = SimpleNamespace(ConditionalCheckFailedException=refused, ClientError=ClientError)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            self._turn(name)
            try:
                return getattr(self._service, name)(request)
            except Refused as error:
                kind = getattr(self.exceptions, error.code, ClientError)
                raise kind({"Error": {"Code": error.code}}, name) from error

        return call

    def get_paginator(self, name: str) -> Any:
        return SimpleNamespace(paginate=lambda **request: [getattr(self, name)(**request)])
