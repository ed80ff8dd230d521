from shared.destinations.contract import Answer
from shared.destinations.vendors.braze import VENDOR
from tests.destinations.accounts import NOW_MS, account, record, said
from tests.support.vendors.braze import Braze

ACCOUNT = account(VENDOR, "external_id", {"api_key": "braze-key"})


def test_users_are_created_and_changed_and_errors_say_whose_they_are() -> None:
    braze = Braze(refuses={"2": "'churn' is not valid"})
    records = [record("1", churn=0.5, audiences=["a"]), record("2"), record("3", churn=None)]
    assert said(VENDOR, records, braze(VENDOR.upsert(ACCOUNT, records, NOW_MS))) == [
        ("accepted", ""),
        ("rejected", "'churn' is not valid"),
        ("accepted", ""),
    ]
    assert braze.users["1"] == {"external_id": "1", "churn": 0.5, "audiences": ["a"]}


def test_what_is_refused_as_a_whole_is_tried_apart_and_what_may_pass_comes_again() -> None:
    records = [record("1"), record("2")]
    many = [record(str(i)) for i in range(76)]
    assert said(VENDOR, many, Braze()(VENDOR.upsert(ACCOUNT, many, NOW_MS)))[0][0] == "apart"
    for status in (401, 429, 500):
        assert said(VENDOR, records, Answer(status))[0][0] == "again"
    assert said(VENDOR, records, Answer(201, body=b'{"errors": [{"type": "x"}]}'))[0][0] == "again"


def test_a_user_is_deleted() -> None:
    braze = Braze()
    assert VENDOR.erase
    assert braze(VENDOR.erase(ACCOUNT, "1", NOW_MS)).status == 200
    assert braze.erased == ["1"]
