"""Journeys of some worlds that have a destination: what begins them, and what must have come of them in the end."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.destinations.deliveries import PARTITION, ROW
from shared.destinations.messages import STEP
from shared.destinations.steps import DAY_MINUTES, LEAVES, Quiet
from shared.durations import DAY_MS, MINUTE_MS
from shared.events.event import parse_timestamp
from shared.identity.keys import customer_key, is_visitor
from shared.journeys.interpreting import LEFT as HAS_LEFT
from shared.journeys.journey import Branch, Cap, Check, Journey, Journeys, Publication, Send, Wait, encode_publication
from shared.journeys.travellers import LEADING, ON, SENT
from shared.ledger.announcements import ENTERED, LEFT
from shared.profiles.members import MOVES
from shared.profiles.stored_profile import StoredProfile
from tests.journeys.worlds import RULE
from tests.simulation.expressions import Item
from tests.simulation.queues import Queue, Queues

if TYPE_CHECKING:
    from tests.simulation.cloud import Cloud

IN_WORLDS = 10
"""Of so many seeds one has them."""
CAP = Cap(2, 2)
QUIET = Quiet(1_320, 360)
LATE_MS = 3_600_000
"""By then whatever had not seen somebody leave has ended, functions of 15 minutes included."""
NEVER_MS = 10**15
STEPS = (
    Wait(30 * MINUTE_MS, "carts"),
    Send("crm", "first"),
    Wait(DAY_MINUTES * MINUTE_MS),
    Check(),
    Branch("views(5) > 0", RULE, 6),
    Send("crm", "second"),
    Wait(DAY_MINUTES * MINUTE_MS),
    Send("crm", "third"),
)
OFTEN = Journey("often_journey", "Often", "often", STEPS, 1, (LEAVES,))
GONE = Journey("gone_journey", "Gone", "gone", (Send("crm", "come_back"),), 1, ())
PUBLISHED = encode_publication(Publication(Journeys(1, (OFTEN, GONE), QUIET, CAP), "", "", "", ""))
JOURNEYS = {journey.audience: journey for journey in (OFTEN, GONE)}


def add_queues(queues: Queues) -> Queue:
    """The queue of moves between audiences, and where those go that failed."""
    dead = queues.add(Queue("journeys-dead"))
    return queues.add(Queue("journeys", 360_000, 5, dead))


def told(entries: Iterable[Item], queues: Queues) -> None:
    """What the rule on the bus queues."""
    for entry in entries:
        if entry["DetailType"] in (ENTERED, LEFT):
            detail = json.loads(entry["Detail"])
            queues.send("journeys", json.dumps({"detail-type": entry["DetailType"], "detail": detail}))


def travelled(cloud: Cloud, profiles: Mapping[str, StoredProfile]) -> Iterator[str]:
    """What is wrong with what stands in the table of journeys, and with what was told of them."""
    if cloud.journey_started is None:
        return
    people = {p.key: p for p in profiles.values() if p.decision and not is_visitor(p.key)}
    items = [item for (pk, sk), item in cloud.table.items.items() if pk.startswith(LEADING) and sk.startswith(ON)]
    for item in items:
        if item["customer"]["S"] not in people:
            yield f"{item['sk']['S']} is there, of nobody who is decided on"
        if "outcome" not in item:
            yield f"{item['sk']['S']} stands at {item['position']['N']} in the end"
    yield from _begun(items, people)
    steps = Steps(cloud)
    yield from steps.contents()
    yield from steps.times()
    yield from steps.rows()
    yield from steps.counted({*people} - cloud.asked.keys())


def _begun(items: list[Item], people: Mapping[str, StoredProfile]) -> Iterator[str]:
    """Whoever is in an audience has begun its journey, once each time they came in, and by the arm that they are in."""
    begun = {(item["customer"]["S"], item["audience"]["S"], int(item["entered_ms"]["N"])): item for item in items}
    if len(begun) < len(items):
        yield f"{len(items) - len(begun)} journeys began twice by one entry"
    for key, profile in people.items():
        assert profile.decision
        for audience, membership in profile.decision.audiences.items():
            if audience not in JOURNEYS:
                continue
            item = begun.get((key, audience, membership.since_ms))
            if item is None:
                yield f"{key} came into {audience} at {membership.since_ms}, and their journey did not begin"
            elif item["arm"]["S"] != membership.arm:
                yield f"{key} travels as {item['arm']['S']}, and is of {membership.arm}"


@dataclass(frozen=True)
class Step:
    """What was told of a sending. Times are UTC milliseconds."""

    id: str
    key: str
    journey: str
    arm: str
    at_ms: int
    entered_ms: int


class Steps:
    """All that journeys told."""

    def __init__(self, cloud: Cloud) -> None:
        self._items = cloud.table.items
        self._asked = cloud.asked
        details = [json.loads(entry["Detail"]) for entry in cloud.published if entry["DetailType"] == STEP]
        self._contents: dict[str, list[Item]] = defaultdict(list)
        for detail in details:
            self._contents[detail["transition_id"]].append(detail)
        self._steps = [_step(contents[0]) for contents in self._contents.values()]

    def contents(self) -> Iterator[str]:
        """What is told again is the same."""
        for name, contents in self._contents.items():
            if any(content != contents[0] for content in contents):
                yield f"{name} was told with two contents"

    def times(self) -> Iterator[str]:
        """Nothing was decided in quiet hours, beyond the cap, or long after its customer had left."""
        for step in self._steps:
            minute = step.at_ms // MINUTE_MS % DAY_MINUTES
            if minute >= QUIET.begin or minute < QUIET.end:
                yield f"{step.id} was decided in quiet hours"
            if OFTEN.key == step.journey and self._left_ms(step) + LATE_MS < step.at_ms:
                yield f"{step.id} was decided long after {step.key} had left"

    def rows(self) -> Iterator[str]:
        """Of each a row: of the control group no more than that, and of others nothing that left after they had."""
        rows = {
            (pk.removeprefix(PARTITION), item["transition_id"]["S"]): item
            for (pk, sk), item in self._items.items()
            if pk.startswith(PARTITION) and sk.startswith(ROW)
        }
        there = {
            (item["customer"]["S"], item["journey"]["S"], int(item["entered_ms"]["N"]))
            for (_, sk), item in self._items.items()
            if sk.startswith(ON)
        }
        for step in self._steps:
            # The last step of an erasure takes the rows of who came back meanwhile, too.
            lasts = step.key not in self._asked
            is_there = lasts and (step.key, step.journey, step.entered_ms) in there
            row = rows.get((step.key, step.id))
            state = row["state"]["S"] if row else None
            if is_there and (state in ("withheld", "stopped")) < (step.arm == "control"):
                yield f"{step.id} of {step.key}, who is of the control group, came to be {state}"
            if step.arm != "control" and (state == "withheld" or (state is None and is_there)):
                yield f"{step.id} of {step.key}, who is to be sent, came to be {state}"
            accepted_ms = int(row["updated_ms"]["N"]) if row and state == "accepted" else 0
            if OFTEN.key == step.journey and self._left_ms(step) + LATE_MS < accepted_ms:
                yield f"{step.id} was sent long after {step.key} had left"

    def counted(self, lasting: Set[str]) -> Iterator[str]:
        """Each sending counts for the cap once; of customers who were never erased that is all that was told, and what
        was decided of who left before it could be."""
        kept = {
            item["pk"]["S"]: [int(at["N"]) for at in item["sent_ms"]["L"]]
            for (_, sk), item in self._items.items()
            if sk == SENT
        }
        travellers = [item for (_, sk), item in self._items.items() if sk.startswith(ON)]
        partitions = {item["customer"]["S"]: item["pk"]["S"] for item in travellers}
        left_before: dict[str, set[int]] = defaultdict(set)
        for item in travellers:
            if item.get("outcome", {}).get("S") == HAS_LEFT and "sent_ms" in item:
                left_before[item["customer"]["S"]].add(int(item["sent_ms"]["N"]))
        for key in lasting & partitions.keys():
            counted = sorted(kept.get(partitions[key], []))
            sent = sorted(step.at_ms for step in self._steps if step.key == key)
            if counted != sorted([*sent, *(left_before[key] - {*sent})]):
                yield f"of {key} sendings at {counted} are counted, but told were {sent}"
            if any(late - early < CAP.days * DAY_MS for early, late in zip(sent, sent[CAP.sends :], strict=False)):
                yield f"{key} was sent more than the cap allows: {sent}"

    def _left_ms(self, step: Step) -> int:
        """When they left by the ledger after they had begun; never by what nobody knows any more.

        After is by the profile's versions: of two who write at once the later one may have begun a second earlier.
        """
        audience = OFTEN.audience
        rows = [
            (int(item["version"]["N"]), int(item["at_ms"]["N"]), item["entered"]["BOOL"])
            for (pk, sk), item in self._items.items()
            if pk == MOVES + step.key and sk.startswith("audience#") and item["audience"]["S"] == audience
        ]
        begun = [version for version, at_ms, entered in rows if entered and at_ms == step.entered_ms]
        if not begun:
            return min(
                (at_ms for _, at_ms, entered in rows if not entered and at_ms > step.entered_ms), default=NEVER_MS
            )
        return min((at_ms for version, at_ms, entered in rows if not entered and version > begun[0]), default=NEVER_MS)


def _step(detail: Item) -> Step:
    return Step(
        detail["transition_id"],
        customer_key(detail["customer_id"]),
        detail["journey"],
        detail["arm"],
        parse_timestamp(detail["at"]),
        parse_timestamp(detail["entered_at"]),
    )
