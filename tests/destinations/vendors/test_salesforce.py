import json
from dataclasses import replace

from shared.destinations.contract import Answer
from shared.destinations.vendors.salesforce import VENDOR
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
