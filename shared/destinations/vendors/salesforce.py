"""Salesforce: records of one object, created or changed by an external id, two hundred a call or thousands a job.

https://developer.salesforce.com/docs/platform/api-rest/guide/resources-composite-sobjects-collections-upsert.html and,
for jobs, https://developer.salesforce.com/docs/platform/api-asynch/guide/bulk-api-2-0-ingest.html (Bulk API 2.0);
signed in as an External Client App by its client credentials (OAuth 2.0), at the address of the org's own domain.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from shared.destinations.contract import (
    ACCEPTED,
    Account,
    Answer,
    Load,
    Outcome,
    Progress,
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
JOBS = f"{API}/jobs/ingest"
NOTHING = "#N/A"
"""What empties a field in a job; a value that is left out leaves the field as it is."""
PASSING = frozenset({"UNABLE_TO_LOCK_ROW", "REQUEST_LIMIT_EXCEEDED", "SERVER_UNAVAILABLE", "QUERY_TIMEOUT"})
"""Status codes of errors of single records that may be gone when they are sent again."""
STATES: Mapping[str, Progress] = {
    "Open": "waiting",
    "UploadComplete": "running",
    "InProgress": "running",
    "JobComplete": "taken",
    "Failed": "broken",
    "Aborted": "broken",
}
_OTHERWISE = re.compile(rf"\A\s*{NOTHING}\s*\Z|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]", re.IGNORECASE)
"""Texts that are none in CSV, or mean that a field is to be emptied."""


def sign_in(account: Account) -> Request:
    """Asks for a token by the app's own credentials: nobody's user or password is involved."""
    form = {
        "grant_type": "client_credentials",
        "client_id": account.own("client_id"),
        "client_secret": account.own("client_secret"),
    }
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return Request("POST", account.url("/services/oauth2/token"), headers, urlencode(form).encode())


def _headers(account: Account, content: str = "application/json") -> dict[str, str]:
    return {"authorization": f"Bearer {account.token}", "content-type": content}


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


# ---- Jobs ------------------------------------------------------------------------------------------------------------


def make(account: Account) -> Request:
    """A job for records that are to come."""
    document = {
        "operation": "upsert",
        "object": account.options["object"],
        "externalIdFieldName": account.identify_by,
        "contentType": "CSV",
        "lineEnding": "LF",
        "columnDelimiter": "COMMA",
    }
    return Request("POST", account.url(JOBS), _headers(account), json_body(document))


def made(answer: Answer) -> str:
    """The job's id."""
    job = answer.document.get("id") if 200 <= answer.status < 300 and isinstance(answer.document, dict) else None
    return job if isinstance(job, str) else ""


def give(account: Account, job: str, records: Sequence[Record]) -> Request:
    """All records of a job as CSV: a column for each field that any of them has."""
    names = [*dict.fromkeys(name for record in records for name in record.fields)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([account.identify_by, *names])
    for record in records:
        writer.writerow([record.id, *(_cell(record.fields[name]) if name in record.fields else "" for name in names)])
    return Request("PUT", _of_job(account, job, "/batches"), _headers(account, "text/csv"), text.getvalue().encode())


def size(record: Record) -> int | None:
    """Bytes of a record's line, at most; None where CSV says something else of it than a call does."""
    values = [record.id, *record.fields.values()]
    texts = [str(_value(value)) for value in values if isinstance(value, str | list)]
    if record.id != record.id.strip() or any(_OTHERWISE.search(text) for text in texts):
        return None
    return sum(len(cell.encode()) + cell.count('"') + 3 for cell in map(_cell, values))


def _cell(value: Value) -> str:
    """A value as a job has it: what is empty is said to be so."""
    if isinstance(value, bool):
        return str(value).lower()
    text = "" if value is None else str(_value(value))
    return text if text.strip() else NOTHING


def start(account: Account, job: str) -> Request:
    """Has Salesforce begin."""
    return _state(account, job, "UploadComplete")


def abort(account: Account, job: str) -> Request:
    """Has Salesforce take nothing more of a job."""
    return _state(account, job, "Aborted")


def _state(account: Account, job: str, state: str) -> Request:
    return Request("PATCH", _of_job(account, job), _headers(account), json_body({"state": state}))


def look(account: Account, job: str) -> Request:
    """How far a job is."""
    return Request("GET", _of_job(account, job), _headers(account))


def progress(answer: Answer) -> Progress | None:
    """How far it is. A job that is gone, as all are after a week, has told all that it had to."""
    if answer.status == 404:
        return "broken"
    document = answer.document
    if answer.status != 200 or not isinstance(document, dict):
        return None
    state = STATES.get(str(document.get("state")))
    return "partly" if state == "taken" and document.get("numberRecordsFailed") != 0 else state


def failures(account: Account, job: str) -> Request:
    """The records that it did not take."""
    return Request("GET", _of_job(account, job, "/failedResults"), _headers(account))


def failed(account: Account, answer: Answer) -> Mapping[str, Outcome]:
    """Why each was not taken, by external id. Raises LookupError and ValueError for what is no such list."""
    rows = csv.DictReader(io.StringIO(answer.body.decode(), newline=""), restval="", strict=True)
    try:
        outcomes = {row[account.identify_by]: _failure(row["sf__Error"]) for row in rows}
    except csv.Error as error:
        raise ValueError("a list of failures that is no CSV") from error
    if not outcomes:
        raise ValueError("a list of failures that names none")
    return outcomes


def _failure(error: str) -> Outcome:
    """What became of a record of an error such as `REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]`."""
    passes = error.partition(":")[0] in PASSING
    return Outcome("again" if passes else "rejected", shortened(error) or "refused without a reason")


def _of_job(account: Account, job: str, what: str = "") -> str:
    return account.url(f"{JOBS}/{quote(job, safe='')}{what}")


# ---- Erasure ---------------------------------------------------------------------------------------------------------


def erase(account: Account, customer: str, now_ms: int) -> Request:
    """Deletes a record; it is in the org's recycle bin for 15 days."""
    parts = (account.options["object"], account.identify_by, customer)
    path = "/".join([f"{API}/sobjects", *(quote(part, safe="") for part in parts)])
    return Request("DELETE", account.url(path), _headers(account))


LOAD = Load(
    fewest=2_000,
    # Salesforce takes 150 MB; these are bounded by what one invocation gathers, and by how long a list of failures is.
    most=5_000,
    most_bytes=1_500_000,
    size=size,
    make=make,
    made=made,
    give=give,
    start=start,
    abort=abort,
    look=look,
    progress=progress,
    failures=failures,
    failed=failed,
)
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
    load=LOAD,
)
