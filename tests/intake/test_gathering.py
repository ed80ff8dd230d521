"""Events of many files and messages gathered, and what becomes of those that are not written."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from shared.clock import Moment
from shared.decisions.decision import iso
from shared.durations import DAY_MS
from shared.events import Rejection, Rules, read_lines
from shared.intake.gathering import LATE_MS, Intake, Source
from shared.models.bundle import Bundle
from shared.profiles.change import Ingested
from shared.profiles.stored_profile import StoredProfile
from shared.profiles.table import ProfileTable, TableOverloaded
from shared.profiles.unwritten import ProfilesUnreadable, Unwritten
from tests.conftest import TABLE
from tests.support.bundles import make_bundle
from tests.support.event_files import chunks, ndjson, purchase
from tests.support.memory_table import MemoryTable, writes
from tests.support.partiql import PartiQL
from tests.support.visitors import no_sleep

NOVEMBER = Moment(as_of_ms=1_509_494_400_000, scored_at_ms=1_509_494_400_250)


@pytest.fixture
def table(dynamodb: Any) -> ProfileTable:
    return ProfileTable(dynamodb, TABLE, sleep=no_sleep)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle.from_files(*make_bundle())


def stored(table: ProfileTable, customer: str) -> StoredProfile:
    return table.load([f"customer#{customer}"])[f"customer#{customer}"]


def test_intake_writes_a_profile_of_many_files_once(table: ProfileTable, bundle: Bundle) -> None:
    intake = Intake(table, bundle, NOVEMBER)
    for day in range(1, 6):
        for chunk in chunks([purchase("a", number=day, day=day), purchase("a", number=0)]):
            intake.add(chunk, nothing_refused)
    intake.flush()
    assert (intake.accepted, intake.total) == (10, Ingested(6, 1, 0))
    assert writes(stored(table, "a")) == 1


def test_intake_writes_before_it_holds_too_much(table: ProfileTable, bundle: Bundle) -> None:
    intake = Intake(table, bundle, NOVEMBER, rows_at_once=3)
    add(intake, purchase("a"), purchase("b"))
    assert intake.total.customers == 0
    add(intake, purchase("c"))
    assert intake.total.customers == 3


def test_intake_keeps_what_it_could_not_write(table: ProfileTable, bundle: Bundle, partiql: PartiQL) -> None:
    intake = Intake(table, bundle, NOVEMBER)
    add(intake, purchase("a"))
    partiql.refusals.extend(["ThrottlingError"] * 10)
    with pytest.raises(TableOverloaded):
        intake.flush()
    intake.flush()
    assert stored(table, "a").events == 1
    assert intake.total == Ingested(1, 1, 0)


def test_there_is_time_while_another_piece_can_be_read_and_all_be_written(table: ProfileTable, bundle: Bundle) -> None:
    left = [100.0]
    intake = Intake(table, bundle, NOVEMBER, seconds_left=lambda: left[0])
    assert intake.has_time()
    left[0] = 70.0  # a piece took 30 seconds
    assert intake.has_time()
    left[0] = 64.0
    assert not intake.has_time()
    assert Intake(table, bundle, NOVEMBER).has_time()


def test_what_has_gathered_needs_time_to_be_written(table: ProfileTable, bundle: Bundle) -> None:
    intake = Intake(table, bundle, NOVEMBER, seconds_left=lambda: 10.0)
    assert intake.has_time()
    for _ in range(2):
        add(intake, *(purchase(str(i)) for i in range(480)))
    assert intake.has_time()  # 480 of them, however often each comes
    add(intake, *(purchase(str(i)) for i in range(480, 520)))
    assert not intake.has_time()


def add(intake: Intake, *events: Any) -> None:
    for chunk in chunks(events):
        intake.add(chunk, nothing_refused)


def nothing_refused(rejections: Any) -> None:
    raise AssertionError(rejections)


def with_a_broken_history() -> MemoryTable:
    table = MemoryTable()
    intake = Intake(table, None, NOVEMBER, sleep=no_sleep)
    add(intake, purchase("a"), purchase("b"))
    intake.flush()
    table.items["customer#a"]["state"] = {"B": b"\x02"}
    return table


def test_events_that_a_profile_does_not_take_are_kept_by_their_source() -> None:
    lines = ndjson([purchase("a", 1), purchase("b", 1)]).splitlines()
    kept = list[Rejection]()

    def lines_of(unwritten: Mapping[str, Unwritten]) -> Iterable[Rejection]:
        return read_lines(lines, Rules(unwritten=unwritten)).unwritten

    intake = Intake(with_a_broken_history(), None, NOVEMBER, sleep=no_sleep)
    intake.add(read_lines(lines, Rules()), nothing_refused, Source("file", lines_of, kept.extend))
    intake.flush()
    assert ([rejection.line for rejection in kept], intake.unwritten) == ([1], 1)
    assert ([*intake.not_taken], intake.again) == (["customer#a"], {})
    assert intake.counts["EventsCounted"] == 1


def test_events_that_a_profile_does_not_take_are_an_error_without_a_source() -> None:
    intake = Intake(with_a_broken_history(), None, NOVEMBER, sleep=no_sleep)
    add(intake, purchase("a", 1))
    with pytest.raises(ProfilesUnreadable):
        intake.flush()


def test_repeats_are_counted_apart() -> None:
    intake = Intake(MemoryTable(), None, NOVEMBER, sleep=no_sleep)
    add(intake, purchase("a"), purchase("a"))
    intake.flush()
    assert (intake.counts["EventsCounted"], intake.counts["EventsDuplicate"]) == (1, 1)


def test_what_comes_two_days_after_it_happened_is_late() -> None:
    intake = Intake(MemoryTable(), None, NOVEMBER, sleep=no_sleep)
    for age_ms in (LATE_MS - 1, LATE_MS, 30 * DAY_MS):
        add(intake, {**purchase("a", age_ms), "timestamp": iso(NOVEMBER.as_of_ms - age_ms)})
    assert intake.late == intake.counts["EventsLate"] == 2


def test_without_admission_every_refused_line_is_kept() -> None:
    refused = [Rejection(1, "why", b"line", ("customer#a",))]
    assert Intake(MemoryTable(), None, NOVEMBER).keepable(refused) == refused
