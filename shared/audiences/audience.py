"""Audiences: rules with a name, a control group and what is to be done, all of a shop's in one published document."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from shared.audiences.all_rules import AllRules
from shared.audiences.rules import LONGEST_TEXT, NotARule, Rule, asks_recommendations, from_json, shared, to_json

KEY = r"^[a-z][a-z0-9_]{0,63}$"
MOST_AUDIENCES = 100
TREATMENT = "treatment"
CONTROL = "control"
_EVERYTHING = "\0everything"
"""Stands for an audience's key in the hash that the control group of all audiences is chosen by; no key is like it."""

type Key = Annotated[str, Meta(pattern=KEY)]
type Share = Annotated[float, Meta(ge=0, lt=1)]
type Words = Annotated[str, Meta(max_length=LONGEST_TEXT)]


class NotAudiences(ValueError):
    """A document is none that this code knows; the message says where it fails and holds nothing of it."""


class Offer(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The bounds that the shop sets for what a page may offer to those in an audience; it is never a price."""

    greatest_discount: Share | None = None
    least_price: Annotated[float, Meta(ge=0)] | None = None
    """In the stack's currency."""
    valid_hours: Annotated[int, Meta(ge=1, le=8_760)] = 24


@dataclass(frozen=True, slots=True)
class Audience:
    """Those of whom a rule is true."""

    key: str
    name: str
    where: str
    """The rule as it was written."""
    rule: Rule
    version: int
    """Of the document in which it last became what it is."""
    holdout: float = 0.0
    """The share that is kept out, as a control group."""
    action: str | None = None
    destinations: tuple[str, ...] = ()
    offer: Offer | None = None
    """What a page may offer to whoever is in it."""

    def holds_out(self, customer: str) -> bool:
        """Whether a customer, by profile key, is in the control group: always the same, however often they come in."""
        return _drawn(self.key, customer) < self.holdout


@dataclass(frozen=True)
class Audiences:
    """All audiences of a shop, as they were published at once."""

    version: int = 0
    """One more with each publication; 0 where there never was one."""
    all: tuple[Audience, ...] = ()
    holdout: float = 0.0
    """The share of all customers that is kept out of every audience."""

    def __getitem__(self, key: str) -> Audience:
        return next(audience for audience in self.all if audience.key == key)

    @cached_property
    def ask_recommendations(self) -> bool:
        """Whether any of the rules asks what is recommended."""
        return any(asks_recommendations(audience.rule) for audience in self.all)

    @cached_property
    def rules(self) -> AllRules:
        """All rules, to be judged at once."""
        return AllRules([audience.rule for audience in self.all])

    def arm(self, audience: Audience, customer: str) -> str:
        """The arm of a customer, by profile key: stable across edits and returns, independent between audiences."""
        out = audience.holds_out(customer) or _drawn(_EVERYTHING, customer) < self.holdout
        return CONTROL if out else TREATMENT


NONE = Audiences()
UNKNOWN = Audiences(version=-1)
"""Of a document that cannot be read by who never read one before: nobody enters or leaves anything by that."""


def _drawn(salt: str, customer: str) -> float:
    """A number from 0 to 1 that is drawn of a customer once for each salt."""
    digest = hashlib.blake2b(f"{salt}\0{customer}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


# ---- The document ----------------------------------------------------------------------------------------------------


class _Stored(msgspec.Struct, frozen=True, omit_defaults=True):
    key: Key
    name: Words
    where: str
    rule: list[Any]
    version: int
    holdout: Share = 0.0
    action: Words | None = None
    destinations: tuple[Words, ...] = ()
    offer: Offer | None = None


class _Document(msgspec.Struct, frozen=True, omit_defaults=True):
    version: int
    audiences: Annotated[list[_Stored], Meta(max_length=MOST_AUDIENCES)]
    holdout: Share = 0.0
    at: str = ""
    by: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Publication:
    """A version of a shop's audiences, with who made it, when and why."""

    audiences: Audiences
    at: str
    by: str
    why: str


def encode_publication(publication: Publication) -> bytes:
    """The document of a version."""
    stored = [
        _Stored(
            key=one.key,
            name=one.name,
            where=one.where,
            rule=to_json(one.rule),
            version=one.version,
            holdout=one.holdout,
            action=one.action,
            destinations=one.destinations,
            offer=one.offer,
        )
        for one in publication.audiences.all
    ]
    audiences = publication.audiences
    document = _Document(audiences.version, stored, audiences.holdout, publication.at, publication.by, publication.why)
    return msgspec.json.encode(document)


def decode_publication(content: bytes) -> Publication:
    """The version in a document. Raises NotAudiences."""
    try:
        document = msgspec.json.decode(content, type=_Document)
        nodes: dict[Any, Any] = {}
        audiences = [_audience(stored, nodes) for stored in document.audiences]
    except msgspec.ValidationError as error:
        raise NotAudiences(f"audiences are refused: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotAudiences("audiences are refused: they are not JSON") from None
    except NotARule as error:
        raise NotAudiences(f"audiences are refused: {error}") from None
    if len({audience.key for audience in audiences}) < len(audiences):
        raise NotAudiences("audiences are refused: two have one key")
    return Publication(
        Audiences(document.version, tuple(audiences), document.holdout), document.at, document.by, document.why
    )


def _audience(stored: _Stored, nodes: dict[Any, Any]) -> Audience:
    fields = {name: getattr(stored, name) for name in _Stored.__struct_fields__}
    return Audience(**fields | {"rule": shared(from_json(stored.rule), nodes)})


def renewed(before: Audiences, after: Audiences) -> Audiences:
    """What is published after `before`: a version later, with the audiences that stay as they were keeping theirs."""
    version = before.version + 1
    known = {audience.key: audience for audience in before.all}

    def dated(audience: Audience) -> Audience:
        old = known.get(audience.key)
        same = old is not None and replace(audience, version=old.version) == old
        return replace(audience, version=old.version if old and same else version)

    return Audiences(version, tuple(map(dated, after.all)), after.holdout)
