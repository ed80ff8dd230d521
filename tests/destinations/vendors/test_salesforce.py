import csv
import io
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.destinations.contract import Answer
from shared.destinations.vendors.salesforce import LOAD, NOTHING, VENDOR
from tests.destinations.accounts import NOW_MS, account, record, said
from tests.destinations.worlds import World, message
from tests.support.vendors.salesforce import TOKEN, Salesforce

SECRET = {"client_id": "app", "client_secret": "hush"}
SIGNED_IN = replace(account(VENDOR, "Tessera_Id__c", SECRET), token=TOKEN)


def test_records_are_created_and_changed_by_the_external_id() -> None:
    salesforce = Salesforce()
    records = [record("889", Segment__c="Loyal", Churn__c=0.25, Audiences__c=["a", "b"])]
    assert said(VENDOR, records, salesforce(VENDOR.upsert(SIGNED_IN, records, NOW_MS))) == [("accepted", "")]
    assert salesforce.records["889"]["Audiences__c"] == "a;b"
    assert salesforce.records["889"]["Churn__c"] == 0.25


def test_each_row_has_its_own_result_and_a_locked_row_comes_again() -> None:
    refuses = {"2": ("REQUIRED_FIELD_MISSING", "LastName"), "3": ("UNABLE_TO_LOCK_ROW", "locked")}
    salesforce = Salesforce(refuses=refuses)
    records = [record("1"), record("2"), record("3"), record("4", Other__c=1)]
    assert said(VENDOR, records, salesforce(VENDOR.upsert(SIGNED_IN, records, NOW_MS))) == [
        ("accepted", ""),
        ("rejected", "REQUIRED_FIELD_MISSING: LastName"),
        ("again", "UNABLE_TO_LOCK_ROW: locked"),
        ("rejected", "INVALID_FIELD: No such column 'Other__c' on sobject of type Contact"),
    ]


def test_an_answer_that_is_not_of_these_records_comes_again() -> None:
    records = [record("1"), record("2")]
    for answer in (
        Answer(200, body=b"[]"),
        Answer(200, body=b"{}"),
        Answer(500),
        Answer(401, body=b'[{"message": "x"}]'),
    ):
        assert {state for state, _ in said(VENDOR, records, answer)} == {"again"}


def test_a_token_is_asked_for_once_and_again_when_it_is_over() -> None:
    salesforce = Salesforce()
    file = b'vendor = "salesforce"\nbase_url = "https://o.example"\nidentify = {Tessera_Id__c = "customer_id"}\n'
    world = World(vendor=salesforce, file=file, secret=json.dumps(SECRET))
    world.store("1", "2")
    calls = world.calls()
    for customer in ("1", "2"):
        world.delivering.deliver(world.destination, [message(customer)], calls)
    assert salesforce.signed_in == 1
    assert [*salesforce.records] == ["1", "2"]


def test_wrong_credentials_wait_and_are_not_shown() -> None:
    file = b'vendor = "salesforce"\nbase_url = "https://o.example"\nidentify = {Tessera_Id__c = "customer_id"}\n'
    world = World(vendor=Salesforce(), file=file, secret='{"client_id": "app", "client_secret": "wrong"}')
    world.store("1")
    assert world.deliver(message("1")).again == {"m-1-1"}
    assert world.states("1") == [("waiting", "signing in was answered with status 400")]


def test_a_record_is_deleted_by_its_external_id_whatever_that_holds() -> None:
    salesforce = Salesforce()
    assert VENDOR.erase
    assert salesforce(VENDOR.erase(SIGNED_IN, "a/b?c", NOW_MS)).status == 404
    assert salesforce.erased == ["a/b?c"]


# ---- Jobs

NASTY = st.sampled_from(
    ["=1+1", "@x", "-2", "+3", 'a"b', "a,b", "a\nb", "\r\n", "#N/A", " #n/a ", "", " ", "\x00", "ü", "'"]
)
TEXTS = NASTY | st.text(max_size=8)
VALUES: Any = TEXTS | st.none() | st.booleans() | st.integers(-9, 9) | st.floats(0, 1) | st.lists(TEXTS, max_size=3)


def loaded(salesforce: Salesforce, *records: Any) -> str:
    """The job that takes records."""
    job = LOAD.made(salesforce(LOAD.make(SIGNED_IN)))
    assert salesforce(LOAD.give(SIGNED_IN, job, records)).status == 201
    assert LOAD.progress(salesforce(LOAD.look(SIGNED_IN, job))) == "waiting"
    assert salesforce(LOAD.start(SIGNED_IN, job)).status == 200
    return job


