"""Every difference between what is in the cloud and what should be."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from shared.clock import Moment
from shared.decisions.decision import Decision, iso
from shared.features import decode, encode
from shared.identity.keys import customer_id, customer_key, is_visitor
from shared.identity.links import Link
from shared.models.bundle import Bundle
from shared.profiles.histories import histories, whole_state
from shared.profiles.item import decode_profile
from shared.profiles.members import MOVES, SIZES, members_of
from shared.profiles.sealed import SEALED, decode_volume
from shared.profiles.stored_profile import PROFILE, StoredProfile
from tests.simulation.announced import announced, unread_by_the_older
from tests.simulation.audience_auditor import AudienceAuditor
from tests.simulation.delivered import delivered
from tests.simulation.exported import exported
from tests.simulation.journeys import travelled
from tests.simulation.people import GONE
from tests.simulation.recommending import known_recommender
from tests.simulation.restorable import plain, restorable
from tests.simulation.story import Story, model
from tests.simulation.truth import Truth, decision

LEDGER = "transition#"


class Auditor:
    """Looks at a world that has come to rest."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._cloud = story.world.cloud
        self._truth = Truth(story.sent, self._cloud.asked)
        items = self._cloud.table.items
        self._items = items
        heads = (decode_profile(item) for key, item in items.items() if key[1] == PROFILE)
        self.profiles = {head.key: self._whole(head) for head in heads}
        self._links: dict[str, Link] = {key: p.link for key, p in self.profiles.items() if p.link is not None}
        self._bundle = Bundle.from_files(*model(story.live_model)[:2]) if story.live_model else None
        self._audiences = audiences = AudienceAuditor(self._cloud, self.profiles)
        if self._bundle:
            self._bundle.audiences = audiences.live
            self._bundle.recommender = known_recommender()

    def findings(self, *, redelivered: bool) -> list[str]:
        """What is wrong. Of those who refused at some time, all that counts is there only once it came again."""
        return [
            *self._strangers(),
            *self._volumes(),
            *self._states(redelivered=redelivered),
            *self._visitors(),
            *self._decisions(redelivered=redelivered),
            *self._ledger(),
            *self._announcements(),
            *self._sizes(),
            *self._audiences.findings(),
            *self._quarantine(),
            *self._erased(),
            *restorable(self._cloud, self._truth),
            *delivered(self._cloud, self.profiles),
            *(exported(self._cloud, self.profiles, self._truth) if self._story.world.exports else ()),
            *travelled(self._cloud, self.profiles),
            *self._queues(),
        ]

    # ---- Histories ----

    def _strangers(self) -> Iterator[str]:
        for key in self.profiles.keys() - {*self._truth.everybody}:
            yield f"nobody sent an event of {key}"

    def _whole(self, head: StoredProfile) -> StoredProfile:
        """With its sealed events, where all of them are there."""
        items = {place: self._items.get((head.key, f"{SEALED}{place}")) for place in range(_places(head))}
        volumes = {place: decode_volume(item) for place, item in items.items() if item}
        return replace(
            head, sealed=(head.sealed.of(volumes) or replace(head.sealed, volumes=())) if head.sealed else None
        )

    def _volumes(self) -> Iterator[str]:
        for pk, sk in self._items:
            if sk.startswith(SEALED):
                profile = self.profiles.get(pk)
                if profile is None or int(sk.removeprefix(SEALED)) >= _places(profile):
                    yield f"{sk} of {pk} is there for nobody"
        for profile in self.profiles.values():
            if profile.sealed and len(profile.sealed.read) < _places(profile):
                yield f"{profile.key} has lost sealed events"

    def _states(self, *, redelivered: bool) -> Iterator[str]:
        for key in self._truth.everybody:
            profile = self.profiles.get(key)
            expected = self._truth.states.get(key, b"")
            stored = _again(key, whole_state(profile)) if profile else b""
            if key == self._truth.ghost and profile is None:
                continue
            if stored == expected:
                continue
            if redelivered or self._truth.is_settled(key):
                yield f"{key} holds {_described(key, stored)} rather than {_described(key, expected)}"
            elif {*_fingerprints(key, stored)} - {*_fingerprints(key, expected)}:
                yield f"{key} holds {_described(key, stored)} that do not count, not {_described(key, expected)}"

    def _visitors(self) -> Iterator[str]:
        for key in self._truth.visitors:
            profile = self.profiles.get(key)
            allowed = self._truth.allowed(key)
            link = self._links.get(key)
            if profile is None:
                if (self._truth.delivered.keys.count(key) and key != self._truth.ghost) or (None, None) not in allowed:
                    yield f"{key} is not there"
                continue
            linked = (link.customer, link.state) if link else (None, None)
            if linked not in allowed:
                yield f"{key} is linked as {linked}, not one of {allowed}"

    # ---- Decisions ----

    def _decisions(self, *, redelivered: bool) -> Iterator[str]:
        for key, profile in self.profiles.items():
            item = self._items[(key, PROFILE)]
            history = self._truth.history(key, self._links)
            if not redelivered and not self._truth.is_settled(key):
                history = histories([profile])
            if len(history) and encode(histories([profile])) != encode(history):
                yield f"decisions on {key} are made on another history than what was sent"
            if not profile.is_someone or not len(history):
                if profile.decision is not None:
                    yield f"{key} has a decision without a history"
                continue
            if profile.decision is None:
                if self._bundle:
                    yield f"{key} has no decision, though a model is live"
                continue
            yield from self._decision(profile, item, decision(history, key, self._bundle, _moment(profile.decision)))  # type: ignore[arg-type]

    def _decision(self, profile: StoredProfile, item: Any, wanted: Decision | None) -> Iterator[str]:
        stored = profile.decision
        assert stored is not None and self._bundle is not None
        if stored.model_version != self._bundle.bundle_id:
            yield f"{profile.key} was decided on by {stored.model_version}, not by {self._bundle.bundle_id}"
        elif wanted is None or _lasting(stored) != replace(_lasting(wanted), scored_at_ms=stored.scored_at_ms):
            yield f"{profile.key} is decided with {_differences(stored, wanted)}"
        member_of = None if is_visitor(profile.key) else members_of(stored.segment, profile.key)
        if item.get("member_of", {}).get("S") != member_of:
            yield f"{profile.key} is listed as {item.get('member_of')}, not {member_of}"
        if stored.due_ms is not None and item.get("due_ms") != {"N": str(stored.due_ms)}:
            yield f"{profile.key} is due {stored.due_ms}, but indexed as {item.get('due_ms')}"

    # ---- Moves ----

    def _rows(self) -> dict[str, list[Any]]:
        rows = defaultdict(list)
        for (pk, sk), item in sorted(self._items.items()):
            if sk.startswith(LEDGER):
                rows[pk.removeprefix(MOVES)].append(item)
        return rows

    def _ledger(self) -> Iterator[str]:
        rows = self._rows()
        customers = self._truth.customers
        for key in rows.keys() - {*customers}:
            yield f"the ledger has rows of {key}"
        for key in customers:
            profile = self.profiles.get(key)
            segment = profile.decision.segment if profile and profile.decision else None
            at: int | None = None
            for row in rows.get(key, ()):
                left = _number(row, "left")
                entered = _number(row, "entered")
                if left != at and row is not rows[key][0]:
                    yield f"{key} left {left} at version {row['sk']['S']}, but was in {at}"
                if row is rows[key][0] and left is not None and not self._may_forget(key):
                    yield f"the first move of {key} in the ledger leaves {left}"
                at = entered
            if at != segment and (key in rows or not self._may_forget(key)):
                yield f"{key} came into {at} by the ledger, but is in {segment}"
            if rows.get(key) and profile and profile.decision:
                last = rows[key][-1]
                if int(last["at_ms"]["N"]) != profile.decision.since_ms:
                    yield f"{key} is in its segment since {profile.decision.since_ms}, by the ledger {last['at_ms']}"

    def _may_forget(self, key: str) -> bool:
        """Whether moves of theirs may have been erased though they are there: who comes back by a consent before their
        erasure gets to them stays, and the moves of before go all the same."""
        return key in self._cloud.asked

    def _announcements(self) -> Iterator[str]:
        not_read = unread_by_the_older(self._cloud.table.changes) if self._story.world.began_with_two else ()
        moves, differ = announced(self._cloud.published, not_read)
        for one in differ:
            yield f"{one} was published with two contents"
        chains: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for detail in moves:
            chains[customer_key(detail["customer_id"])].append(detail)
        for key, details in chains.items():
            at = None
            for detail in details:
                if detail["from"] != at:
                    yield f"it was published that {key} left {detail['from']}, but they were in {at}"
                at = detail["to"]
        rows = self._rows()
        for key in self._truth.everybody:
            kept = [
                (row["cause"]["S"], _number(row, "entered"), iso(int(row["at_ms"]["N"]))) for row in rows.get(key, ())
            ]
            published = [(detail["cause"], detail["to"], detail["at"]) for detail in chains.get(key, ())]
            # Rows of a former life are gone with it.
            forgotten = (
                len(published) > len(kept) and published[-len(kept) - 1][0] != "erasure" and not self._may_forget(key)
            )
            if kept != published[len(published) - len(kept) :] or forgotten:
                yield f"the ledger of {key} says {kept}, the bus {published}"
            last = published[-1][1] if published else None
            profile = self.profiles.get(key)
            segment = profile.decision.segment if profile and profile.decision else None
            if not is_visitor(key) and last != segment:
                yield f"the bus was told last that {key} is in {last}, but it is {segment}"

    def _sizes(self) -> Iterator[str]:
        counted = Counter(p.decision.segment for p in self.profiles.values() if p.decision and not is_visitor(p.key))
        sizes = Counter[int]()
        for (pk, sk), item in self._items.items():
            if pk == SIZES:
                sizes[int(sk.split("#")[1])] += int(item["customers"]["N"])
        if {k: n for k, n in sizes.items() if n} != counted:
            yield f"the sizes of segments are {dict(sizes)}, but there are {dict(counted)}"

    # ---- The rest ----

    def _quarantine(self) -> Iterator[str]:
        originals = Counter[str]()
        objects = self._cloud.objects
        for key in objects.keys("quarantine/"):
            if "/lines-" not in key:
                continue
            for line in (objects.latest(key) or b"").splitlines():
                originals[json.loads(line).get("original", "")] += 1
        quarantined = "\n".join(originals)
        for token, name in self._story.sent.broken.items():
            if not re.search(rf"{token}\b", quarantined) and name != GONE:
                yield f"{token} of {name} is not in quarantine"
        extra = [text for text in originals if "broken-" not in text]
        if extra:
            yield f"in quarantine without a reason: {extra[:3]}"
        for key in self._story.sent.unreadable:
            if not objects.keys(f"quarantine/{key}/"):
                yield f"{key} is not in quarantine"

    def _erased(self) -> Iterator[str]:
        for key in self._truth.everybody:
            if not self._truth.is_erased(key):
                continue
            for pk, sk in self._items:
                if pk == key:
                    yield f"{key} was erased, and {sk} is still there"
        for key in self._truth.customers:
            if self._truth.is_erased(key):
                yield from self._traces(customer_id(key))
        for receipt in self._story.sent.receipts:
            body = json.loads(self._cloud.objects.latest(receipt) or b"{}")
            if body.get("state") != "done":
                yield f"{receipt} says {body}"

    def _traces(self, name: str) -> Iterator[str]:
        for object_key, versions in self._cloud.objects.versions.items():
            # A report's former versions expire; what people sent must not wait for that.
            searched = versions if object_key.startswith(("archive/", "quarantine/", "exports/")) else versions[-1:]
            theirs = object_key.startswith(("archive/", "quarantine/", "exports/", "reports/"))
            if theirs and any(name.encode() in plain(object_key, version.body) for version in searched):
                yield f"{name} was erased, and is still in {object_key}"
        for place, item in self._items.items():
            if name in repr((place, item)):
                yield f"{name} was erased, and is still in the item {place}"

    def _queues(self) -> Iterator[str]:
        for queue in self._cloud.queues.queues.values():
            if queue.messages:
                yield f"{len(queue.messages)} messages are left in {queue.name}: {queue.messages[0].body[:300]}"


