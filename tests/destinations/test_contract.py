from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.destinations.contract import (
    LONGEST_WAIT_SECONDS,
    Account,
    Answer,
    BadAccount,
    Outcome,
    batches,
    everyone,
    json_body,
    problem,
    shortened,
    text_of,
    wait_seconds,
)
from shared.destinations.vendors import VENDORS, vendor
from tests.destinations.accounts import NOW_MS, record


@given(st.lists(st.sampled_from("abcdefgh"), max_size=300), st.sampled_from(sorted(VENDORS)))
def test_batches_hold_every_record_once_in_order_and_no_id_twice(ids: list[str], name: str) -> None:
    records = [record(one, version) for version, one in enumerate(ids)]
    made = [*batches(records, vendor(name))]
    assert [one for batch in made for one in batch] == records
    assert all(1 <= len(batch) <= vendor(name).most for batch in made)
    assert all(len({one.id for one in batch}) == len(batch) for batch in made)


@pytest.mark.parametrize("name", VENDORS)
def test_a_batch_is_not_longer_than_a_call_may_be(name: str) -> None:
    own = vendor(name)
    secret = dict.fromkeys(own.secret, "whsec_" + "A" * 44)
    options = {"base_url": "https://x.example", **{option: default or "x" for option, default in own.options.items()}}
    account = Account(options, secret, (own.identify_by or ("email",))[0], "token")
    fields: dict[str, Any] = {f"field_{i}": 'é"\\' * 200 for i in range(40)}
    for batch in batches([record(str(i), **fields) for i in range(400)], own):
        assert len(own.upsert(account, batch, NOW_MS).body) <= own.most_bytes or len(batch) == 1


def test_a_vendor_says_how_long_to_wait_in_seconds_or_as_a_date() -> None:
    in_an_hour = format_datetime(datetime.fromtimestamp(NOW_MS / 1000 + 3600, UTC), usegmt=True)
    for said, seconds in (("7", 7.0), (in_an_hour, 3600.0), ("-5", 0.0), ("1e9", LONGEST_WAIT_SECONDS)):
        assert wait_seconds(Answer(429, {"retry-after": said}), NOW_MS) == seconds
    for said in ("", "soon", "nan"):
        assert wait_seconds(Answer(429, {"retry-after": said}), NOW_MS) is None


@pytest.mark.parametrize("status", [301, 401, 403, 404, 408, 429, 500, 502, 503])
def test_what_may_pass_comes_again(status: int) -> None:
    assert problem(Answer(status, body=b'{"message": "later"}')) == Outcome("again", f"{status}: later")


def test_a_batch_that_is_not_understood_is_tried_apart_until_one_record_is_to_blame() -> None:
    refused = problem(Answer(400, body=b'{"message": "bad  \\n batch"}'))
    assert everyone([record("a"), record("b")], refused) == [Outcome("apart", "bad batch")] * 2
    assert everyone([record("a")], refused) == [Outcome("rejected", "bad batch")]
    assert everyone([record("a")], problem(Answer(422))) == [Outcome("rejected", "refused without a reason")]


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"[1]", b'"x"', b"{}", b'{"message": {"a": 1}}', b"\xff", b"[" * 9999]
)
def test_an_answer_without_a_reason_has_none(body: bytes) -> None:
    assert text_of(Answer(500, body=body)) == ""


def test_reasons_are_one_line_and_not_endless() -> None:
    assert shortened("a\n b" * 1000).startswith("a ba ba b")
    assert len(shortened("x" * 10_000)) == 500


def test_what_the_secret_lacks_is_named_and_its_values_never_are() -> None:
    account = Account({"base_url": "https://a.example/"}, {"other": "hush"}, "email", "tok")
    with pytest.raises(BadAccount, match=r"no token$"):
        account.own("token")
    assert account.url("/b") == "https://a.example/b"
    assert "tok" not in repr(account)


def test_a_body_is_utf8() -> None:
    assert json_body({"a": "ü"}) == '{"a":"ü"}'.encode()
