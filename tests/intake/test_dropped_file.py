"""One file, from its announcement to what was counted, refused or kept whole."""

import json
from typing import Any

import pytest

from shared.clock import Moment
from shared.events import Rules
from shared.intake.dropped_file import DroppedFiles, FileReport, announced
from shared.intake.gathering import Intake
from shared.intake.object_parts import Part
from shared.intake.quarantine import Quarantine
from tests.conftest import BUCKET
from tests.functions.conftest import announcement
from tests.simulation.objects import Objects
from tests.support.event_files import ndjson, purchase
from tests.support.memory_client import Client
from tests.support.memory_table import MemoryTable

NOVEMBER = Moment(as_of_ms=1_509_494_400_000, scored_at_ms=1_509_494_400_250)
KEY = "events/a.ndjson"


class Places:
    def note(self, key: str, people: object) -> None: ...


@pytest.fixture
def quarantine() -> Quarantine:
    s3: Any = Client(Objects(lambda: 0))
    places: Any = Places()
    return Quarantine(s3, BUCKET, places)


@pytest.fixture
def intake() -> Intake:
    return Intake(MemoryTable(), None, NOVEMBER)


def drop(quarantine: Quarantine, body: bytes, key: str = KEY) -> Part:
    quarantine.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    return Part(key)


def kept(quarantine: Quarantine) -> list[dict[str, Any]]:
    entries = quarantine.s3.list_objects_v2(Bucket=BUCKET, Prefix="quarantine/").get("Contents", [])
    bodies = [quarantine.s3.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read() for entry in entries]
    return [json.loads(line) for body in bodies for line in body.splitlines()]


def test_an_announcement_names_the_object_and_its_version() -> None:
    assert announced(json.dumps(announcement("events/a b.csv", "v1"))) == Part("events/a b.csv", "v1")
    assert announced(json.dumps(announcement("events/a.csv"))).source == {"Key": "events/a.csv"}


@pytest.mark.parametrize("body", ["no JSON", "{}", '{"detail": {"object": {}}}'])
def test_what_announces_no_file_is_an_error(body: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        announced(body)


def test_valid_lines_are_counted_and_the_others_kept_with_their_reason(quarantine: Quarantine, intake: Intake) -> None:
    file = drop(quarantine, ndjson([purchase("a"), purchase("b", price=-1)]))
    assert DroppedFiles(quarantine, Rules()).take_in(file, intake) == FileReport(accepted=1, quarantined=1)
    [record] = kept(quarantine)
    assert (record["source_key"], record["line"], record["people"]) == (KEY, 2, ["customer#b"])
    intake.flush()
    assert intake.total.events == 1


def test_a_file_that_is_gone_leaves_a_trace(quarantine: Quarantine, intake: Intake) -> None:
    assert DroppedFiles(quarantine, Rules()).take_in(Part(KEY), intake) == FileReport(missing=True)
    assert kept(quarantine)[0]["reason"] == "the object was deleted before it could be read"
