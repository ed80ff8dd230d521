"""How many recommendations may be asked for, and of whose segment they know."""

import pytest

from shared.api.answers import Refused
from shared.api.recommended import limit_of, recommended
from shared.features import encode, fold
from tests.support.recommenders import AS_OF_MS, event, events_of, small_recommender
from tests.support.stored_profiles import profile


def test_ten_are_told_where_nobody_says_how_many() -> None:
    assert [limit_of(query) for query in (None, {}, {"limit": "1"}, {"limit": "50"})] == [10, 10, 1, 50]
    with pytest.raises(Refused):
        limit_of({"limit": "51"})


def test_who_has_no_decision_yet_is_recommended_something() -> None:
    (state,) = encode(fold(events_of(event("x", "view_item", "c1", "2017-09-29"))))
    lists = recommended("x", profile(state=state, decision=None), small_recommender(), AS_OF_MS, 3)
    assert lists["buy_again"] == []
    assert len(lists["new_for_you"]) == 3
    assert "problem" not in lists
