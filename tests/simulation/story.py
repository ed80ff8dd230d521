"""The story of one seed: files dropped, events sent, models published, people erased, time going by, all at once."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote

from shared.durations import DAY_MS
from tests.simulation.journeys import JOURNEYS
from tests.simulation.machines import backfill, called, export, later, request
from tests.simulation.people import (
    BACK,
    FORMATS,
    GONE,
    MAPPING,
    MARKER,
    People,
    Sent,
    as_json,
    file_of,
    in_their_columns,
    in_their_words,
    named,
)
from tests.simulation.recommending import publish_recommender, recommended_twice
from tests.simulation.sources import Failed, Invoke, Process, Wait
from tests.simulation.vendor import NAME
from tests.simulation.world import World
from tests.support.bundles import make_bundle, with_reasons

MODELS = {
    "20171001-aaaaaaaa": (0.0, 2.0, 10.0),
    "20171101-bbbbbbbb": (1.0, 3.0, 4.0),
    "20171115-cccccccc": (0.0, 1.0, 6.0),
}

HOLDOUTS = {"often": 0.0, "gone": 0.3, "risky": 0.1}
"""The audiences that somebody may define, with the share that is kept out."""
HALF = 0.5
"""Of those who travel, so that both arms do."""
RULES = (
    "orders_365d >= 2",
    "orders(20) = 0",
    "events(3) > 0 and churn_probability > 0.4",
    "days_since_order between 9 and 11",
    f"segment = 0 or views('Shoes', 10) > 0 or 'p1.{MARKER}' in buy_again",
)

ROLLED_BACK_EVERY = 3
"""Of so many publications, one is taken back by whoever looks at the dashboard."""
LOOKED_AT_EVERY = 2
"""Of so many looks, one is the dashboard's."""
MAPPED_EVERY = 5
"""Of so many files of lines of JSON, and of live messages, one is in columns of its own."""


@dataclass(frozen=True)
class Weather:
    """What a seed has of everything."""

    deeds: int
    fault_rate: float
    kill_rate: float
    models: bool
    erasures: bool
    consents: bool
    live: bool
    history: bool
    ahead: bool
    clock_jumps: bool
    overwrites: bool
    audiences: bool

    @classmethod
    def of(cls, rng: random.Random) -> Weather:
        """Draws it; half of the seeds leave each thing out, so that what is left meets more often."""
        return cls(
            deeds=rng.randint(8, 25),
            fault_rate=rng.choice([0.0, 0.03, 0.1, 0.25]),
            kill_rate=rng.choice([0.0, 0.0, 0.01, 0.04]),
            models=rng.random() < 0.6,
            erasures=rng.random() < 0.5,
            consents=rng.random() < 0.5,
            live=rng.random() < 0.7,
            history=rng.random() < 0.5,
            ahead=rng.random() < 0.5,
            clock_jumps=rng.random() < 0.6,
            overwrites=rng.random() < 0.3,
            audiences=rng.random() < 0.5,
        )


