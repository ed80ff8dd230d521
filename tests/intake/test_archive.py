"""What is kept of live events, and under which name."""

import gzip
from collections.abc import Iterable
from typing import Any

import pytest

from shared.events import Rules, read_lines
from shared.identity.consents import Mark
from shared.intake.archive import Archive, object_key, people_in
from shared.intake.live_events import Message, TakenIn
from tests.conftest import BUCKET
from tests.simulation.objects import Objects
from tests.support.event_files import Event, ndjson, purchase
from tests.support.memory_client import Client

SENT_MS = 1_509_495_400_000
LATER_MS = 1_600_000_000_000


class Marks:
    def __init__(self, known: dict[str, Mark]) -> None:
        self.known = known

    def load(self, keys: Iterable[str]) -> dict[str, Mark]:
        return {key: self.known[key] for key in keys if key in self.known}


class Places:
    def __init__(self) -> None:
        self.noted = dict[str, set[str]]()

    def note(self, key: str, people: set[str]) -> None:
        self.noted[key] = people


@pytest.fixture
def places() -> Places:
    return Places()


def archive(places: Any, **marks: Mark) -> Archive:
    s3: Any = Client(Objects(lambda: 0))
    kept: Any = Marks({f"customer#{name}": mark for name, mark in marks.items()})
    return Archive(s3, BUCKET, places, kept)


def taken_in(*events: Event, message_id: str = "m") -> TakenIn:
    lines = ndjson(events).splitlines()
    return TakenIn(Message(message_id, "bus", lines, SENT_MS), read_lines(lines, Rules()), 0)


def kept_lines(archive: Archive, *ids: str) -> list[bytes]:
    body = archive.s3.get_object(Bucket=BUCKET, Key=object_key(ids, SENT_MS))["Body"].read()
    return gzip.decompress(body).splitlines()


def test_valid_lines_are_kept_and_those_refused_are_not(places: Places) -> None:
    mine = archive(places)
    assert mine.keep([taken_in(purchase("a"), purchase("b", price=-1))]) == 1
    assert kept_lines(mine, "m") == ndjson([purchase("a")]).splitlines()


def test_whom_an_object_names_is_noted_for_an_erasure_to_find(places: Places) -> None:
    archive(places).keep([taken_in(purchase("a", anonymous_id="phone"))])
    assert places.noted == {object_key(["m"], SENT_MS): {"customer#a", "visitor#phone"}}


def test_lines_of_those_whose_events_do_not_count_are_not_kept(places: Places) -> None:
    mine = archive(places, a=Mark(refused_ms=LATER_MS))
    assert mine.keep([taken_in(purchase("a"), purchase("b"))]) == 1
    assert {person for people in places.noted.values() for person in people} == {"customer#b"}


def test_where_nothing_is_left_nothing_is_written(places: Places) -> None:
    assert archive(places, a=Mark(refused_ms=LATER_MS)).keep([taken_in(purchase("a"))]) == 0
    assert not places.noted


def test_the_name_follows_from_the_messages_in_any_order_and_from_the_hour() -> None:
    assert object_key(["1", "2"], SENT_MS) == object_key(["2", "1"], SENT_MS + 1)
    assert object_key(["1"], SENT_MS).startswith("archive/2017/11/01/00/")
    assert object_key(["1"], SENT_MS) != object_key(["2"], SENT_MS)


def test_an_archived_line_says_whom_it_names() -> None:
    [line] = ndjson([purchase("a", anonymous_id="phone")]).splitlines()
    assert people_in(line) == {"customer#a", "visitor#phone"}
