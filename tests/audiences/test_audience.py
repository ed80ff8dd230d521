"""The document of a shop's audiences, and who is kept out of them."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from shared.audiences.audience import (
    CONTROL,
    NONE,
    Audience,
    Audiences,
    NotAudiences,
    Publication,
    decode_publication,
    encode_publication,
    renewed,
)
from shared.audiences.reading import read_rule
from tests.audiences.random_rules import NAMES

CUSTOMERS = [f"customer#{i}" for i in range(20_000)]


def audience(key: str, where: str = "tenure > 3", **more: Any) -> Audience:
    return Audience(key, key.title(), where, read_rule(where, NAMES), 1, **more)


def test_a_publication_comes_back_as_it_was_published() -> None:
    some = Audiences(
        3, (audience("a", holdout=0.1, action="offer", destinations=("crm",)), audience("b", "region = 'DE'")), 0.05
    )
    published = Publication(some, "2024-05-01T00:00:00Z", "ada", "spring")

    assert decode_publication(encode_publication(published)) == published


@pytest.mark.parametrize(
    "change",
    [
        {"version": "x"},
        {"audiences": [{}]},
        {"holdout": 1.0},
        {"audiences": None},
    ],
)
def test_a_document_that_is_none_is_refused_without_a_word_of_it(change: Any) -> None:
    document = msgspec.json.decode(encode_publication(Publication(Audiences(1, (audience("a"),)), "", "", "")))

    with pytest.raises(NotAudiences):
        decode_publication(msgspec.json.encode({**document, **change}))
    for content in (b"", b"{", b"[]", b"\xff", b"[" * 100_000):
        with pytest.raises(NotAudiences):
            decode_publication(content)


def test_two_audiences_of_one_key_or_a_rule_of_another_release_are_refused() -> None:
    document = msgspec.json.decode(encode_publication(Publication(Audiences(1, (audience("a"),)), "", "", "")))
    twice = {**document, "audiences": document["audiences"] * 2}
    other = {**document, "audiences": [{**document["audiences"][0], "rule": ["xor"]}]}

    for changed in (twice, other):
        with pytest.raises(NotAudiences):
            decode_publication(msgspec.json.encode(changed))


def test_the_control_group_is_the_stated_share_the_same_always_and_independent_of_others() -> None:
    some = Audiences(1, (audience("a", holdout=0.1), audience("b", holdout=0.1)))
    a, b = ({c for c in CUSTOMERS if some.arm(one, c) == CONTROL} for one in some.all)
    share = len(CUSTOMERS) / 10

    assert len(a) == pytest.approx(share, rel=0.1)
    assert len(a & b) == pytest.approx(share / 10, rel=0.3)
    larger = replace(some.all[0], holdout=0.2, where="edited", version=9)
    assert a < {c for c in CUSTOMERS if larger.holds_out(c)}


def test_a_share_of_everybody_is_kept_out_of_every_audience() -> None:
    some = Audiences(1, (audience("a"), audience("b")), holdout=0.05)
    a, b = ({c for c in CUSTOMERS if some.arm(one, c) == CONTROL} for one in some.all)

    assert a == b
    assert len(a) == pytest.approx(len(CUSTOMERS) / 20, rel=0.1)


def test_only_what_was_edited_gets_a_new_version() -> None:
    before = renewed(NONE, Audiences(0, (audience("a"), audience("b"))))
    after = renewed(before, Audiences(0, (audience("a", "tenure > 4"), audience("b"), audience("c"))))

    assert [one.version for one in before.all] == [1, 1]
    assert [one.version for one in after.all] == [2, 1, 2]
    assert after.version == 2