@given(st.dictionaries(st.sampled_from(["Segment__c", "Churn__c", "Audiences__c"]), VALUES), TEXTS.filter(str.strip))
def test_a_job_leaves_what_a_call_leaves_whatever_bytes_users_give(fields: dict[str, Any], customer: str) -> None:
    one = record(customer, **fields)
    size = LOAD.size(one)
    if size is None:
        return  # it goes by a call
    called = Salesforce()
    called(VENDOR.upsert(SIGNED_IN, [one], NOW_MS))
    by_call = {name: value for name, value in called.records[customer].items() if name != "attributes"}
    by_job = Salesforce()
    loaded(by_job, one)
    assert by_job.records.keys() == {customer}
    # Everything is a text in CSV; Salesforce empties a field of a text that holds nothing.
    texts = {name: as_text(value) for name, value in by_call.items()}
    assert by_job.records[customer] == texts
    (line,) = LOAD.give(SIGNED_IN, "1", [one]).body.decode().split("\n", 1)[1:]
    assert len(line.encode()) <= size


def as_text(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if value is not None and str(value).strip() else None


@pytest.mark.parametrize("text", ["#N/A", " #n/a", "a\x00b", "\ud800"])
def test_what_csv_would_say_otherwise_goes_by_a_call(text: str) -> None:
    assert LOAD.size(record("1", Segment__c=text)) is None
    assert LOAD.size(record("1", Audiences__c=[text])) is None
    assert LOAD.size(record(text)) is None
    assert LOAD.size(record(" 1")) is None


def test_formulas_are_data_and_records_without_a_field_leave_it_as_it_is() -> None:
    records = [record("1", Segment__c="=HYPERLINK()"), record("2", Churn__c=0.5), record("3", Segment__c=None)]
    body = LOAD.give(SIGNED_IN, "1", records).body.decode()
    assert [*csv.reader(io.StringIO(body))] == [
        ["Tessera_Id__c", "Segment__c", "Churn__c"],
        ["1", "=HYPERLINK()", ""],
        ["2", "", "0.5"],
        ["3", NOTHING, ""],
    ]
    salesforce = Salesforce(records={"1": {"Churn__c": "0.1"}, "3": {"Segment__c": "Loyal"}})
    loaded(salesforce, *records)
    assert salesforce.records["1"]["Churn__c"] == "0.1"
    assert salesforce.records["3"]["Segment__c"] is None


def test_a_job_says_how_far_it_is_and_whom_it_did_not_take() -> None:
    refuses = {"2": ("REQUIRED_FIELD_MISSING", "[LastName]"), "3": ("UNABLE_TO_LOCK_ROW", 'locked, "now"')}
    salesforce = Salesforce(refuses=refuses, works_at_once=False)
    job = loaded(salesforce, record("1"), record("2"), record("3"))
    assert LOAD.progress(salesforce(LOAD.look(SIGNED_IN, job))) == "running"
    salesforce.work(job)
    assert LOAD.progress(salesforce(LOAD.look(SIGNED_IN, job))) == "partly"
    failed = LOAD.failed(SIGNED_IN, salesforce(LOAD.failures(SIGNED_IN, job)))
    assert {name: (outcome.state, outcome.reason) for name, outcome in failed.items()} == {
        "2": ("rejected", "REQUIRED_FIELD_MISSING:[LastName]:--"),
        "3": ("again", 'UNABLE_TO_LOCK_ROW:locked, "now":--'),
    }


def test_a_job_of_a_field_that_is_not_there_and_one_that_is_gone_are_broken() -> None:
    salesforce = Salesforce()
    job = loaded(salesforce, record("1", Other__c=1))
    assert LOAD.progress(salesforce(LOAD.look(SIGNED_IN, job))) == "broken"
    assert LOAD.progress(salesforce(LOAD.look(SIGNED_IN, "../none"))) == "broken"
    assert LOAD.progress(Answer(503)) is None
    assert LOAD.progress(Answer(200, body=b'{"state": "Dreaming"}')) is None


@pytest.mark.parametrize("body", [b"", b"<html>", b"sf__Id,sf__Error\n", b"\xff", b'Tessera_Id__c\n"'])
def test_a_list_of_failures_that_is_none_is_not_believed(body: bytes) -> None:
    with pytest.raises((LookupError, ValueError)):
        LOAD.failed(SIGNED_IN, Answer(200, body=body))


def test_where_no_job_is_made_there_is_none() -> None:
    for answer in (Answer(403, body=b"[]"), Answer(200, body=b"[]"), Answer(201, body=b'{"id": 1}'), Answer(500)):
        assert LOAD.made(answer) == ""
