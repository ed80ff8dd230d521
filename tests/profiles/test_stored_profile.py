import pytest

from shared.identity.links import Copy, Link, LinkState
from shared.profiles.stored_profile import StoredProfile, item_key
from tests.support.stored_profiles import decision, profile


def test_the_item_stands_under_the_profiles_key() -> None:
    assert item_key("customer#1") == {"pk": {"S": "customer#1"}, "sk": {"S": "profile"}}


def test_who_waits_for_a_model_is_due_since_then_and_else_when_the_decision_says() -> None:
    assert profile(decision=decision(due_ms=7)).due_ms == 7
    assert profile(decision=decision(due_ms=7), waits_since_ms=5).due_ms == 5
    assert profile(decision=None).due_ms is None


@pytest.mark.parametrize(
    ("stored", "is_someone"),
    [
        (profile(), True),
        (profile(state=b""), False),
        (profile(state=b"", visitors={"visitor#v": Copy(1, b"visits")}), True),
        (profile(state=b"", visitors={"visitor#v": Copy(1, None)}), False),
        (profile("visitor#v", link=Link("customer#1", LinkState.LINKED)), False),
        (profile("visitor#v", link=Link("customer#1", LinkState.SHARED)), False),
        (profile("visitor#v", link=Link("customer#1", LinkState.UNLINKED)), True),
    ],
)
def test_decisions_are_made_on_people_alone(stored: StoredProfile, is_someone: bool) -> None:
    assert stored.is_someone == is_someone


def test_the_size_counts_states_and_copies_with_their_keys() -> None:
    assert profile(state=b"12345").size == 5
    assert (
        profile(state=b"12345", visitors={"visitor#é": Copy(1, b"678")}).size == 5 + len("visitor#é".encode()) + 3 + 40
    )
