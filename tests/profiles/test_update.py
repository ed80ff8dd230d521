from dataclasses import replace
from typing import Any

import pytest

from shared.clock import Moment
from shared.features import Profiles
from shared.identity.consents import Mark
from shared.models.bundle import Bundle
from shared.profiles.change import Ingested
from shared.profiles.incoming import Incoming
from shared.profiles.races import RACES_AT_MOST
from shared.profiles.sealing import trimmed
from shared.profiles.stored_profile import VERSIONS_A_MILLISECOND
from shared.profiles.table import Write
from shared.profiles.update import RACED, Updater
from tests.support.bundles import make_bundle
from tests.support.event_files import profiles, purchase
from tests.support.memory_table import MemoryTable, writes

BUNDLE = Bundle.from_files(*make_bundle())
NOW = Moment(as_of_ms=1_509_494_400_000, scored_at_ms=1_509_494_400_250)
ONE = profiles(purchase("a", 1))
TWO = profiles(purchase("a", 1), purchase("a", 2, day=2))


def updater(table: MemoryTable, bundle: Bundle | None = BUNDLE, **more: Any) -> Updater:
    return Updater(table, bundle, NOW, lambda _seconds: None, **more)


def test_who_is_new_begins_at_the_time_and_is_decided_on() -> None:
    table = MemoryTable()
    (stored,) = updater(table).update(ONE.keys, Incoming(ONE))
    assert replace(stored, born=0) == table.all()["customer#a"]
    assert stored.version == NOW.scored_at_ms * VERSIONS_A_MILLISECOND + 1
    assert stored.decision is not None and stored.decision.scored_at_ms == NOW.scored_at_ms


def test_what_is_known_is_not_written_again() -> None:
    table = MemoryTable()
    updater(table).update(TWO.keys, Incoming(TWO))
    again = updater(table)
    again.update(ONE.keys, Incoming(ONE))
    assert writes(table.all()["customer#a"]) == 1
    assert again.total == Ingested()


def test_without_a_bundle_who_changed_waits_for_one() -> None:
    table = MemoryTable()
    (waiting,) = updater(table, None).update(ONE.keys, Incoming(ONE))
    assert (waiting.decision, waiting.waits_since_ms) == (None, NOW.as_of_ms)
    (resting,) = updater(MemoryTable(), None, waits=False).update(ONE.keys, Incoming(ONE))
    assert resting.waits_since_ms is None


def test_who_is_stored_and_refuses_is_left_out_and_noted() -> None:
    table = MemoryTable()
    updater(table).update(ONE.keys, Incoming(ONE))
    refusing = updater(table, recorded={"customer#a": Mark(refused_ms=1)})
    assert refusing.update(TWO.keys, Incoming(TWO)) == []
    assert refusing.refused == table.all()


def test_who_agreed_again_keeps_what_came_after() -> None:
    table = MemoryTable()
    updater(table).update(TWO.keys, Incoming(TWO))
    second_ms = int(TWO.last_event_ms[0])
    recorded = {"customer#a": Mark(refused_ms=second_ms - 2, given_ms=frozenset({second_ms - 1}))}
    (left,) = updater(table, recorded=recorded).update(TWO.keys, Incoming(Profiles.empty()))
    assert (left.events, left.counts_from_ms) == (1, second_ms - 1)
    assert trimmed(left) == left


def test_who_loses_every_race_is_noted() -> None:
    table = Overtaken()
    late = updater(table)
    assert late.update(ONE.keys, Incoming(ONE)) == []
    assert late.unwritten == {"customer#a": RACED}
    assert table.attempts == RACES_AT_MOST


class Overtaken(MemoryTable):
    """A table that somebody else always writes first."""

    attempts = 0

    def _put(self, write: Write) -> bool:
        self.attempts += 1
        return False


@pytest.mark.parametrize("bundle", [BUNDLE, None])
def test_nobody_and_nothing_ask_for_no_write(bundle: Bundle | None) -> None:
    assert updater(MemoryTable(), bundle).update([], Incoming(Profiles.empty())) == []
