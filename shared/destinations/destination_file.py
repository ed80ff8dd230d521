"""Destinations as people write them: `destinations/<name>.toml` of the data bucket.

vendor = "hubspot"
identify = {email = "attributes.email"}      # the vendor's name, and ours of the value

[fields]                                     # nothing else leaves
tessera_segment = "segment.name"
tessera_churn = "predictions.churn_probability"
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from shared.destinations.contract import Rate, Vendor
from shared.destinations.fields import PREFIXES, SOURCES, is_source
from shared.destinations.vendors import VENDORS, vendor

PREFIX = "destinations/"
MOST_BYTES = 100_000
MOST_FIELDS = 200
NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")
"""What a destination may be called, by the parameter, its file and audiences."""
_LOOPBACK = "127.0.0.1"


class InvalidDestination(ValueError):
    """The file cannot be used: the message names everything that is wrong with it."""


class Pace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rate that was agreed with the vendor, in place of what it documents."""

    calls: Annotated[int, Meta(ge=1, le=100_000)]
    seconds: Annotated[float, Meta(ge=0.1, le=86_400)]


class DestinationFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A destination as it is written."""

    vendor: str
    identify: Annotated[dict[str, str], Meta(min_length=1, max_length=1)]
    """The vendor's name for what customers are known by, and the source of its value."""
    fields: Annotated[dict[str, str], Meta(max_length=MOST_FIELDS)] = {}
    """The vendor's names, and the source of each."""
    moves: bool = True
    """Whether moves between segments are told as well as those of audiences."""
    campaign: Annotated[str, Meta(max_length=128)] = ""
    """Where moves between segments are what a campaign begins with, its name: each is then an exposure."""
    base_url: str = ""
    """The vendor's address, where it is not the usual one."""
    options: dict[str, str] = {}
    """What else the vendor wants to know."""
    rate: Pace | None = None

    @property
    def identify_by(self) -> str:
        """The vendor's name for what customers are known by."""
        return next(iter(self.identify))

    @property
    def sources(self) -> dict[str, str]:
        """All values that leave, by the vendor's names."""
        return {**self.identify, **self.fields}

    @property
    def rates(self) -> tuple[Rate, ...]:
        """How fast the vendor may be called."""
        return (Rate(self.rate.calls, self.rate.seconds),) if self.rate else vendor(self.vendor).rates

    @property
    def all_options(self) -> dict[str, str]:
        """The options with the vendor's defaults, and the address to call."""
        own = vendor(self.vendor)
        defaults = {name: default for name, default in own.options.items() if default is not None}
        return {**defaults, **self.options, "base_url": self.base_url or own.base_url}


def read_destination(document: bytes, *, is_local: bool = False) -> DestinationFile:
    """The destination that a TOML document holds. Raises InvalidDestination with all that is wrong.

    On a stack of somebody's own machine, addresses of that machine may be called without TLS.
    """
    if len(document) > MOST_BYTES:
        raise InvalidDestination(f"a destination has at most {MOST_BYTES:,} bytes")
    try:
        read = msgspec.convert(tomllib.loads(document.decode()), DestinationFile)
    except UnicodeDecodeError as error:
        raise InvalidDestination("it is not UTF-8") from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise InvalidDestination(str(error)) from error
    if read.vendor not in VENDORS:
        raise InvalidDestination(
            f"{_quoted(read.vendor)} is no vendor: {', '.join(VENDORS)}{_near(read.vendor, VENDORS)}"
        )
    if wrong := [*_wrong(read, vendor(read.vendor), is_local)]:
        raise InvalidDestination("; ".join(wrong))
    return read


def _wrong(read: DestinationFile, own: Vendor, is_local: bool) -> Iterator[str]:
    if own.identify_by and read.identify_by not in own.identify_by:
        yield f"{own.name} knows customers by {' or '.join(own.identify_by)}, not by {_quoted(read.identify_by)}"
    if read.identify_by in read.fields:
        yield f"{_quoted(read.identify_by)} is what customers are known by, and cannot be a field too"
    known = [*SOURCES, *(f"{prefix}NAME" for prefix in PREFIXES)]
    for name, source in read.sources.items():
        if not is_source(source):
            yield f"{_quoted(name)} is {_quoted(source)}, which is none of {', '.join(known)}{_near(source, SOURCES)}"
    for name in read.options.keys() - own.options.keys():
        yield f"{own.name} has no option {_quoted(name)}{_near(name, own.options)}"
    for name, default in own.options.items():
        if default is None and name not in read.options:
            yield f"{own.name} needs the option {name}"
    if problem := _bad_address(read.base_url or own.base_url, is_local):
        yield f"base_url {problem}"


def _bad_address(url: str, is_local: bool) -> str:
    if not url:
        return "is missing: only you know the address"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is no address"
    at_home = is_local and parts.hostname == _LOOPBACK and port is not None
    if not parts.hostname or (parts.scheme != "https" and not (parts.scheme == "http" and at_home)):
        return "has to begin with https:// and name a host"
    if parts.username or parts.password or parts.fragment or not url.isascii() or any(c.isspace() for c in url):
        return "may hold neither a password, nor a fragment, nor anything but ASCII"
    return ""


def _quoted(text: str) -> str:
    return repr(text[:80])


def _near(text: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(text, [*known], 1)
    return f" (did you mean {near[0]}?)" if near else ""
