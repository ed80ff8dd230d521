"""What is kept and was published of audiences, held to who is in them."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from shared.audiences.audience import NONE, decode_publication
from shared.audiences.live_audiences import CURRENT_KEY
from shared.identity.keys import customer_key, is_visitor
from shared.ledger.announcements import ENTERED, LEFT
from shared.profiles.members import AUDIENCE_SIZES, MEMBER, MOVES, audience_members_of, size_name
from shared.profiles.stored_profile import StoredProfile
from tests.simulation.cloud import Cloud


class AudienceAuditor:
    """Looks at a world that has come to rest."""

    def __init__(self, cloud: Cloud, profiles: Mapping[str, StoredProfile]) -> None:
        content = cloud.objects.latest(CURRENT_KEY)
        self.live = decode_publication(content).audiences if content else NONE
        self._cloud = cloud
        self._in = {
            (key, audience): membership
            for key, profile in profiles.items()
            if profile.decision and not is_visitor(key)
            for audience, membership in profile.decision.audiences.items()
        }

    def findings(self) -> Iterator[str]:
        """What is wrong."""
        yield from self._members()
        yield from self._sizes()
        yield from self._announcements()
        yield from self._rows()

    def _members(self) -> Iterator[str]:
        listed = {
            (pk.removeprefix(MOVES), sk.removeprefix(MEMBER)): item["member_of"]["S"]
            for (pk, sk), item in self._cloud.table.items.items()
            if sk.startswith(MEMBER) and "member_of" in item
        }
        for key, audience in listed.keys() ^ self._in.keys():
            where = "listed in" if (key, audience) in listed else "not listed in"
            yield f"{key} is {where} {audience}, which is not so"
        for (key, audience), place in listed.items():
            if place != audience_members_of(audience, key):
                yield f"{key} is listed in {audience} at {place}"

    def _sizes(self) -> Iterator[str]:
        sizes = Counter[str]()
        for (pk, _), item in self._cloud.table.items.items():
            for name, size in item.items() if pk == AUDIENCE_SIZES else ():
                if name.startswith(size_name("")):
                    sizes[name.removeprefix(size_name(""))] += int(size["N"])
        counted = Counter(audience for _, audience in self._in)
        if {audience: size for audience, size in sizes.items() if size} != counted:
            yield f"the sizes of audiences are {dict(sizes)}, but there are {dict(counted)}"

    def _announcements(self) -> Iterator[str]:
        """Who is in an audience came in last by what was published, and comes in and leaves by turns."""
        announced: dict[tuple[str, str], list[str]] = defaultdict(list)
        contents: dict[str, Any] = {}
        for entry in self._cloud.published:
            if entry["DetailType"] not in (ENTERED, LEFT):
                continue
            detail = json.loads(entry["Detail"])
            if detail["transition_id"] in contents:
                if contents[detail["transition_id"]] != detail:
                    yield f"{detail['transition_id']} was published with two contents"
                continue
            contents[detail["transition_id"]] = detail
            announced[customer_key(detail["customer_id"]), detail["audience"]].append(entry["DetailType"])
        for who, kinds in announced.items():
            if kinds != [ENTERED if i % 2 == 0 else LEFT for i in range(len(kinds))]:
                yield f"it was published of {who} that they {kinds}"
        inside = {who for who, kinds in announced.items() if kinds[-1] == ENTERED}
        for who in inside ^ self._in.keys():
            yield f"by what was published last {who} is {'in' if who in inside else 'not in'} the audience"

    def _rows(self) -> Iterator[str]:
        """Whoever is in an audience is so by the last row, with the same arm and since the same instant."""
        last: dict[tuple[str, str], Any] = {}
        for (pk, sk), item in sorted(self._cloud.table.items.items()):
            if sk.startswith("audience#"):
                last[pk.removeprefix(MOVES), item["audience"]["S"]] = item
        inside = {who for who, row in last.items() if row["entered"]["BOOL"]}
        # Of who came back before they were erased, rows of before are gone.
        forgotten = {who for who in self._in if who[0] in self._cloud.asked} - last.keys()
        for who in (inside ^ self._in.keys()) - forgotten:
            yield f"by the ledger {who} is {'in' if who in inside else 'not in'} the audience"
        for who in inside & self._in.keys():
            stored = (self._in[who].since_ms, self._in[who].arm)
            kept = (int(last[who]["at_ms"]["N"]), last[who]["arm"]["S"])
            if stored != kept:
                yield f"{who} is in since {stored}, by the ledger {kept}"
