import json

import pytest

from shared.destinations.contract import Answer
from shared.destinations.vendors.hubspot import VENDOR
from tests.destinations.accounts import NOW_MS, account, record, said
from tests.support.vendors.answers import answered
from tests.support.vendors.hubspot import HubSpot

ACCOUNT = account(VENDOR, "email", {"token": "pat-test"})


def test_contacts_are_created_and_changed_and_values_become_texts() -> None:
    hubspot = HubSpot()
    for segment in ("New", None):
        records = [record("a@x.example", tessera_segment=segment, tessera_churn=0.25, tessera_audiences=["a", "b"])]
        assert said(VENDOR, records, hubspot(VENDOR.upsert(ACCOUNT, records, NOW_MS))) == [("accepted", "")]
    assert hubspot.contacts["a@x.example"] == {
        "email": "a@x.example",
        "tessera_segment": "",
        "tessera_churn": "0.25",
        "tessera_audiences": "a;b",
    }


def test_of_a_batch_the_row_that_is_refused_is_refused_alone_with_hubspots_reason() -> None:
    hubspot = HubSpot(refuses={"b@x": "Email address b@x is invalid"})
    records = [record("a@x", tessera_segment="1"), record("b@x", tessera_segment="2"), record("c@x", other="3")]
    assert said(VENDOR, records, hubspot(VENDOR.upsert(ACCOUNT, records, NOW_MS))) == [
        ("accepted", ""),
        ("rejected", "VALIDATION_ERROR: Email address b@x is invalid"),
        ("rejected", 'VALIDATION_ERROR: Property "other" does not exist'),
    ]
    assert [*hubspot.contacts] == ["a@x"]


def test_a_batch_that_is_refused_whole_is_tried_apart() -> None:
    records = [record("a@x"), record("a@x", 2)]
    assert [state for state, _ in said(VENDOR, records, HubSpot()(VENDOR.upsert(ACCOUNT, records, NOW_MS)))] == [
        "apart"
    ] * 2


def test_a_wrong_token_and_a_limit_come_again() -> None:
    wrong = account(VENDOR, "email", {"token": "pat-old"})
    records = [record("a@x")]
    assert said(VENDOR, records, HubSpot()(VENDOR.upsert(wrong, records, NOW_MS)))[0][0] == "again"
    assert said(VENDOR, records, Answer(429, {"retry-after": "3"}))[0][0] == "again"


@pytest.mark.parametrize("context", [None, {}, {"ids": ["x"]}])
def test_an_error_that_names_nobody_is_of_those_without_a_result(context: object) -> None:
    error = {"category": "VALIDATION_ERROR", "message": "no", "context": context}
    answer = answered(207, {"results": [{"objectWriteTraceId": "1"}], "errors": [error]})
    records = [record("a"), record("b"), record("c")]
    assert [state for state, _ in said(VENDOR, records, answer)] == ["apart", "accepted", "apart"]
    alone = answered(207, {"results": [], "errors": [error]})
    assert said(VENDOR, records[:1], alone) == [("rejected", "VALIDATION_ERROR: no")]


def test_whom_an_answer_says_nothing_of_comes_again() -> None:
    answer = answered(200, {"results": [{"objectWriteTraceId": "0"}]})
    assert said(VENDOR, [record("a"), record("b")], answer)[1] == ("again", "neither taken nor refused")
    passing = {"category": "RATE_LIMITS", "message": "x", "context": {"objectWriteTraceId": ["1"]}}
    answer = answered(207, {"results": [{"objectWriteTraceId": "0"}], "errors": [passing]})
    assert said(VENDOR, [record("a"), record("b")], answer)[1][0] == "again"


def test_a_contact_is_deleted_by_email_and_by_nothing_else() -> None:
    hubspot = HubSpot()
    assert VENDOR.erase
    assert VENDOR.can_erase(ACCOUNT)
    assert hubspot(VENDOR.erase(ACCOUNT, "a@x", NOW_MS)).status == 204
    assert hubspot.erased == ["a@x"]
    assert not VENDOR.can_erase(account(VENDOR, "shop_id", {"token": "x"}))


def test_a_call_says_which_version_of_the_api_it_means() -> None:
    request = VENDOR.upsert(ACCOUNT, [record("a@x")], NOW_MS)
    assert request.url == "https://api.hubapi.com/crm/objects/2026-09/contacts/batch/upsert"
    assert json.loads(request.body)["inputs"][0]["idProperty"] == "email"
