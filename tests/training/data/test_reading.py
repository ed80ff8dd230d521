"""What files say beside their events is the same in whatever order they are read."""

from itertools import permutations
from pathlib import Path

from shared.events import Rules
from shared.identity.links import Link
from tests.support.event_files import ndjson, purchase
from training.data.places import EventFile, event_files
from training.data.reading import Reading, read_one

FILES = [
    [purchase("a", 1, anonymous_id="phone"), purchase("a", 2, anonymous_id="laptop", consent=False)],
    [purchase("b", 1, anonymous_id="laptop"), {"event_type": "purchase"}],
    [purchase("b", 2, day=9, anonymous_id="phone", category="Hats")],
]


def local(path: Path) -> EventFile:
    (file,) = event_files([path])
    return file


def readings(folder: Path) -> list[Reading]:
    """Of each file alone."""
    alone = []
    for number, events in enumerate(FILES):
        path = folder / f"{number}.ndjson"
        path.write_bytes(ndjson(events))
        reading = Reading()
        assert (
            sum(len(events) for events in read_one(local(path), number, Rules(currency=None), None, reading))
            == reading.accepted
        )
        alone.append(reading)
    return alone


def test_files_read_apart_say_what_they_say_together(tmp_path: Path) -> None:
    whole = Reading()
    for number in range(len(FILES)):
        readings(tmp_path)
        [*read_one(local(tmp_path / f"{number}.ndjson"), number, Rules(currency=None), None, whole)]
    for order in permutations(readings(tmp_path)):
        together = Reading()
        for one in order:
            together.include(one)
        assert together == whole


def test_of_claims_of_one_time_the_one_that_was_read_first_stands(tmp_path: Path) -> None:
    together = Reading()
    for one in reversed(readings(tmp_path)):
        together.include(one)
    links = together.resolved(None)
    assert {key: link.customer for key, link in links.items()} == {
        "visitor#phone": "customer#a",
        "visitor#laptop": "customer#a",
    }
    assert links["visitor#phone"] != Link("customer#a"), "somebody else claimed it later"
    assert [*together.counts_from(None)] == ["customer#a", "visitor#laptop"]
    assert together.counts_from(0) == {}


def test_a_file_that_cannot_be_read_to_its_end_is_named_with_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    path.write_bytes(b"no Parquet")
    reading = Reading()
    assert [*read_one(local(path), 0, Rules(), None, reading)] == []
    assert (reading.unread_share, [*reading.unreadable]) == (1.0, [str(path)])
    assert any(line.startswith("could not read") for line in reading.summary())
