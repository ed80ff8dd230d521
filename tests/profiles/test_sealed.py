"""Volumes as they are stored, and which of them count."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from shared.profiles.item import ItemsUnreadable, decode_profile, encode_profile, removed_attributes
from shared.profiles.sealed import Sealed, Volume, decode_volume, encode_volume, volume_key, volume_number
from shared.profiles.table import ProfileTable
from tests.conftest import TABLE
from tests.support.memory_table import MemoryTable
from tests.support.stored_profiles import profile

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

OPENED = Sealed(3, (), ()).opened()
WRITTEN = OPENED.rewritten({0: b"old"}, 5)


def test_a_volume_is_decoded_as_it_was_encoded() -> None:
    item = encode_volume("customer#a", 7, Volume(5, b"old", replaces=0))
    assert decode_volume(item) == Volume(5, b"old")
    assert volume_number(item) == 7
    assert {name: item[name] for name in ("pk", "sk")} == volume_key("customer#a", 7)


def test_a_profile_says_which_volumes_it_needs() -> None:
    item = encode_profile(profile(sealed=WRITTEN.opened()))
    assert item["sealed"] == {"L": [{"N": "3"}, {"N": "5"}, {"N": "0"}]}
    assert decode_profile(item).sealed == Sealed(3, (5, 0))
    assert "sealed" not in encode_profile(profile())


def test_what_a_moving_profile_was_decided_on_goes_with_the_next_write() -> None:
    moved = profile(sealed=WRITTEN, known=b"features")
    assert decode_profile(encode_profile(moved)).known == b"features"
    assert "known" not in removed_attributes(moved)
    assert "known" in removed_attributes(replace(moved, known=None))


def test_a_volume_of_a_former_life_does_not_count_and_is_written_over() -> None:
    left = OPENED.of({0: Volume(3, b"of a former life")})
    assert left and left.read == (Volume(3, b""),)
    assert not left.holds_events
    assert left.rewritten({0: b"new"}, 5).read == (Volume(5, b"new", replaces=3),)
    assert left.stored().least == (0,)


def test_a_volume_ahead_of_the_profile_counts() -> None:
    assert (ahead := OPENED.of({0: Volume(9, b"ahead")})) and ahead.read == (Volume(9, b"ahead"),)
    assert ahead.rewritten({0: b"more"}, 9).read == (Volume(10, b"more", replaces=9),)


@pytest.mark.parametrize("stored", [{}, {0: Volume(4, b"older")}])
def test_a_volume_behind_the_profile_is_not_taken(stored: dict[int, Volume]) -> None:
    assert Sealed(3, (5,)).of(stored) is None


def test_a_volume_is_written_once_however_often_it_was_changed_before() -> None:
    assert WRITTEN.rewritten({0: b"newer"}, 5).read == (Volume(6, b"newer", replaces=0),)


def test_what_was_not_read_is_not_there_to_be_used() -> None:
    assert Sealed(3, (5,)).holds_events
    assert not Sealed(3, (0,)).holds_events
    with pytest.raises(ValueError, match="was not read"):
        _ = Sealed(3, (5,)).read


def test_a_table_reads_writes_and_sweeps_volumes(dynamodb: "DynamoDBClient") -> None:
    table = ProfileTable(dynamodb, TABLE)
    opened = profile(version=4, born=3, sealed=OPENED)
    assert table.save([opened]) == set()
    (loaded,) = table.load(["customer#1"]).values()
    assert loaded.sealed and loaded.sealed.read == (Volume(),)
    sealed = replace(loaded, version=5, state=b"new", sealed=loaded.sealed.rewritten({0: b"old"}, 5))
    assert table.save([sealed]) == set()
    (stored,) = table.load(["customer#1"]).values()
    assert stored.states == [b"new", b"old"]
    assert table.get("customer#1") == table.heads(["customer#1"])["customer#1"] != stored
    assert table.save([sealed]) == {"customer#1"}
    table.sweep("customer#1", stored)
    assert table.load(["customer#1"]) == {"customer#1": stored}
    assert table.delete(stored)
    table.sweep("customer#1", None)
    assert table._read([volume_key("customer#1", 0)]) == []


def test_a_profile_whose_sealed_events_are_lost_is_unreadable_and_no_other() -> None:
    table = MemoryTable()
    table.save([profile("customer#a", version=1, sealed=WRITTEN), profile("customer#b")])
    del table.items["customer#a sealed#0"]
    with pytest.raises(ItemsUnreadable) as raised:
        table.load(["customer#a", "customer#b"])
    assert raised.value.unreadable == {"customer#a"}
    assert [*raised.value.profiles] == ["customer#b"]
    assert table.heads(["customer#a"])


def test_an_item_that_is_no_volume_makes_its_profile_unreadable_and_no_other() -> None:
    table = MemoryTable()
    table.save([profile("customer#a", version=1, sealed=WRITTEN), profile("customer#b", version=1, sealed=WRITTEN)])
    del table.items["customer#a sealed#0"]["state"]
    with pytest.raises(ItemsUnreadable) as raised:
        table.load(["customer#a", "customer#b"])
    assert raised.value.unreadable == {"customer#a"}
    assert [*raised.value.profiles] == ["customer#b"]
