import json

from shared.destinations.contract import Answer
from shared.destinations.vendors.klaviyo import VENDOR
from tests.destinations.accounts import NOW_MS, account, record, said
from tests.support.vendors.klaviyo import Klaviyo

ACCOUNT = account(VENDOR, "external_id", {"api_key": "pk_test"}, list="L1")


def test_an_import_is_sent_and_its_job_says_later_whom_it_did_not_take() -> None:
    klaviyo = Klaviyo(refuses={"2": "phone number is invalid"})
    records = [record("1", email="a@x", churn=0.5, audiences=["a"]), record("2", phone_number="7")]
    outcomes = VENDOR.outcomes(records, klaviyo(VENDOR.upsert(ACCOUNT, records, NOW_MS)))
    assert [(outcome.state, outcome.job) for outcome in outcomes] == [("sent", "0")] * 2
    assert VENDOR.job
    later = VENDOR.job.outcomes(["1", "2"], klaviyo(VENDOR.job.ask(ACCOUNT, "0")))
    assert later is not None
    assert [(later[one].state, later[one].reason) for one in "12"] == [
        ("accepted", ""),
        ("rejected", "phone number is invalid"),
    ]
    assert klaviyo.profiles["1"] == {
        "external_id": "1",
        "email": "a@x",
        "properties": {"churn": 0.5, "audiences": ["a"]},
    }
    assert klaviyo.lists == {"L1": {"1"}}


def test_a_job_that_does_not_answer_is_not_known_yet() -> None:
    assert VENDOR.job
    assert VENDOR.job.outcomes(["1"], Answer(503)) is None


def test_errors_are_told_in_klaviyos_words() -> None:
    wrong = account(VENDOR, "external_id", {"api_key": "pk_old"})
    records = [record("1"), record("2")]
    answer = Klaviyo()(VENDOR.upsert(wrong, records, NOW_MS))
    assert said(VENDOR, records, answer) == [("again", "401: Missing or invalid private key.")] * 2
    assert said(VENDOR, records, Answer(400, body=b'{"errors": [{"detail": "bad"}]}'))[0] == ("apart", "bad")


def test_a_profile_is_deleted_by_email_or_telephone_and_not_by_the_shops_id() -> None:
    klaviyo = Klaviyo()
    assert VENDOR.erase
    by_email = account(VENDOR, "email", {"api_key": "pk_test"})
    assert VENDOR.can_erase(by_email)
    assert klaviyo(VENDOR.erase(by_email, "a@x", NOW_MS)).status == 202
    assert klaviyo.erased == ["a@x"]
    assert not VENDOR.can_erase(ACCOUNT)


def test_a_job_is_part_of_an_address_and_never_more() -> None:
    assert VENDOR.job
    assert "/api/profile-bulk-import-jobs/..%2Fx%3Fy/import-errors?" in VENDOR.job.ask(ACCOUNT, "../x?y").url
    assert json.loads(VENDOR.upsert(ACCOUNT, [record("1")], NOW_MS).body)["data"]["type"] == "profile-bulk-import-job"
