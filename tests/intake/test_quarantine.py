"""Where refused lines and whole files are kept, and how much of them."""

import json
from typing import Any

import pytest

from shared.events import Rejection
from shared.intake.quarantine import Folder, Quarantine, people_in
from tests.conftest import BUCKET
from tests.simulation.objects import Objects
from tests.support.memory_client import Client


class Places:
    def __init__(self) -> None:
        self.noted = dict[str, list[str]]()

    def note(self, key: str, people: Any) -> None:
        self.noted[key] = [*people]


@pytest.fixture
def places() -> Places:
    return Places()


@pytest.fixture
def s3() -> Any:
    return Client(Objects(lambda: 0))


def folder(s3: Any, places: Any, most_bytes: int | None = None, key: str = "events/a.csv") -> Folder:
    return Quarantine(s3, BUCKET, places, most_bytes).folder(key, "v1")


def refused(line: int, original: bytes = b"original", *people: str) -> Rejection:
    return Rejection(line, "why", original, people)


def kept(s3: Any) -> dict[str, list[dict[str, Any]]]:
    entries = s3.list_objects_v2(Bucket=BUCKET, Prefix="quarantine/").get("Contents", [])
    bodies = {entry["Key"]: s3.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read() for entry in entries}
    return {
        key.removeprefix("quarantine/events/a.csv/v1/"): [json.loads(line) for line in body.splitlines()]
        for key, body in bodies.items()
    }


def test_lines_that_name_people_and_others_stand_apart(s3: Any, places: Places) -> None:
    folder(s3, places).lines([refused(2), refused(3, b"theirs", "customer#a")])
    named, nameless = "lines-000000003.named.ndjson", "lines-000000002.nameless.ndjson"
    assert kept(s3) == {
        named: [
            {"source_key": "events/a.csv", "line": 3, "reason": "why", "original": "theirs", "people": ["customer#a"]}
        ],
        nameless: [{"source_key": "events/a.csv", "line": 2, "reason": "why", "original": "original"}],
    }
    assert places.noted == {f"quarantine/events/a.csv/v1/{named}": ["customer#a"]}


def test_bytes_that_are_no_text_are_kept_in_base64(s3: Any, places: Places) -> None:
    folder(s3, places).lines([refused(1, b"\xff")])
    [[record]] = kept(s3).values()
    assert record["original_base64"] == "/w=="


def test_of_very_much_the_reasons_are_kept_and_counted(s3: Any, places: Places) -> None:
    mine = folder(s3, places, most_bytes=10)
    mine.lines([refused(1, b"12345678"), refused(2, b"123"), refused(3, b"1")])
    assert mine.capped == 2
    assert [record["lines"] for record in kept(s3)["lines-000000002.capped.ndjson"]] == [2]


def test_what_comes_live_is_always_kept(s3: Any, places: Places) -> None:
    mine = folder(s3, places, most_bytes=1, key="live/bus")
    mine.lines([refused(1, b"12345678")])
    assert mine.capped == 0


def test_a_whole_file_beyond_the_bound_leaves_its_reason(s3: Any, places: Places) -> None:
    mine = folder(s3, places, most_bytes=1)
    mine.whole("no reader for this", 100)
    assert (mine.capped, kept(s3)["reason.json"][0]["copied"]) == (1, False)


def test_a_very_long_name_becomes_a_short_one(s3: Any, places: Places) -> None:
    assert len(folder(s3, places, key="events/" + "x" * 1_000).path) < 100


def test_kept_lines_say_whom_they_name() -> None:
    assert people_in([b'{"people":["customer#a","visitor#b"]}', b'{"line":1}']) == {"customer#a", "visitor#b"}
