"""Braze: attributes of users, 75 a call.

https://www.braze.com/docs/api/endpoints/user_data/post_user_track; a REST key with users.track and users.delete, at the
REST endpoint of the workspace's instance. Braze counts data points: map what campaigns need, not all there is.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.destinations.contract import (
    ACCEPTED,
    Account,
    Answer,
    Outcome,
    Rate,
    Record,
    Request,
    Vendor,
    everyone,
    json_body,
    problem,
    shortened,
)


def _headers(account: Account) -> dict[str, str]:
    return {"authorization": f"Bearer {account.own('api_key')}", "content-type": "application/json"}


def upsert(account: Account, records: Sequence[Record], now_ms: int) -> Request:
    """Creates or changes users."""
    attributes = [{account.identify_by: record.id, **record.fields} for record in records]
    return Request("POST", account.url("/users/track"), _headers(account), json_body({"attributes": attributes}))


def outcomes(records: Sequence[Record], answer: Answer) -> Sequence[Outcome]:
    """Whoever is in no error of the answer is taken; errors say the place in the batch."""
    document = answer.document if isinstance(answer.document, dict) else {}
    errors = document.get("errors") or ()
    if answer.status not in (200, 201) or any("index" not in error for error in errors):
        return everyone(records, problem(answer))
    refused = {error["index"]: Outcome("rejected", shortened(error.get("type", "refused"))) for error in errors}
    return [refused.get(place, ACCEPTED) for place in range(len(records))]


def erase(account: Account, customer: str, now_ms: int) -> Request:
    """Deletes a user for good."""
    body = json_body({"external_ids": [customer]})
    return Request("POST", account.url("/users/delete"), _headers(account), body)


VENDOR = Vendor(
    name="braze",
    most=75,
    most_bytes=4_000_000,
    rates=(Rate(250, 1),),
    upsert=upsert,
    outcomes=outcomes,
    secret=("api_key",),
    identify_by=("external_id",),
    erase=erase,
    erased="deleted",
)
