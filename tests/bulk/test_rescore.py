"""Deciding anew on some profiles: who is written, who moves and why, and who is left as they are."""

from functools import cache

import pytest

from shared.bulk.rescore import Rescored, Rescorer
from shared.clock import Moment
from shared.decisions.transitions import Cause
from shared.intake.ingest import ingest
from shared.models.bundle import Bundle
from shared.profiles.races import TooManyRaces
from shared.profiles.stored_profile import StoredProfile
from tests.support.bundles import make_bundle
from tests.support.event_files import profiles, purchase
from tests.support.memory_table import MemoryTable
from tests.support.visitors import no_sleep

OCTOBER = Moment(as_of_ms=1_509_494_400_000, scored_at_ms=1_509_494_400_250)
NOVEMBER = Moment(as_of_ms=1_512_086_400_000, scored_at_ms=1_512_086_400_250)


@cache
def bundle(name: str = "live", centroids: tuple[float, ...] = (0.0, 2.0, 10.0)) -> Bundle:
    return Bundle.from_files(*make_bundle(name, centroids=centroids))


def shop(by: Bundle | None = None) -> MemoryTable:
    table = MemoryTable()
    ingest(profiles(purchase("a"), *(purchase("b", n, day=1 + n) for n in range(3))), table, by, OCTOBER, no_sleep)
    return table


def stands(_profile: StoredProfile) -> bool:
    return True


def falls(_profile: StoredProfile) -> bool:
    return False


def test_decisions_that_stand_are_not_written() -> None:
    table = shop(bundle())
    before = table.all()
    assert Rescorer(table, bundle(), NOVEMBER, no_sleep).rescore(before.values(), stands) == Rescored()
    assert table.all() == before


def test_the_others_are_decided_on_as_of_the_moment() -> None:
    table = shop(bundle())
    assert Rescorer(table, bundle(), NOVEMBER, no_sleep).rescore(table.all().values(), falls).decided == 2
    assert {p.decision and p.decision.as_of_ms for p in table.all().values()} == {NOVEMBER.as_of_ms}


@pytest.mark.parametrize(
    ("before", "by", "cause"),
    [
        (None, bundle(), Cause.MODEL),
        (bundle(), bundle("newer", (3.0, 1.0, 20.0)), Cause.MODEL),
        (bundle("live"), bundle("live", (3.0, 1.0, 20.0)), Cause.TIME),
    ],
)
def test_who_moves_does_so_because_of_another_model_or_of_time(before: Bundle | None, by: Bundle, cause: Cause) -> None:
    table = shop(before)
    moved = Rescorer(table, by, NOVEMBER, no_sleep).rescore(table.all().values(), falls).moved
    assert moved > 0
    assert [profile.moved for profile in table.all().values() if profile.moved] == [cause] * moved


def test_a_profile_that_others_wrote_is_read_again() -> None:
    table = shop(bundle())
    stale = [*table.all().values()]
    ingest(profiles(purchase("a", 7, day=9)), table, bundle(), OCTOBER, no_sleep)
    assert Rescorer(table, bundle(), NOVEMBER, no_sleep).rescore(stale, falls).decided == 2
    assert table.all()["customer#a"].events == 2


def test_a_profile_that_others_write_each_time_is_given_up() -> None:
    class Busy(MemoryTable):
        def save(self, profiles: object) -> set[str]:
            return {"customer#a"}

    with pytest.raises(TooManyRaces, match=r"^1 profiles"):
        Rescorer(Busy(shop().items), bundle(), NOVEMBER, no_sleep).rescore(shop().all().values(), falls)


def test_a_history_that_cannot_be_read_is_noted_and_stops_nobody_else() -> None:
    table = shop(bundle())
    table.items["customer#a"]["state"] = {"B": b"\x09\x00"}
    rescorer = Rescorer(table, bundle(), NOVEMBER, no_sleep)
    assert rescorer.rescore(table.all().values(), falls).decided == 1
    assert [*rescorer.unreadable] == ["customer#a"]


def test_sums_add_up() -> None:
    assert Rescored(2, 1) + Rescored(3) == Rescored(5, 1)
