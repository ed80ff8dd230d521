"""HubSpot: contacts, created or changed by a property that is unique there, a hundred a call.

The dated API of 2026-09: https://developers.hubspot.com/docs/api-reference/crm-contacts-v3/batch and "Error handling".
A private app's token; 190 calls in ten seconds of one app.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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

CONTACTS = "/crm/objects/2026-09/contacts"
PASSING = frozenset({"RATE_LIMITS", "CONFLICT"})
"""Categories of errors of single contacts that may be gone when they are sent again."""


def _headers(account: Account) -> dict[str, str]:
    return {"authorization": f"Bearer {account.own('token')}", "content-type": "application/json"}


def _text(value: Value) -> str:
    match value:
        case None:
            return ""  # clears the property
        case bool():
            return str(value).lower()
        case list():
            return ";".join(value)
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


def upsert(account: Account, records: Sequence[Record], now_ms: int) -> Request:
    """Creates or changes contacts; the place in the batch is what tells which of them an error is of."""
    inputs = [
        {
            "id": record.id,
            "idProperty": account.identify_by,
            "objectWriteTraceId": str(place),
            "properties": {account.identify_by: record.id, **{name: _text(v) for name, v in record.fields.items()}},
        }
        for place, record in enumerate(records)
    ]
    return Request("POST", account.url(f"{CONTACTS}/batch/upsert"), _headers(account), json_body({"inputs": inputs}))


def outcomes(records: Sequence[Record], answer: Answer) -> Sequence[Outcome]:
    """Of each contact what the results and the errors beside them say; of whom neither says anything comes again."""
    if answer.status not in (200, 201, 207):
        return everyone(records, problem(answer))
    document = answer.document
    results = document.get("results") or ()
    errors = document.get("errors") or ()
    if not errors and len(results) >= len(records):
        return everyone(records, ACCEPTED)
    # An error that names nobody is of those who are in no result.
    of_rest = next(
        (_outcome(error) for error in errors if not _places(error)), Outcome("again", "neither taken nor refused")
    )
    if of_rest.state == "rejected":
        of_rest = Outcome("apart", of_rest.reason)
    by_place = {str(place): of_rest for place in range(len(records))}
    by_place |= {str(result.get("objectWriteTraceId")): ACCEPTED for result in results}
    by_place |= {place: _outcome(error) for error in errors for place in _places(error)}
    listed = [by_place[str(place)] for place in range(len(records))]
    return everyone(records, listed[0]) if len(records) == 1 else listed


def _places(error: Any) -> list[str]:
    named = (error.get("context") or {}).get("objectWriteTraceId") or ()
    return [named] if isinstance(named, str) else [str(place) for place in named]


def _outcome(error: Any) -> Outcome:
    category = error.get("category", "")
    reason = shortened(": ".join(filter(None, [str(category), str(error.get("message", ""))])))
    return Outcome("again" if category in PASSING else "rejected", reason or "refused without a reason")


def erase(account: Account, customer: str, now_ms: int) -> Request:
    """Deletes a contact for good, which HubSpot does by e-mail address alone."""
    body = json_body({"objectId": customer, "idProperty": "email"})
    return Request("POST", account.url(f"{CONTACTS}/gdpr-delete"), _headers(account), body)


VENDOR = Vendor(
    name="hubspot",
    most=100,
    most_bytes=3_000_000,
    rates=(Rate(190, 10),),
    upsert=upsert,
    outcomes=outcomes,
    secret=("token",),
    base_url="https://api.hubapi.com",
    erase=erase,
    erases_by=("email",),
    erased="deleted",
    cannot_erase="HubSpot deletes by e-mail address alone",
)