class Story:
    """What happens to one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rng = world.rng
        self.sent = Sent()
        self.weather = Weather.of(self.rng)
        self.people = People(self.rng, self.sent, self.weather.ahead, self.weather.consents, self.world.is_one_release)
        self.live_model: str | None = None
        self._former_model: str | None = None
        self._published = 0
        self._looks = 0
        self.audiences: set[str] = set()
        """Keys of those that somebody has defined."""
        self._files = 0
        self._numbers = 0
        self._messages = 0
        self._offers = 0
        publish_recommender(world.cloud.objects)
        world.cloud.objects.put_object({"Key": "mappings/theirs.toml", "Body": MAPPING.encode()})
        world.faults.rate = self.weather.fault_rate
        world.faults.kills = self.weather.kill_rate

    def play(self) -> None:
        """The deeds one after the other, with turns of the world in between."""
        # Most worlds have a model at first, some get one in the middle of everything, and few never have any.
        published_at = self.rng.choice([0, 0, 0, *range(1, self.weather.deeds), None])
        if self.world.cloud.journey_started:
            # Nobody travels where nobody enters an audience.
            published_at = 0
            for key in JOURNEYS:
                self._define(key, self.rng.choice(RULES))
        for number in range(self.weather.deeds):
            if number == published_at:
                self._publish()
            self.rng.choice(self._deeds())()
            for _ in range(self.rng.choice([0, 3, 30, 300])):
                if not self.world.step(until_ms=self.world.now_ms + 30_000):
                    break

    def _deeds(self) -> list[Callable[[], None]]:
        weather = self.weather
        deeds = [self._drop_file] * 4 + [self._tick, self._look]
        deeds += [self._call, self._put_on_bus, self._stream] * weather.live
        deeds += [self._publish] * weather.models
        deeds += [self._erase, self._erase_newcomer] * weather.erasures
        deeds += [self._history] * weather.history
        deeds += [self._move_clock] * weather.clock_jumps
        deeds += [self._edit_audience] * 2 * weather.audiences
        deeds += [self._export] * 4 * self.world.exports
        return deeds

    # ---- Events ----

    def _mixed(self, most: int) -> list[dict[str, Any]]:
        events = self.people.events(self.world.now_ms, most)
        self.sent.events += events
        broken = [self.people.broken() for _ in range(self.rng.choice([0, 0, 1, 2]))]
        mixed = [*events, *broken]
        self.rng.shuffle(mixed)
        return mixed

    def _drop_file(self, folder: str = "events") -> None:
        self._files += 1
        if self.rng.random() < 0.06:
            key = f"{folder}/{self._files}-{MARKER}.ndjson.gz"
            self.sent.unreadable.append(key)
            self.world.cloud.objects.put_object({"Key": key, "Body": b"not gzipped"})
            return
        ending, body = file_of(self._mixed(12), self.rng, FORMATS)
        mapped = self._files % MAPPED_EVERY == 0 and "csv" not in ending
        key = f"{folder}/{self._files}{'.theirs' if mapped else ''}.{ending}"
        self.world.cloud.objects.put_object({"Key": key, "Body": in_their_words(body) if mapped else body})
        if folder == "events" and self.weather.overwrites and self.rng.random() < 0.3:
            body = file_of(self._mixed(12), self.rng, (ending,))[1]
            self.world.cloud.objects.put_object({"Key": key, "Body": in_their_words(body) if mapped else body})

    def _history(self) -> None:
        run = self.world.next_run()
        for _ in range(self.rng.randint(1, 4)):
            self._drop_file(f"history/{run}")
        self.world.start(backfill(self.world, run, {"prefix": f"history/{run}/"}))

    def _enveloped(self, events: list[dict[str, Any]]) -> dict[str, Any]:
        """Events of a message, some of them in a shop's own columns."""
        self._messages += 1
        if self._messages % MAPPED_EVERY:
            return {"events": events}
        return {"mapping": "theirs", "events": [in_their_columns(event) for event in events]}

    def _call(self) -> None:
        event = request("POST", "/events", 0, self._enveloped(self._mixed(6)))
        self.world.start(called(self.world, "accept_events", event, 202, []))

    def _put_on_bus(self) -> None:
        events = self._mixed(4)
        for given in [events] if len(events) > 1 and self.rng.random() < 0.5 else [[event] for event in events]:
            shaped = given[0] if len(given) == 1 and self.rng.random() < 0.5 else self._enveloped(given)
            body = json.dumps({"version": "0", "id": "1", "source": "shop", "detail-type": "event", "detail": shaped})
            # The bus delivers at least once.
            for _ in range(1 + (self.rng.random() < 0.1)):
                self.world.cloud.queues.send("live", body)

    def _stream(self) -> None:
        shard = self.rng.choice([self.world.kinesis, self.world.kafka])
        for event in self._mixed(6):
            self._numbers += 1
            shaped = self._enveloped([event]) if self._numbers % 2 else event
            shard.records.append({"number": f"{self._numbers:09d}", "body": as_json(shaped)})

    # ---- Everything else ----

    def _publish(self) -> None:
        name = self.rng.choice([name for name in MODELS if name != self.live_model])
        put = self.world.cloud.objects.put_object
        onnx, manifest, reasons = model(name)
        put({"Key": f"models/{name}/bundle.onnx", "Body": onnx})
        put({"Key": f"models/{name}/reasons.npz", "Body": reasons})
        put({"Key": f"models/{name}/manifest.json", "Body": json.dumps(manifest).encode()})
        put({"Key": f"models/{name}/report.html", "Body": b""})
        put({"Key": "models/current.json", "Body": json.dumps({"bundle_id": name}).encode()})
        self._former_model = self.live_model
        self.live_model = name
        self._published += 1
        if self._former_model and self._published % ROLLED_BACK_EVERY == 0:
            event = request("POST", "/models/rollback", 0, {"to": self._former_model, "from": name})
            self.world.start(called(self.world, "roll_back_model", event, (200, 409), []))

    def _edit_audience(self) -> None:
        """Somebody defines an audience, edits its rule or removes it, at times two at once."""
        for _ in range(self.rng.choice([1, 1, 2])):
            key = self.rng.choice([*HOLDOUTS])
            where = self.rng.choice(RULES)
            if key in self.audiences and self.rng.random() < 0.3:
                self.audiences.remove(key)
                event = request("DELETE", f"/audiences/{key}", 0)
                self.world.start(called(self.world, "manage_audiences", event, (200, 404), []))
            else:
                self._define(key, where)

    def _define(self, key: str, where: str) -> None:
        self.audiences.add(key)
        definition = {"where": where, "holdout": HALF if self.world.cloud.journey_started else HOLDOUTS[key]}
        event = request("PUT", f"/audiences/{key}", 0, definition)
        self.world.start(called(self.world, "manage_audiences", event, (200, 409), []))

    def _erase(self) -> None:
        self.world.start(self._erasure(self.rng.choice([GONE, BACK])))

    def _erase_newcomer(self) -> None:
        """Their first events and their erasure meet."""
        name, events = self.people.newcomer(self.world.now_ms)
        self.sent.events += events
        for event in events:
            self.world.cloud.queues.send("live", json.dumps(event))
        self.world.start(later(self.rng.choice([0, 0, 1]), self._erasure(name)))

    def _erasure(self, name: str) -> Process:
        event = request("DELETE", f"/customers/{quote(named(name), safe='')}", 0)
        answers: list[Any] = []
        yield from called(self.world, "request_erasure", event, 202, answers)
        self.sent.receipts += [answer["receipt"] for answer in answers]
        yield Wait(self.rng.choice([1, 3_600, 86_400]))
        if name == BACK and self.rng.random() < 0.7:
            back = self.people.returned(self.world.now_ms)
            self.sent.events.append(back)
            self.world.cloud.queues.send("live", json.dumps({"events": [back]}))

    def _tick(self) -> None:
        def process() -> Process:
            yield Invoke("refresh_segments", {})

        self.world.start(process())

    def _look(self) -> None:
        name = quote(named(self.rng.choice(["amy", "ben", GONE])), safe="")
        journeys = ("/journeys", "/journeys/often_journey/customers")
        of_journeys = (*journeys, f"/customers/{name}/journeys", f"/customers/{name}/audiences")
        told_of = of_journeys if self.world.cloud.journey_started else ()
        function, event = self.rng.choice(
            [
                ("lookup_customer", request("GET", f"/customers/{name}/segment", 0)),
                ("browse_segments", request("GET", "/segments", 0)),
                ("browse_segments", request("GET", "/segments/0/customers", 0)),
                ("browse_segments", request("GET", f"/customers/{name}/history", 0)),
                ("make_offer", request("GET", f"/customers/{name}/offer", 0)),
                ("manage_audiences", request("GET", "/audiences", 0)),
                ("manage_audiences", request("GET", "/audiences/often/customers", 0)),
                ("manage_audiences", request("POST", "/audiences/preview", 0, {"where": RULES[1]})),
                *(("browse_segments", request("GET", path, 0)) for path in told_of),
            ]
        )

        self._looks += 1
        if self._turn() % LOOKED_AT_EVERY == 0:
            function, event = self._of_the_dashboard(name)
        may_fail = self.world.faults.rate > 0
        if function == "make_offer":
            self._offers += 1
            if self._offers % 2:
                function, event = "recommend_products", request("GET", f"/customers/{name}/recommendations", 0)

        def process() -> Process:
            answer = yield Invoke(function, event)
            if not isinstance(answer, Failed) and answer["statusCode"] == 500 and not may_fail:
                self.world.findings.append(f"{function} answered 500")
            if function == "recommend_products" and not isinstance(answer, Failed):
                self.world.findings += filter(None, [recommended_twice(answer)])

        self.world.start(process())

    def _export(self) -> None:
        self.world.start(export(self.world, self.world.next_run()))

    def _of_the_dashboard(self, name: str) -> tuple[str, dict[str, Any]]:
        """What the dashboard asks for, one after the other."""
        asked = [
            ("serve_dashboard", request("GET", "/dashboard", 0)),
            ("lookup_customer", request("GET", f"/customers/{name}/timeline", 0)),
            ("watch_stack", request("GET", "/models", 0)),
            ("watch_stack", request("GET", "/health", 0)),
            ("watch_stack", request("GET", "/quarantine", 0)),
            ("watch_stack", request("GET", "/quarantine/lines", 0)),
            ("manage_audiences", request("GET", "/audiences/versions", 0)),
        ]
        return asked[self._turn() // LOOKED_AT_EVERY % len(asked)]

    def _turn(self) -> int:
        """A number that is another one at every look, and in every world."""
        return self._looks + self.world.now_ms // 1_000

    def _move_clock(self) -> None:
        self.world.move_clock(self.world.now_ms + self.rng.choice([20_000, 1_000_000, DAY_MS, 20 * DAY_MS]))

    # ---- The end ----

    def settle(self) -> None:
        """No more faults: what was given up is tried again, and the world comes to rest."""
        world = self.world
        world.faults.rate = world.faults.kills = world.stalls = 0.0
        if world.cloud.destination:
            world.cloud.destination.settle()
        world.deploy()
        for _ in range(10):
            world.drain()
            if not self._redrive():
                break
        # A roll-back may be late, and lose to what was published meanwhile.
        if pointer := world.cloud.objects.latest("models/current.json"):
            self.live_model = json.loads(pointer)["bundle_id"]
        self.refresh()
        if world.exports:
            # On another day, so that what was exported before stays, without whoever was erased since.
            world.move_clock(world.now_ms + DAY_MS)
            self.refresh()
            world.move_clock(world.now_ms + 2_000)  # what is read is up to a second old
            self._export()
            world.drain()
        self.sent.events += [event for event in world.cloud.exposed if event not in self.sent.events]

    def refresh(self) -> None:
        """Ticks until nobody is due."""
        for _ in range(20):
            self._tick()
            self.world.drain()
            if not self._is_due():
                return
        self.world.findings.append("somebody is due after 20 ticks")

    def redeliver(self) -> None:
        """Everything once more, in one file, as a shop may do at any time."""
        if self.sent.events:
            body = b"".join(as_json(event) + b"\n" for event in self.sent.events)
            self.world.cloud.objects.put_object({"Key": "events/everything.ndjson", "Body": body})
        self.settle()

    def _redrive(self) -> bool:
        world = self.world
        redriven = False
        for name in (
            "ingest",
            "live",
            "erasures",
            *[NAME] * bool(world.cloud.destination),
            *["journeys"] * bool(world.cloud.journey_started),
        ):
            dead = world.cloud.queues.queues[f"{name}-dead"]
            for message in [*dead.messages]:
                dead.messages.remove(message)
                world.cloud.queues.send(name, message.body)
                redriven = True
        runs = world.failed_runs
        world.failed_runs = []
        for kind, run in runs:
            world.resume(kind, run)
            redriven = True
        return redriven

    def _is_due(self) -> bool:
        if self.live_model is None:
            return False  # whoever is stored without a model is due until there is one
        items = self.world.cloud.table.items.values()
        return any("due_ms" in item and int(item["due_ms"]["N"]) <= self.world.now_ms for item in items)


@cache
def model(name: str) -> tuple[bytes, dict[str, Any], bytes]:
    """One of the models, as it is published: graph, manifest and reasons."""
    bundle = make_bundle(name, "orders_365d", MODELS[name])
    return bundle[0], *with_reasons(bundle, "orders_365d", MODELS[name])
