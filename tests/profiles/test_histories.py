import pytest

from shared.features import encode, merge
from shared.identity.links import Copy
from shared.profiles import histories as module
from shared.profiles.histories import BROKEN, NEWER, gathered, histories, parts, rows_of, unreadable
from tests.support.event_files import profiles, purchase
from tests.support.stored_profiles import profile

(OWN,) = encode(profiles(purchase("a", 1), purchase("a", 2)))
(VISITS,) = encode(profiles(purchase("v", 3)))
STORED = profile("customer#a", state=OWN, visitors={"visitor#v": Copy(1, VISITS), "visitor#w": Copy(2, None)})


def test_a_history_holds_what_was_done_as_a_visitor_and_nothing_withdrawn() -> None:
    assert histories([STORED]).event_counts.tolist() == [3]
    assert rows_of(STORED) == 3


def test_events_from_before_they_count_are_left_out() -> None:
    late = profile("customer#a", state=OWN, counts_from_ms=2_000_000_000_000)
    assert len(histories([late])) == 0


def test_who_has_no_events_has_no_history() -> None:
    assert histories([profile("customer#a", state=b"")]).keys == []


def test_parts_hold_as_many_events_as_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVENTS_AT_ONCE", 7)
    assert [len(part) for part in parts([STORED] * 5)] == [2, 2, 1]
    assert list(parts([])) == []


def test_several_histories_under_one_key_are_one() -> None:
    together = gathered([("customer#a", OWN), ("customer#b", VISITS), ("customer#a", VISITS)])
    assert dict(zip(together.keys, together.event_counts.tolist(), strict=True)) == {"customer#a": 3, "customer#b": 1}
    assert len(gathered([])) == len(merge()) == 0


def test_damage_is_told_from_the_writing_of_a_newer_release() -> None:
    newer = profile("customer#b", state=bytes([255]) + OWN[1:])
    assert unreadable([STORED, profile("customer#c", state=OWN[:-1]), newer]) == {
        "customer#c": BROKEN,
        "customer#b": NEWER,
    }
