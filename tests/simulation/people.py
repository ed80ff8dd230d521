"""Who there is, what they do, and how it reaches the stack."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import dataclass, field
from typing import Any

from shared.decisions.decision import iso
from shared.durations import DAY_MS
from shared.events import FIELDS
from tests.support.event_files import Event, csv_file, ndjson, parquet

MARKER = "Qx7Marker"
"""Part of every id, name and value that is somebody's."""

PLAIN = ("amy", "ben", "dan")
MOODY = ("mia", "max")
"""They refuse and agree, again and again."""
GONE, BACK = "gus", "bea"
"""Erased by the API; the second comes back by consent."""
OWNERS = {"phone": "amy", "laptop": "amy", "work": "ben", "ghost": GONE, "nobody": None}
"""Which customer each visitor is."""
TABLET, PAIR = "tablet", "pair"
"""Devices that all of PLAIN sign in on, and two of them."""
KINDS = ("page_view", "view_item", "add_to_cart", "purchase", "purchase", "refund", "email_open", "search")


def named(name: str) -> str:
    """The id that somebody goes by."""
    return f"{name}.{MARKER}@shop.example"


@dataclass
class Sent:
    """Everything that reached the stack, as the auditor has to know it."""

    events: list[Event] = field(default_factory=list)
    """Valid ones."""
    broken: dict[str, str | None] = field(default_factory=dict)
    """Lines that break a rule by a token in them, and whom they name."""
    unreadable: list[str] = field(default_factory=list)
    """Keys of files that nobody can read."""
    newcomers: list[str] = field(default_factory=list)
    """Names of those who asked to be erased with their first events, and never came back."""
    receipts: list[str] = field(default_factory=list)


