"""Amazon SES: an e-mail of a template to each who enters an audience, 50 a call, at the address that the shop knows.

SendBulkEmail of the API v2: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendBulkEmail.html. There is no
way to ask twice for the same: what may have been sent is never sent again, and its row says that nobody knows.
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
    Vendor,
    everyone,
    json_body,
    problem,
    shortened,
)

PATH = "/v2/email/outbound-bulk-emails"
PASSING = frozenset(
    {"ACCOUNT_THROTTLED", "ACCOUNT_DAILY_QUOTA_EXCEEDED", "TRANSIENT_FAILURE", "ACCOUNT_SENDING_PAUSED"}
)
"""What becomes of single e-mails that were not sent and may be later."""


def upsert(account: Account, records: Sequence[Record], now_ms: int) -> Request:
    """An e-mail for each, with the fields as what its template may name."""
    entries = [
        {
            "Destination": {"ToAddresses": [record.id]},
            "ReplacementEmailContent": {
                "ReplacementTemplate": {"ReplacementTemplateData": json_body(record.fields).decode()}
            },
        }
        for record in records
    ]
    options = account.options
    template = {"TemplateName": options["template"], "TemplateData": "{}"}
    document: dict[str, Any] = {
        "FromEmailAddress": options["from"],
        "DefaultContent": {"Template": template},
        "BulkEmailEntries": entries,
    }
    if options["configuration_set"]:
        document["ConfigurationSetName"] = options["configuration_set"]
    headers = {"content-type": "application/json"}
    return Request("POST", account.url(PATH), headers, json_body(document), service="ses")


def outcomes(records: Sequence[Record], answer: Answer) -> Sequence[Outcome]:
    """Results come in the order of the e-mails; after an answer of 500 and above nobody knows what was sent."""
    results = answer.document.get("BulkEmailEntryResults") if isinstance(answer.document, dict) else None
    if answer.status == 200 and results and len(results) == len(records):
        return [_outcome(result) for result in results]
    if answer.status == 200 or answer.status >= 500:
        return everyone(records, Outcome("rejected", f"status {answer.status}: whether it was sent is not known"))
    return everyone(records, problem(answer))


def _outcome(result: Any) -> Outcome:
    status = str(result.get("Status"))
    if status == "SUCCESS":
        return ACCEPTED
    reason = shortened(": ".join(filter(None, [status, result.get("Error")])))
    return Outcome("again" if status in PASSING else "rejected", reason)


VENDOR = Vendor(
    name="ses",
    most=50,
    most_bytes=1_000_000,
    rates=(Rate(1, 1),),
    upsert=upsert,
    outcomes=outcomes,
    secret=(),
    options={"from": None, "template": None, "configuration_set": ""},
    identify_by=("email",),
    cannot_erase="an e-mail that was sent cannot be taken back, and Amazon SES keeps none",
    once=True,
)
