"""Profiles that do not take what is new stop nobody else: it is kept in quarantine, or comes again."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.decisions import deciding
from shared.events import Rejection, Rules, read_lines
from shared.features import Profiles, encode
from shared.features.codec import VERSION
from shared.intake.gathering import Intake, Source
from shared.models.bundle import Bundle
from shared.profiles import update
from shared.profiles.histories import histories
from shared.profiles.incoming import Incoming
from shared.profiles.item import MAX_STATE_BYTES, encode_profile
from shared.profiles.stored_profile import StoredProfile
from shared.profiles.table import ProfileNotWritten, Write
from shared.profiles.unwritten import ProfileNewer, ProfilesUnreadable, Unwritten
from shared.profiles.update import Updater
from tests.support.bundles import make_bundle
from tests.support.event_files import Event, ndjson, profiles, purchase
from tests.support.examples import at_most
from tests.support.memory_table import MemoryTable, writes
from tests.support.visitors import AS_OF, no_sleep, sign_in, visit

LIVE = Bundle.from_files(*make_bundle())


class Files:
    """Files that are taken in together, and their quarantine."""

    def __init__(self, table: MemoryTable) -> None:
        self.table = table
        self.quarantined: dict[str, list[Rejection]] = {}

    def take_in(self, files: Mapping[str, list[Event]]) -> Intake:
        intake = Intake(self.table, LIVE, AS_OF, sleep=no_sleep)
        for name, events in files.items():
            lines = ndjson(events).splitlines()
            intake.add(read_lines(lines, Rules()), nothing_refused, self._source(name, lines))
        intake.flush()
        return intake

    def _source(self, name: str, lines: list[bytes]) -> Source:
        def lines_of(unwritten: Mapping[str, Unwritten]) -> list[Rejection]:
            return read_lines(lines, Rules(unwritten=unwritten)).unwritten

        def keep(rejections: Any) -> None:
            self.quarantined[name] = [*rejections]

        return Source(name, lines_of, keep)


def nothing_refused(rejections: Any) -> None:
    raise AssertionError(rejections)


def heavy(customer: str, events: int, begin: int = 0) -> list[Event]:
    return [purchase(customer, number, 1 + number % 28, category=f"c{number}") for number in range(begin, events)]


def events(table: MemoryTable) -> dict[str, int]:
    return {key: profile.events for key, profile in table.all().items()}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(update, "MAX_STATE_BYTES", 1_000)


@pytest.mark.usefixtures("small")
def test_what_a_full_profile_does_not_take_is_kept_with_whom_it_names_and_all_else_counts() -> None:
    table = MemoryTable()
    files = Files(table)
    files.take_in({"first": [*heavy("full", 20), purchase("a")]})
    for _ in range(2):
        done = files.take_in({"second": [purchase("b"), *heavy("full", 200)], "third": [purchase("c")]})
        assert events(table) == {"customer#a": 1, "customer#b": 1, "customer#c": 1, "customer#full": 20}
        (kept,) = files.quarantined.values()
        assert [line.line for line in kept] == [*range(22, 202)]  # the 20 before are in the profile
        assert {line.people for line in kept} == {("customer#full",)}
        assert {line.reason for line in kept} == {update.FULL.reason}
        assert (done.again, done.unwritten, {*done.not_taken}) == ({}, 180, {"customer#full"})
    full = table.all()["customer#full"]
    assert full.decision and writes(full) == 1


@pytest.mark.usefixtures("small")
@settings(max_examples=at_most(20))
@given(st.lists(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 120)), max_size=40), max_size=6))
def test_every_event_is_in_its_profile_or_in_quarantine_whatever_comes_together(
    batches: list[list[tuple[str, int]]],
) -> None:
    table = MemoryTable()
    kept = set[tuple[str, str]]()
    files = Files(table)
    for number, batch in enumerate(batches):
        sent = [purchase(customer, i, category=f"c{i}") for customer, i in batch]
        files.take_in({f"file {number}": sent})
    for line in (line for lines in files.quarantined.values() for line in lines):
        kept.add((line.people[0], line.original.decode().split('"')[3]))
    for customer in "ab":
        key = f"customer#{customer}"
        sent_ids = {f"{customer}-{i}" for batch in batches for name, i in batch if name == customer}
        kept_ids = {event_id for person, event_id in kept if person == key}
        held = table.all()[key].events if key in table.all() else 0
        assert kept_ids <= sent_ids and len(sent_ids) - len(kept_ids) <= held <= len(sent_ids)
        assert key not in table.all() or table.all()[key].size <= 1_000


def test_an_account_with_160_browsers_of_120_events_fits_and_is_decided_on_as_all_of_them_together() -> None:
    table = MemoryTable()
    files = Files(table)
    batch = {"neighbour": [purchase("a")]}
    for browser in range(160):
        name = f"browser {browser}"
        batch[name] = [sign_in(name, "account", 119)]
        for number in range(119):
            day = f"2017-{1 + browser % 9:02d}-{1 + number % 28:02d}"
            time = f"{number % 24:02d}:{browser % 60:02d}"
            at = f"{day}T{time}:07.{number:03d}Z"
            one = f"{name}-{number}"
            batch[name].append(visit(one, event_id=one, timestamp=at, session_id=one, brand=one, price=number / 100))
            batch[name][-1]["anonymous_id"] = name
    assert not files.take_in(batch).not_taken
    account = table.all()["customer#account"]
    assert len(account.visitors) == 160 and account.size <= MAX_STATE_BYTES
    whole = [table.all()[visitor].state for visitor in account.visitors]
    copies = zip(account.visitors.items(), whole, strict=True)
    uncut = replace(account, visitors={visitor: replace(copy, state=state) for (visitor, copy), state in copies})
    assert uncut.size > MAX_STATE_BYTES
    together = histories([uncut])
    cut = histories([account])
    assert cut.event_counts[0] == 6_000
    assert (cut.rows.fingerprint == together.rows.fingerprint).all()
    assert item_bytes({"M": encode_profile(account)}) < 409_600


def item_bytes(value: Any) -> int:
    """As DynamoDB counts them: names and values, 21 bytes at most a number, 3 a nest and 1 each thing in it."""
    ((kind, inner),) = value.items()
    match kind:
        case "M":
            return 3 + sum(1 + len(name.encode()) + item_bytes(one) for name, one in inner.items())
        case "L":
            return 3 + sum(1 + item_bytes(one) for one in inner)
        case "N" | "BOOL":
            return 21
        case _:
            return len(inner.encode() if isinstance(inner, str) else inner)


@pytest.mark.usefixtures("small")
def test_a_visitors_copy_that_does_not_fit_leaves_the_customers_own_events_in() -> None:
    table = MemoryTable()
    files = Files(table)
    files.take_in({"sign-in": [sign_in("phone", "a"), *heavy("a", 15)]})
    visits = [visit("phone", number, event_id=f"v{number}", category=f"v{number}") for number in range(20)]
    done = files.take_in({"visits": [*visits, purchase("a", 99)]})
    assert not done.not_taken and not files.quarantined
    assert events(table) == {"customer#a": 17, "visitor#phone": 20}


def with_state(spoil: Callable[[bytes], bytes]) -> Callable[[StoredProfile], Any]:
    return lambda profile: encode_profile(replace(profile, state=spoil(profile.state)))


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda p: {n: v for n, v in encode_profile(p).items() if n != "state"}, id="no state"),
        pytest.param(lambda p: encode_profile(p) | {"decision": {"M": {}}}, id="another decision"),
        pytest.param(lambda p: encode_profile(p) | {"version": {"N": "one"}}, id="no number"),
        *(
            pytest.param(with_state(spoil), id=name)
            for name, spoil in {
                "cut": lambda state: state[:-3],
                "a version alone": lambda state: state[:1],
                "a header alone": lambda state: state[:18],
                "more rows than there are": lambda state: state[:2] + b"\x05" + state[3:],
                "four billion rows": lambda state: state[:2] + b"\xff\xff\xff\xff" + state[6:],
                "spoiled values": lambda state: state[:-8] + bytes(8),
            }.items()
        ),
    ],
)
def test_an_unreadable_profile_is_left_as_it_is_and_its_events_are_kept(spoil: Callable[[StoredProfile], Any]) -> None:
    table = MemoryTable()
    files = Files(table)
    files.take_in({"first": [purchase(customer) for customer in ("a", "broken", "z")]})
    table.items["customer#broken"] = spoil(table.all()["customer#broken"])
    before = {**table.items["customer#broken"]}
    done = files.take_in({"second": [purchase(customer, 1) for customer in ("a", "broken", "z")]})
    assert table.items.pop("customer#broken") == before
    assert events(table) == {"customer#a": 2, "customer#z": 2}
    assert [line.people for line in files.quarantined["second"]] == [("customer#broken",)]
    assert done.not_taken["customer#broken"].error is ProfilesUnreadable and not done.again


def test_events_of_a_profile_that_a_newer_release_wrote_come_again_and_the_others_are_in() -> None:
    table = MemoryTable()
    files = Files(table)
    files.take_in({"first": [purchase("newer"), purchase("a")]})
    newer = table.all()["customer#newer"]
    table.items["customer#newer"] = encode_profile(replace(newer, state=bytes([VERSION + 1]) + newer.state[1:]))
    batch = {"a": [purchase("a", 1)], "both": [purchase("a", 2), purchase("newer", 1)], "z": [purchase("z")]}
    done = files.take_in(batch)
    assert [*done.again] == ["both"] and not files.quarantined
    assert done.not_taken["customer#newer"].error is ProfileNewer
    table.items["customer#newer"] = encode_profile(newer)  # the newer release is back
    assert not files.take_in({"both": batch["both"]}).again
    assert events(table) == {"customer#a": 3, "customer#newer": 2, "customer#z": 1}


class Contended(MemoryTable):
    """A table on which others always come first at one profile."""

    def __init__(self, hot: str) -> None:
        super().__init__()
        self.hot = hot

    def _put(self, write: Write) -> bool:
        return write.key != self.hot and super()._put(write)


def test_only_what_holds_a_customer_who_lost_every_race_comes_again() -> None:
    table = Contended("customer#hot")
    files = Files(table)
    batch = {"hot": [purchase("hot"), purchase("b")], "cold": [purchase("a")]}
    done = files.take_in(batch)
    assert [*done.again] == ["hot"] and not files.quarantined
    assert events(table) == {"customer#a": 1, "customer#b": 1}
    table.hot = ""
    assert not files.take_in({"hot": batch["hot"]}).again
    assert events(table) == {"customer#a": 1, "customer#b": 1, "customer#hot": 1}


def test_a_visitors_events_come_again_where_their_customer_lost_every_race() -> None:
    table = Contended("customer#hot")
    files = Files(table)
    assert [*files.take_in({"sign-in": [sign_in("phone", "hot")], "cold": [purchase("a")]}).again] == ["sign-in"]
    done = files.take_in({"visit": [visit("phone", 1)], "cold": [purchase("a", 1)]})
    assert [*done.again] == ["visit"]
    table.hot = ""
    files.take_in({"visit": [visit("phone", 1)], "sign-in": [sign_in("phone", "hot")]})
    assert histories([table.all()["customer#hot"]]).event_counts.tolist() == [2]


def test_without_a_source_what_is_not_written_is_an_error() -> None:
    table = MemoryTable()
    table.items["customer#a"] = {"pk": {"S": "customer#a"}, "sk": {"S": "profile"}}
    intake = Intake(table, None, AS_OF, sleep=no_sleep)
    intake.add(read_lines(ndjson([purchase("a")]).splitlines(), Rules()), nothing_refused)
    with pytest.raises(ProfilesUnreadable):
        intake.flush()


def test_an_item_that_the_table_refuses_stops_no_other() -> None:
    class Refusing(MemoryTable):
        def save(self, profiles: Any) -> set[str]:
            lost = super().save([profile for profile in profiles if profile.key != "customer#b"])
            if any(profile.key == "customer#b" for profile in profiles):
                raise ProfileNotWritten("refused", refused=["customer#b"], lost=lost)
            return lost

    table = Refusing()
    files = Files(table)
    files.take_in({"file": [purchase(customer) for customer in "abc"]})
    assert events(table) == {"customer#a": 1, "customer#c": 1}
    assert [line.people for line in files.quarantined["file"]] == [("customer#b",)]


def test_profiles_are_decided_on_as_many_at_a_time_as_the_budget_of_events_has_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows: list[int] = []
    decide = deciding.decide

    def watched(known: Profiles, *rest: Any) -> Any:
        rows.append(len(known.rows))
        return decide(known, *rest)

    monkeypatch.setattr(update, "decide", watched)
    monkeypatch.setattr(update, "EVENTS_AT_ONCE", 100)
    table = MemoryTable()
    news = profiles(*(purchase(str(customer), number) for customer in range(20) for number in range(30)))
    Updater(table, LIVE, AS_OF, no_sleep).update(news.keys, Incoming(news))
    assert sum(rows) == 600 and max(rows) <= 100
    rows.clear()
    more = profiles(*(purchase(str(customer), 99) for customer in range(20)))
    Updater(table, LIVE, AS_OF, no_sleep).update(more.keys, Incoming(more))
    assert sum(rows) == 620 and max(rows) <= 100


def test_copies_are_handed_on_before_they_are_many_and_end_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def play() -> dict[str, bytes]:
        table = MemoryTable()
        events = [sign_in(f"v{n}", "ab"[n % 2], i) for n in range(9) for i in range(2)]
        visits = [visit(f"v{n}", i) for n in range(9) for i in range(2)]
        Files(table).take_in({"file": [*events, *visits]})
        known = histories(profile for profile in table.all().values() if profile.is_someone)
        return dict(zip(known.keys, encode(known), strict=True))

    at_once = play()
    monkeypatch.setattr("shared.intake.ingest.COPIES_AT_ONCE", 1)
    monkeypatch.setattr("shared.intake.ingest.PROFILES_AT_ONCE", 2)
    assert play() == at_once and {*at_once} == {"customer#a", "customer#b"}