@dataclass
class People:
    """Draws what people do."""

    rng: random.Random
    sent: Sent
    ahead: bool
    """Whether some clocks are ahead of the stack's."""
    consents: bool
    known: bool = True
    """Whether events say what the release before this one does not keep."""
    _count: int = 0

    def events(self, now_ms: int, most: int) -> list[Event]:
        """Some valid events, of which none was sent before unless it repeats one."""
        some = [self._event(now_ms) for _ in range(self.rng.randint(1, most))]
        if self.sent.events and self.rng.random() < 0.3:
            some += self.rng.choices(self.sent.events, k=self.rng.randint(1, 3))
        self.rng.shuffle(some)
        return some

    def _event(self, now_ms: int) -> Event:
        rng = self.rng
        self._count += 1
        visitor = rng.choice([None, None, TABLET, PAIR, *OWNERS])
        customer = self._customer(visitor)
        signed_in = visitor is None or rng.random() < 0.4
        kind = rng.choice(KINDS)
        at = now_ms - rng.randrange(60 * DAY_MS)
        if self.ahead and rng.random() < 0.1:
            at = now_ms + rng.randrange(DAY_MS // 2)
        event: Event = {
            "event_id": f"e{rng.randrange(self._count) if rng.random() < 0.1 else self._count}",
            "event_type": kind,
            "timestamp": iso(at),
            "customer_id": named(customer) if customer and signed_in else None,
            "anonymous_id": named(visitor) if visitor else None,
            "session_id": f"s{rng.randrange(20)}.{MARKER}" if rng.random() < 0.3 else None,
            "order_id": f"o{rng.randrange(20)}.{MARKER}" if kind == "purchase" else None,
            "category": rng.choice([None, "Shoes", "Hats", f"Gift for {MARKER}"]),
            "price": rng.choice([None, 1.0, 9.99, 250.0]) if kind in ("purchase", "refund") else None,
            "discount": rng.choice([None, 0.5]) if kind == "purchase" else None,
            "device": rng.choice([None, "mobile", "desktop"]),
            "engagement_seconds": rng.choice([None, 12.5]),
        }
        if self.consents and visitor is None and (customer in MOODY or (customer == BACK and rng.random() < 0.3)):
            event["consent"] = rng.choice([None, None, None, True, customer == BACK])
        if self.known:
            event |= self._known()
        return {name: value for name, value in event.items() if value is not None}

    def _known(self) -> Event:
        """Products, attributes and exposures, by what was drawn already: worlds go on as they did without them."""
        count = self._count
        event: Event = {
            "product_id": f"p{count % 7}.{MARKER}",
            "region": f"{MARKER} {count % 3}" if count % 4 else None,
        }
        if count % 5 == 0:
            event["attributes"] = {"tier": f"{MARKER} {count % 11}", f"a{count % 40}": count % 2 == 0}
        if count % 9 == 4:
            arm = "treatment" if count % 2 else "control"
            event |= {"event_type": "campaign_exposure", "campaign": f"{MARKER} {count % 4}", "arm": arm}
        return event

    def _customer(self, visitor: str | None) -> str | None:
        if visitor == TABLET:
            return self.rng.choice(PLAIN)
        if visitor == PAIR:
            return self.rng.choice(PLAIN[:2])
        if visitor is not None:
            return OWNERS[visitor]
        return self.rng.choice([*PLAIN, *MOODY, GONE, BACK])

    def returned(self, now_ms: int) -> Event:
        """The event by which somebody erased comes back."""
        self._count += 1
        return {
            "event_id": f"e{self._count}",
            "event_type": "page_view",
            "timestamp": iso(now_ms),
            "customer_id": named(BACK),
            "consent": True,
        }

    def newcomer(self, now_ms: int) -> tuple[str, list[Event]]:
        """Somebody nobody knows yet, and their first events."""
        name = f"new{len(self.sent.newcomers)}"
        self.sent.newcomers.append(name)
        events = []
        for _ in range(self.rng.randint(1, 2)):
            self._count += 1
            at = iso(now_ms - self.rng.randrange(DAY_MS))
            event = {"event_id": f"e{self._count}", "event_type": "view_item", "timestamp": at}
            events.append({**event, "customer_id": named(name)})
        return name, events

    def broken(self) -> Event:
        """An event that breaks a rule; its `product_id` is the token that it is known by."""
        self._count += 1
        token = f"broken-{self._count}"
        name = self.rng.choice([*PLAIN, GONE, None])
        self.sent.broken[token] = name
        wrong: Event = self.rng.choice(
            [{"price": -1}, {"timestamp": f"never {MARKER}"}, {"event_type": None}, {"quantity": f"two {MARKER}"}]
        )
        event: Event = {
            "event_type": "purchase",
            "timestamp": iso(0),
            "price": 1,
            **({"customer_id": named(name)} if name else {}),
        }
        return {name: value for name, value in {**event, "product_id": token, **wrong}.items() if value is not None}


FORMATS = ("ndjson", "ndjson", "jsonl", "csv", "ndjson.gz", "csv.gz")


def file_of(events: list[Event], rng: random.Random, kinds: tuple[str, ...] = FORMATS) -> tuple[str, bytes]:
    """The ending and the bytes of a file of events."""
    kind = rng.choice(kinds)
    plain = kind.removesuffix(".gz")
    body = {"csv": _csv, "parquet": parquet}.get(plain, ndjson)(events)
    return kind, gzip.compress(body, mtime=0) if kind.endswith(".gz") else body


MAPPING = f"""
files = "*.theirs.*"
negative = "refuse"
[columns]
{"".join(f'{name} = "their {name}"\n' for name in FIELDS)}"""
"""By which files are read that `in_their_words` made."""


def in_their_words(body: bytes) -> bytes:
    """Lines of JSON, packed or not, in the columns of a shop of its own."""
    packed = body.startswith(b"\x1f\x8b")
    plain = gzip.decompress(body) if packed else body
    theirs = ndjson([in_their_columns(json.loads(line)) for line in plain.splitlines()])
    return gzip.compress(theirs, mtime=0) if packed else theirs


def in_their_columns(event: Event) -> Event:
    """An event as that shop has it."""
    return {f"their {name}": value for name, value in event.items()}


def _csv(events: list[Event]) -> bytes:
    names = list(dict.fromkeys(name for event in events for name in event))
    names += [name for name in ("event_type", "timestamp") if name not in names]
    return csv_file([{name: _text(event.get(name)) for name in names} for event in events])


def _text(value: Any) -> Any:
    return {True: "true", False: "false", None: ""}.get(value, value) if isinstance(value, bool | None) else value


def as_json(event: Event) -> bytes:
    """One event as it is sent live."""
    return json.dumps(event).encode()