def _places(profile: StoredProfile) -> int:
    return len(profile.sealed.least) if profile.sealed else 0


def _differences(stored: Decision, wanted: Decision | None) -> str:
    """What is, and what should be, where they differ."""
    pairs = [(name, getattr(stored, name), getattr(wanted, name, None)) for name in Decision.__dataclass_fields__]
    differ = [f"{name} {is_} rather than {be}" for name, is_, be in pairs if is_ != be and name[-3:] != "_ms"]
    return ", ".join(differ) + f", as of {iso(stored.as_of_ms)}, due {stored.due_ms}, {getattr(wanted, 'due_ms', None)}"


def _lasting(decision: Decision) -> Decision:
    """What a decision is made of, without what it has of those before it."""
    audiences = {key: one._replace(since_ms=0) for key, one in decision.audiences.items()}
    return replace(decision, since_ms=0, audiences=audiences, grounds={})


def _moment(decision: Decision) -> Moment:
    return Moment(decision.as_of_ms, decision.scored_at_ms)


def _number(row: Any, name: str) -> int | None:
    return int(row[name]["N"]) if name in row else None


def _again(key: str, state: bytes) -> bytes:
    """A history as it is encoded today: that of an older release stays as it was until something is added."""
    return encode(decode([key], [state]))[0] if state else b""


def _fingerprints(key: str, state: bytes) -> list[int]:
    return [int(one) for one in decode([key], [state]).rows.fingerprint] if state else []


def _described(key: str, state: bytes) -> str:
    return f"{len(_fingerprints(key, state))} events in {len(state)} bytes"
