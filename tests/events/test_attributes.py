"""Attributes of events: which values they may have, and as what they are kept."""

from typing import Any

import numpy as np
import pytest

from shared.events.attributes import NotAnAttribute, attributes_of, fitting_attributes, regions
from shared.events.texts import Texts


def test_values_are_kept_as_json_and_what_is_null_is_none() -> None:
    said = {"tier": "gold", "born": 1987, "score": 0.5, "whole": 2.0, "mail": False, "ö": "ü", "gone": None}
    assert attributes_of(said) == {
        "tier": '"gold"', "born": "1987", "score": "0.5", "whole": "2", "mail": "false", "ö": '"ü"',
    }  # fmt: skip


@pytest.mark.parametrize(
    "said",
    [{"": 1}, {"a": []}, {"a": {"b": 1}}, {"a": float("nan")}, {"a": "x" * 256}, {"ö": "x" * 255}, {"a" * 254: 123}],
)
def test_what_is_no_attribute_is_refused_and_left_out_of_what_others_say(said: dict[str, Any]) -> None:
    with pytest.raises(NotAnAttribute):
        attributes_of(said)
    assert fitting_attributes({**said, "b": 1}, 30) == {"b": 1}


def test_an_entry_may_have_256_bytes_with_its_name() -> None:
    assert attributes_of({"a": "x" * 255, "b" * 253: 123})


def test_of_more_than_there_is_room_for_the_first_by_name_are_taken() -> None:
    assert fitting_attributes({"c": 1, "a": 2, "b": 3}, 2) == {"a": 2, "b": 3}


def test_the_latest_region_of_each_profile_is_an_attribute() -> None:
    texts = Texts.of(["DE", "", "Köln", "x" * 251])
    said = regions(np.array([0, 1, 0, 1]), np.array([5, 6, 4, 7]), texts)
    assert [*said.entries()] == [(0, "region", 5, '"DE"')]
    assert len(regions(np.array([0]), np.array([5]), Texts.of([""]))) == 0
