from dataclasses import replace

from shared.features import encode
from shared.identity.links import Copy
from shared.profiles.full_profile import cut, fitting
from tests.support.event_files import profiles, purchase
from tests.support.stored_profiles import profile

(FIRST,) = encode(profiles(purchase("a", 1)))
(BOTH,) = encode(profiles(purchase("a", 1), purchase("a", 2)))
(VISITS,) = encode(profiles(purchase("v", 3)))
BEFORE = profile("customer#a", state=FIRST, events=1, visitors={"visitor#w": Copy(1, VISITS)})
WHOLE = replace(BEFORE, state=BOTH, events=2, visitors={"visitor#v": Copy(1, VISITS), "visitor#w": Copy(2, None)})


def test_what_fits_is_taken_whole() -> None:
    assert fitting(WHOLE, BEFORE, WHOLE.size) is WHOLE


def test_without_room_new_copies_go_first_and_withdrawn_ones_all_the_same() -> None:
    left = fitting(WHOLE, BEFORE, WHOLE.size - 1)
    assert left.state == BOTH
    assert left.visitors == {"visitor#w": Copy(2, None)}


def test_without_any_room_the_history_stays_as_it_was() -> None:
    left = fitting(WHOLE, BEFORE, 1)
    assert (left.state, left.events) == (FIRST, 1)


def test_copies_that_all_count_are_not_cut() -> None:
    assert cut(WHOLE) is WHOLE
    assert cut(replace(BEFORE, visitors={})).visitors == {}
