"""The item of a profile: `encode_profile` and `decode_profile` are the only two places that know it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from shared.decisions.decision import Decision, Membership, NextChange
from shared.decisions.transitions import Cause
from shared.identity.keys import anonymous, is_visitor, visitor_key
from shared.identity.links import Copy, Link, LinkState
from shared.models.manifests import TARGETS
from shared.profiles.due import due_shard
from shared.profiles.members import members_of
from shared.profiles.sealed import Sealed
from shared.profiles.stored_profile import StoredProfile, item_key
from shared.profiles.unwritten import ProfilesUnreadable

if TYPE_CHECKING:
    from shared.decisions.grounds import Grounds

type Item = dict[str, Any]

NOT_MOVED = "no"
WHEN_DUE = ("due_shard", "due_ms")
OF_A_DECISION = ("decision", "member_of", *WHEN_DUE)
"""Attributes that go when a profile is nobody's any more."""
MAX_STATE_BYTES = 350_000
"""DynamoDB takes items of up to 400 KB; the rest is left to the decision and to what comes to stand beside it."""


class _StoredGrounds(Mapping[str, "Grounds"]):
    """Grounds as they are stored, read when somebody asks for them: only who announces moves does. None where they
    cannot be read, as they are not what a profile is kept for."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _known(self) -> dict[str, Grounds]:
        import msgspec  # which look-ups do not load

        from shared.decisions.grounds import Grounds

        try:
            return msgspec.json.decode(self._text, type=dict[str, Grounds])
        except msgspec.DecodeError:
            return {}

    def __getitem__(self, audience: str) -> Grounds:
        return self._known[audience]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


class ItemsUnreadable(ProfilesUnreadable):
    """Some items are no profiles that this code knows."""

    def __init__(self, profiles: dict[str, StoredProfile], unreadable: Iterable[str]) -> None:
        self.profiles = profiles
        """Those that could be read."""
        self.unreadable = frozenset(unreadable)
        """The keys of the others."""
        names = ", ".join(sorted(map(anonymous, self.unreadable)))
        super().__init__(f"{len(self.unreadable)} profiles cannot be read: {names}")


def encode_profile(profile: StoredProfile) -> Item:
    """The item of a profile; an attribute that it has nothing for is left out, and an update leaves it as it was."""
    item: Item = {
        **item_key(profile.key),
        "version": {"N": str(profile.version)},
        "state": {"B": profile.state},
        "events": {"N": str(profile.events)},
        # Always there, so that the stream's filter lets those who moved through and nobody else.
        "moved": {"S": profile.moved or NOT_MOVED},
    }
    if profile.counts_from_ms is not None:
        item["counts_from_ms"] = {"N": str(profile.counts_from_ms)}
    if profile.link is not None:
        item["link"] = _encode_link(profile.link)
    if profile.visitors:
        copies = {key.removeprefix(visitor_key("")): copy for key, copy in profile.visitors.items()}
        item["visitors"] = {"M": {visitor: _encode_copy(copy) for visitor, copy in copies.items()}}
    if profile.sealed is not None:
        sealed = profile.sealed.stored()
        item["sealed"] = {"L": [{"N": str(version)} for version in (sealed.since, *sealed.least)]}
    if profile.known is not None:
        item["known"] = {"B": profile.known}
    if profile.decision is not None:
        if not is_visitor(profile.key):
            item["member_of"] = {"S": members_of(profile.decision.segment, profile.key)}
        item["decision"] = _encode_decision(profile.decision)
    if profile.due_ms is not None:
        item |= {"due_shard": {"S": due_shard(profile.key)}, "due_ms": {"N": str(profile.due_ms)}}
    return item


def removed_attributes(profile: StoredProfile) -> tuple[str, ...]:
    """What a write of the profile takes out of its item; without a new decision the one before stays."""
    gone = ("known",) if profile.sealed is not None and profile.known is None else ()
    if not profile.is_someone:
        return (*OF_A_DECISION, *gone)
    return (*WHEN_DUE, *gone) if profile.decision and profile.due_ms is None else gone


def decode_profile(item: Item) -> StoredProfile:
    """The profile of an item. Raises AttributeError, KeyError, TypeError or ValueError where it is none."""
    copies: Item = item.get("visitors", {"M": {}})["M"]
    decision = _decode_decision(item["decision"]["M"]) if "decision" in item else None
    due_ms = int(item["due_ms"]["N"]) if "due_ms" in item else None
    return StoredProfile(
        key=item["pk"]["S"],
        version=int(item["version"]["N"]),
        state=item["state"]["B"],
        events=int(item["events"]["N"]),
        decision=decision,
        link=_decode_link(item["link"]["M"]) if "link" in item else None,
        visitors={visitor_key(visitor): _decode_copy(copy["M"]) for visitor, copy in copies.items()},
        moved=_decode_cause(item.get("moved", {"S": NOT_MOVED})["S"]),
        counts_from_ms=int(item["counts_from_ms"]["N"]) if "counts_from_ms" in item else None,
        waits_since_ms=None if decision and decision.due_ms == due_ms else due_ms,
        sealed=_decode_sealed(item["sealed"]["L"]) if "sealed" in item else None,
        known=item["known"]["B"] if "known" in item else None,
    )


def decode_profiles(items: Iterable[Item]) -> dict[str, StoredProfile]:
    """The profiles of items by key. Raises ItemsUnreadable, with those that can be read."""
    profiles: dict[str, StoredProfile] = {}
    unreadable: list[str] = []
    for item in items:
        try:
            profile = decode_profile(item)
        except (AttributeError, KeyError, TypeError, ValueError):
            unreadable.append(item["pk"]["S"])
        else:
            profiles[profile.key] = profile
    if unreadable:
        raise ItemsUnreadable(profiles, unreadable)
    return profiles


def _decode_cause(text: str) -> Cause | None:
    return None if text == NOT_MOVED else Cause(text)


def _decode_sealed(versions: list[Item]) -> Sealed:
    since, *least = (int(version["N"]) for version in versions)
    return Sealed(since, tuple(least))


def _encode_link(link: Link) -> Item:
    others = [{"S": other} for other in link.others]
    return {"M": {"customer": {"S": link.customer}, "state": {"S": link.state}, "others": {"L": others}}}


def _decode_link(item: Item) -> Link:
    others = tuple(other["S"] for other in item["others"]["L"])
    return Link(item["customer"]["S"], LinkState(item["state"]["S"]), others)


def _encode_copy(copy: Copy) -> Item:
    state = {} if copy.state is None else {"state": {"B": copy.state}}
    return {"M": {"version": {"N": str(copy.version)}, **state}}


def _decode_copy(item: Item) -> Copy:
    return Copy(int(item["version"]["N"]), item["state"]["B"] if "state" in item else None)


def _encode_change(change: NextChange) -> Item:
    numbers = {"at_ms": change.at_ms, "segment": change.segment}
    fields: Item = {name: {"N": str(value)} for name, value in numbers.items()} | {"intent": {"S": change.intent}}
    if change.audiences:
        fields["audiences"] = {"L": [{"S": key} for key in change.audiences]}
    return {"M": fields}


def _decode_change(item: Item) -> NextChange:
    audiences = tuple(key["S"] for key in item["audiences"]["L"]) if "audiences" in item else ()
    return NextChange(int(item["at_ms"]["N"]), int(item["segment"]["N"]), item["intent"]["S"], audiences)


def _encode_memberships(decision: Decision) -> Item:
    fields: Item = {}
    if decision.audiences_version:
        fields["audiences_version"] = {"N": str(decision.audiences_version)}
    if decision.audiences:
        memberships = decision.audiences.items()
        fields["audiences"] = {
            "M": {key: {"L": [{"N": str(one.since_ms)}, {"S": one.arm}]} for key, one in memberships}
        }
    if decision.grounds:
        import msgspec  # which look-ups do not load

        fields["grounds"] = {"S": msgspec.json.encode(dict(decision.grounds)).decode()}
    return fields


def _decode_memberships(item: Item) -> dict[str, Membership]:
    stored = item["audiences"]["M"].items() if "audiences" in item else ()
    return {key: Membership(int(one["L"][0]["N"]), one["L"][1]["S"]) for key, one in stored}


def _encode_decision(decision: Decision) -> Item:
    numbers = {
        "segment": decision.segment,
        "since_ms": decision.since_ms,
        "margin": decision.margin,
        "runner_up": decision.runner_up,
        "as_of_ms": decision.as_of_ms,
        "scored_at_ms": decision.scored_at_ms,
        "micro_segment": decision.micro_segment,
        **{name: decision.predictions.get(name) for name in TARGETS},
        "due_ms": decision.due_ms,
    }
    texts = {"intent": decision.intent, "action": decision.action, "model_version": decision.model_version}
    fields: Item = {name: {"N": repr(value)} for name, value in numbers.items() if value is not None}
    fields |= {name: {"S": text} for name, text in texts.items()}
    # Under a name of their own, so that no name that a shop makes up is taken for a field of ours.
    if own := {name: value for name, value in decision.predictions.items() if name not in TARGETS}:
        fields["predictions"] = {"M": {name: {"N": repr(value)} for name, value in own.items()}}
    if decision.automated:
        fields["automated"] = {"BOOL": True}
    if decision.outside_training:
        fields["outside_training"] = {
            "M": {
                name: {"NULL": True} if value is None else {"N": repr(value)}
                for name, value in decision.outside_training.items()
            }
        }
    fields |= _encode_memberships(decision)
    if decision.next_change:
        fields["next_change"] = _encode_change(decision.next_change)
    return {"M": fields}


def _decode_decision(item: Item) -> Decision:
    return Decision(
        segment=int(item["segment"]["N"]),
        since_ms=int(item["since_ms"]["N"]),
        margin=float(item["margin"]["N"]),
        runner_up=int(item["runner_up"]["N"]),
        predictions={name: float(item[name]["N"]) for name in TARGETS if name in item}
        | {name: float(value["N"]) for name, value in item.get("predictions", {"M": {}})["M"].items()},
        intent=item["intent"]["S"],
        action=item["action"]["S"],
        as_of_ms=int(item["as_of_ms"]["N"]),
        scored_at_ms=int(item["scored_at_ms"]["N"]),
        model_version=item["model_version"]["S"],
        micro_segment=int(item["micro_segment"]["N"]) if "micro_segment" in item else None,
        automated="automated" in item,
        next_change=_decode_change(item["next_change"]["M"]) if "next_change" in item else None,
        outside_training={
            name: float(value["N"]) if "N" in value else None
            for name, value in item.get("outside_training", {"M": {}})["M"].items()
        },
        due_ms=int(item["due_ms"]["N"]) if "due_ms" in item else None,
        audiences=_decode_memberships(item),
        audiences_version=int(item["audiences_version"]["N"]) if "audiences_version" in item else 0,
        grounds=_StoredGrounds(item["grounds"]["S"]) if "grounds" in item else {},
    )
