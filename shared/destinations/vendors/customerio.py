"""Customer.io: people, by the batch of its Track API v2.

https://docs.customer.io/integrations/api/track/tag/track_v2/: 500 kB a call and 32 kB a person; a
site id with its API key. An account in the European Union has `base_url = "https://track-eu.customer.io"`.
"""

from __future__ import annotations

import base64
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
    Vendor,
    everyone,
    json_body,
    problem,
    shortened,
)

BATCH = "/api/v2/batch"


def _call(account: Account, batch: Sequence[dict[str, Any]]) -> Request:
    key = base64.b64encode(f"{account.own('site_id')}:{account.own('api_key')}".encode()).decode()
    headers = {"authorization": f"Basic {key}", "content-type": "application/json"}
    return Request("POST", account.url(BATCH), headers, json_body({"batch": [*batch]}))


def upsert(account: Account, records: Sequence[Record], now_ms: int) -> Request:
    """Creates or changes people."""
    return _call(
        account,
        [
            {
                "type": "person",
                "action": "identify",
                "identifiers": {account.identify_by: record.id},
                "attributes": dict(record.fields),
            }
            for record in records
        ],
    )


def outcomes(records: Sequence[Record], answer: Answer) -> Sequence[Outcome]:
    """Of a 207 the errors say the place in the batch."""
    if answer.status == 200:
        return everyone(records, ACCEPTED)
    document = answer.document if isinstance(answer.document, dict) else {}
    errors = document.get("errors") or ()
    if answer.status != 207 or not errors or any("batch_index" not in error for error in errors):
        return everyone(records, problem(answer, _reason(errors)))
    refused = {error["batch_index"]: Outcome("rejected", _reason([error])) for error in errors}
    return [refused.get(place, ACCEPTED) for place in range(len(records))]


def _reason(errors: Sequence[Any]) -> str:
    return shortened("; ".join(f"{error.get('field')}: {error.get('message')}" for error in errors))


def erase(account: Account, customer: str, now_ms: int) -> Request:
    """Deletes a person; they come back if they are identified again."""
    return _call(account, [{"type": "person", "action": "delete", "identifiers": {account.identify_by: customer}}])


VENDOR = Vendor(
    name="customerio",
    most=1_000,
    most_bytes=450_000,
    rates=(Rate(100, 1),),
    upsert=upsert,
    outcomes=outcomes,
    secret=("site_id", "api_key"),
    base_url="https://track.customer.io",
    identify_by=("id", "email"),
    erase=erase,
    erased="deleted",
)
