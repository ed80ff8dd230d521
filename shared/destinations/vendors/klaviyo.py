"""Klaviyo: profiles by its bulk import, which takes them at once and says later which it could not use.

https://developers.klaviyo.com/en/reference/bulk_import_profiles, revision 2026-07-15: 10,000 profiles or 5 MB a call,
10 calls a second and 150 a minute. A private key with profiles:read, profiles:write, lists:write and
data-privacy:write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from shared.destinations.contract import (
    ACCEPTED,
    Account,
    Answer,
    Job,
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

REVISION = "2026-07-15"
JOBS = "/api/profile-bulk-import-jobs"
IDENTIFIERS = ("external_id", "email", "phone_number")
OWN_FIELDS = frozenset({*IDENTIFIERS, "first_name", "last_name", "organization", "locale", "title", "image"})
"""Names that Klaviyo itself knows; any other is a property of the shop's."""
ERRORS_A_PAGE = 100


def _headers(account: Account) -> dict[str, str]:
    return {
        "authorization": f"Klaviyo-API-Key {account.own('api_key')}",
        "revision": REVISION,
        "accept": "application/vnd.api+json",
        "content-type": "application/vnd.api+json",
    }


def _profile(account: Account, record: Record) -> dict[str, Any]:
    known = {account.identify_by: record.id}
    known |= {name: str(v) for name, v in record.fields.items() if name in OWN_FIELDS and v is not None}
    properties = {name: value for name, value in record.fields.items() if name not in OWN_FIELDS}
    return {"type": "profile", "attributes": {**known, "properties": properties}}


def upsert(account: Account, records: Sequence[Record], now_ms: int) -> Request:
    """An import of profiles, into the list of the option `list` where there is one."""
    attributes = {"profiles": {"data": [_profile(account, record) for record in records]}}
    data: dict[str, Any] = {"type": "profile-bulk-import-job", "attributes": attributes}
    if account.options["list"]:
        data["relationships"] = {"lists": {"data": [{"type": "list", "id": account.options["list"]}]}}
    return Request("POST", account.url(JOBS), _headers(account), json_body({"data": data}))


def outcomes(records: Sequence[Record], answer: Answer) -> Sequence[Outcome]:
    """Sent with the job to ask, or what the errors say of the import as a whole."""
    if answer.status == 202:
        job = (answer.document.get("data") or {}).get("id")
        return everyone(records, Outcome("sent", job=str(job)) if job else ACCEPTED)
    return everyone(records, problem(answer, _reason(answer)))


def _reason(answer: Answer) -> str:
    errors = answer.document.get("errors") if isinstance(answer.document, dict) else None
    return shortened("; ".join(str(e.get("detail") or e.get("title")) for e in errors)) if errors else ""


def ask(account: Account, job: str) -> Request:
    """How far the import is, and the profiles that it could not use."""
    query = f"page%5Bsize%5D={ERRORS_A_PAGE}"
    return Request("GET", account.url(f"{JOBS}/{quote(job, safe='')}/import-errors?{query}"), _headers(account))


def of_job(ids: Sequence[str], answer: Answer) -> Mapping[str, Outcome] | None:
    """Of each customer whether the import took them.

    Errors come with the profile as it was sent, which tells whose they are. A job that Klaviyo still works on has no
    errors yet, which is why it is asked some time later.
    """
    if answer.status != 200:
        return None
    refused: dict[str, Outcome] = {}
    for error in answer.document.get("data") or ():
        attributes = error.get("attributes") or {}
        sent = attributes.get("original_payload") or {}
        reason = shortened(attributes.get("detail") or attributes.get("title") or "refused without a reason")
        sent = {**sent, **(sent.get("attributes") or {})}
        refused |= {str(sent[name]): Outcome("rejected", reason) for name in IDENTIFIERS if sent.get(name)}
    return {one: refused.get(one, ACCEPTED) for one in ids}


def erase(account: Account, customer: str, now_ms: int) -> Request:
    """Asks for the deletion of a profile, which Klaviyo does by e-mail address or telephone number."""
    profile = {"data": {"type": "profile", "attributes": {account.identify_by: customer}}}
    data = {"type": "data-privacy-deletion-job", "attributes": {"profile": profile}}
    return Request("POST", account.url("/api/data-privacy-deletion-jobs"), _headers(account), json_body({"data": data}))


VENDOR = Vendor(
    name="klaviyo",
    most=10_000,
    most_bytes=5_000_000,
    rates=(Rate(10, 1), Rate(150, 60)),
    upsert=upsert,
    outcomes=outcomes,
    secret=("api_key",),
    base_url="https://a.klaviyo.com",
    options={"list": ""},
    identify_by=IDENTIFIERS,
    erase=erase,
    erases_by=("email", "phone_number"),
    erased="their deletion is under way",
    cannot_erase="Klaviyo deletes by e-mail address or telephone number alone",
    job=Job(ask, of_job),
)
