"""Event files as training sees them: visitors who turn out to be customers, as the functions come to know them."""

from pathlib import Path

from shared.features.state import MOST_EVENTS
from shared.identity.links import LinkState
from tests.support.event_files import Event, ndjson, profiles, purchase
from training.data.events import EventFiles, read_events


def read(folder: Path, *files: list[Event], as_of_ms: int | None = None) -> EventFiles:
    for number, events in enumerate(files):
        (folder / f"{number}.ndjson").write_bytes(ndjson(events))
    return read_events([folder], as_of_ms=as_of_ms)


def visit(number: int) -> Event:
    return purchase("visit", number, customer_id=None, anonymous_id="phone")


def test_visits_count_for_the_customer_whatever_file_they_are_in(tmp_path: Path) -> None:
    files = read(tmp_path, [visit(0)], [purchase("a", anonymous_id="phone"), purchase("b")], [visit(1)])
    assert dict(zip(files.profiles.keys, files.profiles.event_counts.tolist(), strict=True)) == {
        "customer#a": 3,
        "customer#b": 1,
    }
    assert "1 visitors turned out to be customers; 0 are devices" in "\n".join(files.summary())


def test_who_has_more_events_than_are_kept_is_told_of(tmp_path: Path) -> None:
    many = [purchase("a", number) for number in range(MOST_EVENTS + 1)]
    counted, of_full, *_ = read(tmp_path, many, [purchase("b")]).summary()
    assert counted == "6,002 events in 2 files, 6,001 of them kept, of 2 customers"
    assert of_full.startswith("1 customers have more than 6,000 events, of which the latest are kept")


def test_the_earliest_claim_stands_in_whatever_order_files_are_read(tmp_path: Path) -> None:
    late, early = purchase("late", day=9, anonymous_id="phone"), purchase("early", day=2, anonymous_id="phone")
    files = read(tmp_path, [late, visit(0)], [early])
    assert files.links["visitor#phone"].customer == "customer#early"
    assert files.profiles.event_counts.tolist() == [2, 1]


def test_a_device_that_customers_share_is_left_out(tmp_path: Path) -> None:
    files = read(tmp_path, [visit(0), *(purchase(customer, anonymous_id="phone") for customer in "abc")])
    assert files.links["visitor#phone"].state is LinkState.SHARED
    assert files.profiles.event_counts.tolist() == [1, 1, 1]


def test_what_was_not_known_yet_is_not_used(tmp_path: Path) -> None:
    claim = purchase("a", day=9, anonymous_id="phone")
    before = int(profiles(claim).rows.time_ms[0])
    assert read(tmp_path, [visit(0), claim], as_of_ms=before).profiles.keys == ["customer#a", "visitor#phone"]
    assert read(tmp_path, as_of_ms=before + 1).profiles.keys == ["customer#a"]
