"""Keys of profiles, and the names for them that may stand in a log."""

import pytest

from shared.identity.keys import anonymous, customer_id, customer_key, is_visitor, visitor_id, visitor_key


@pytest.mark.parametrize("id_", ["889", "a#b", "customer#1", "visitor#1", "größe"])
def test_an_id_comes_back_from_its_key(id_: str) -> None:
    assert customer_id(customer_key(id_)) == id_
    assert visitor_id(visitor_key(id_)) == id_


def test_a_visitor_is_told_from_a_customer_of_the_same_id() -> None:
    assert customer_key("889") != visitor_key("889")
    assert [is_visitor(key) for key in (customer_key("889"), visitor_key("889"))] == [False, True]
    assert not is_visitor(customer_key("visitor#889"))


def test_a_name_for_a_log_is_the_same_for_the_same_key_and_does_not_say_it() -> None:
    assert anonymous(customer_key("889")) == anonymous(customer_key("889"))
    assert anonymous(customer_key("889")) != anonymous(visitor_key("889"))
    assert "889" not in anonymous(customer_key("889"))
