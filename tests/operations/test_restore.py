"""The steps of a restore that write; tests/functions/test_restore.py plays all of it, `make drills` on a real stack."""

from typing import Any

from operations.restore import note_quarantine, put_back
from shared.identity.consents import Mark
from tests.conftest import BUCKET
from tests.simulation.objects import Objects
from tests.support.memory_client import Client


class Marks:
    def __init__(self) -> None:
        self.known = dict[str, Mark]()

    def put_back(self, name: str, mark: Mark) -> None:
        self.known[name] = mark


class Places:
    def __init__(self) -> None:
        self.noted = dict[str, set[str]]()

    def note(self, key: str, people: set[str]) -> None:
        self.noted[key] = people


def test_every_kept_mark_is_put_back_and_counted() -> None:
    marks: Any = Marks()
    kept = {f"{number:032x}": Mark(refused_ms=number) for number in range(1_100)}
    assert put_back(marks, kept.items()) == 1_100
    assert marks.known == kept


def test_people_of_quarantined_lines_are_noted_and_other_objects_are_not_read() -> None:
    s3: Any = Client(Objects(lambda: 0))
    for name, body in {"a.named": b'{"people":["customer#a"]}\n', "b.nameless": b"\xff"}.items():
        s3.put_object(Bucket=BUCKET, Key=f"quarantine/{name}.ndjson", Body=body)
    places: Any = Places()
    assert note_quarantine(s3, BUCKET, places) == 1
    assert places.noted == {"quarantine/a.named.ndjson": {"customer#a"}}
