"""Salesforce: records of one object, created or changed by an external id, two hundred a call.

https://developer.salesforce.com/docs/platform/api-rest/guide/resources-composite-sobjects-collections-upsert.html;
signed in as an External Client App by its client credentials (OAuth 2.0), at the address of the org's own domain.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

from shared.destinations.contract import (
    ACCEPTED,
    Account,
    Answer,
    Outcome,
    Rate,
    Record,
    Request,
    Value,
    Vendor,
    everyone,
    json_body,
    problem,
    shortened,
)

API = "/services/data/v66.0"
PASSING = frozenset({"UNABLE_TO_LOCK_ROW", "REQUEST_LIMIT_EXCEEDED", "SERVER_UNAVAILABLE", "QUERY_TIMEOUT"})
"""Status codes of errors of single records that may be gone when they are sent again."""


def sign_in(account: Account) -> Request:
    """Asks for a token by the app's own credentials: nobody's user or password is involved."""
    form = {
        "grant_type": "client_credentials",
        "client_id": account.own("client_id"),
        "client_secret": account.own("client_secret"),
    }
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return Request("POST", account.url("/services/oauth2/token"), headers, urlencode(form).encode())


def _headers(account: Account) -> dict[str, str]:
    return {"authorization": f"Bearer {account.token}", "content-type": "application/json"}


def _value(value: Value) -> Value:
    return ";".join(value) if isinstance(value, list) else value  # as a picklist of several has it


def upsert(account: Account, records: Sequence[Record], now_ms: int) -> Request:
    """Creates or changes records; one that fails leaves the others as they are."""
    kind = account.options["object"]
    rows = [
        {
            "attributes": {"type": kind},
            account.identify_by: record.id,
            **{name: _value(value) for name, value in record.fields.items()},
        }
        for record in records
    ]
    path = f"{API}/composite/sobjects/{quote(kind, safe='')}/{quote(account.identify_by, safe='')}"
    return Request("PATCH", account.url(path), _headers(account), json_body({"allOrNone": False, "records": rows}))


def outcomes(records: Sequence[Record], answer: Answer) -> Sequence[Outcome]:
    """Results come in the order of the records."""
    results = answer.document
    if answer.status != 200 or not isinstance(results, list) or len(results) != len(records):
        return everyone(records, problem(answer))
    return [_outcome(result) for result in results]


def _outcome(result: Any) -> Outcome:
    if result.get("success"):
        return ACCEPTED
    errors = result.get("errors") or [{}]
    reason = shortened("; ".join(f"{error.get('statusCode')}: {error.get('message')}" for error in errors))
    passes = all(error.get("statusCode") in PASSING for error in errors)
    return Outcome("again" if passes else "rejected", reason)


def erase(account: Account, customer: str, now_ms: int) -> Request:
    """Deletes a record; it is in the org's recycle bin for 15 days."""
    parts = (account.options["object"], account.identify_by, customer)
    path = "/".join([f"{API}/sobjects", *(quote(part, safe="") for part in parts)])
    return Request("DELETE", account.url(path), _headers(account))


VENDOR = Vendor(
    name="salesforce",
    most=200,
    most_bytes=4_000_000,
    rates=(Rate(25, 1),),
    upsert=upsert,
    outcomes=outcomes,
    secret=("client_id", "client_secret"),
    options={"object": "Contact"},
    erase=erase,
    erased="deleted; in the recycle bin of the org until it is emptied",
    sign_in=sign_in,
)
