"""The destinations of a stack as their files and secrets say now."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from shared.aws.fresh_object import FreshObject
from shared.destinations.contract import Account, BadAccount, Vendor
from shared.destinations.destination_file import PREFIX, DestinationFile, InvalidDestination, read_destination
from shared.destinations.vendors import vendor

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CHECK_EVERY_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Destination:
    """One destination, ready to be called."""

    name: str
    file: DestinationFile
    account: Account

    @property
    def vendor(self) -> Vendor:
        """Who is called."""
        return vendor(self.file.vendor)


class KnownDestinations:
    """Destinations by name; files are looked at again at most every 15 seconds. `secret` gives a secret by name."""

    def __init__(self, s3: S3Client, bucket: str, secret: Callable[[str], str], *, is_local: bool = False) -> None:
        self._object = cache(lambda name: FreshObject(s3, bucket, destination_key(name), CHECK_EVERY_SECONDS))
        self._secret = secret
        self._is_local = is_local

    def get(self, name: str, now: float) -> Destination:
        """The destination at `now` (a monotonic clock, seconds). Raises BadAccount and ClientError."""
        body = self._object(name).read(now)
        if body is None:
            raise BadAccount("there is no file for it in the data bucket: `tessera deliveries --put` takes one")
        file = _read(body, self._is_local)
        if isinstance(file, str):
            raise BadAccount(file)
        return Destination(name, file, Account(file.all_options, self._secret_of(file, name), file.identify_by))

    def _secret_of(self, file: DestinationFile, name: str) -> Mapping[str, str]:
        if not vendor(file.vendor).secret:
            return {}
        try:
            secret: Any = json.loads(self._secret(name))
        except ValueError:
            raise BadAccount("its secret is no JSON") from None
        wanted = vendor(file.vendor).secret
        if not isinstance(secret, dict) or any(not isinstance(secret.get(one), str) for one in wanted):
            raise BadAccount(f"its secret is no JSON object with {', '.join(wanted)}")
        return secret


def destination_key(name: str) -> str:
    """Where in the data bucket a destination's file is."""
    return f"{PREFIX}{name}.toml"


@lru_cache(maxsize=64)
def _read(body: bytes, is_local: bool) -> DestinationFile | str:
    try:
        return read_destination(body, is_local=is_local)
    except InvalidDestination:
        return "its file cannot be used: `tessera deliveries` says why"
