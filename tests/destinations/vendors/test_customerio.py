from shared.destinations.contract import Answer
from shared.destinations.vendors.customerio import VENDOR
from tests.destinations.accounts import NOW_MS, account, record, said
from tests.support.vendors.customerio import CustomerIo

ACCOUNT = account(VENDOR, "id", {"site_id": "site", "api_key": "key"})


def test_people_are_created_and_changed_and_errors_say_whose_they_are() -> None:
    customerio = CustomerIo(refuses={"2": "is too long"})
    records = [record("1", churn=0.5), record("2"), record("3")]
    assert said(VENDOR, records, customerio(VENDOR.upsert(ACCOUNT, records, NOW_MS))) == [
        ("accepted", ""),
        ("rejected", "attributes: is too long"),
        ("accepted", ""),
    ]
    assert customerio.people == {"1": {"churn": 0.5}, "3": {}}


def test_what_is_refused_as_a_whole_is_tried_apart_and_what_may_pass_comes_again() -> None:
    records = [record("1"), record("2")]
    refused = Answer(400, body=b'{"errors": [{"field": "batch", "message": "too large"}]}')
    assert said(VENDOR, records, refused) == [("apart", "batch: too large")] * 2
    for answer in (Answer(401), Answer(429), Answer(503), Answer(207, body=b'{"errors": [{"message": "x"}]}')):
        assert said(VENDOR, records, answer)[0][0] == "again"


def test_a_person_is_deleted() -> None:
    customerio = CustomerIo(people={"1": {}})
    assert VENDOR.erase
    assert customerio(VENDOR.erase(ACCOUNT, "1", NOW_MS)).status == 200
    assert customerio.people == {}
