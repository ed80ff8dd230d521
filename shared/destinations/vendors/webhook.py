"""Any address of the shop's own, called and signed as Standard Webhooks say.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md: the message's id, time and
body under HMAC-SHA256. Whoever receives drops an id that came before, and a `version` below the one they have.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from shared.decisions.decision import iso
from shared.destinations.contract import (
    ACCEPTED,
    Account,
    Answer,
    BadAccount,
    Outcome,
    Rate,
    Record,
    Request,
    Vendor,
    everyone,
    json_body,
    text_of,
)

PREFIX = "whsec_"
SIGNING = "signing_secret"


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The header's value: one signature for each of the secrets, which stand behind each other while one is replaced.

    Raises BadAccount.
    """
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    digests = (hmac.new(_key(one), signed, hashlib.sha256).digest() for one in secret.split())
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith(PREFIX) or not 24 <= len(key) <= 64:
        raise BadAccount(f"{SIGNING} is not {PREFIX} and 24 to 64 bytes in base64")
    return key


def _call(account: Account, message_id: str, document: object, now_ms: int) -> Request:
    body = json_body(document)
    timestamp = now_ms // 1_000
    headers = {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(account.own(SIGNING), message_id, timestamp, body),
    }
    return Request("POST", account.options["base_url"], headers, body)


def upsert(account: Account, records: Sequence[Record], now_ms: int) -> Request:
    """Tells of one customer."""
    (record,) = records
    data = {account.identify_by: record.id, "version": record.version, "fields": dict(record.fields)}
    document = {"type": "customer.changed", "timestamp": iso(record.at_ms), "data": data}
    return _call(account, f"msg_{record.delivery}", document, now_ms)


def outcomes(records: Sequence[Record], answer: Answer) -> Sequence[Outcome]:
    """2xx is taken; anything else comes again, as the standard has it."""
    if 200 <= answer.status < 300:
        return everyone(records, ACCEPTED)
    return everyone(records, Outcome("again", " ".join([f"status {answer.status}", text_of(answer)]).strip()))


def erase(account: Account, customer: str, now_ms: int) -> Request:
    """Tells that one is to be forgotten."""
    message_id = "msg_" + hashlib.blake2b(f"erase {customer}".encode(), digest_size=16).hexdigest()
    document = {"type": "customer.erased", "timestamp": iso(now_ms), "data": {account.identify_by: customer}}
    return _call(account, message_id, document, now_ms)


VENDOR = Vendor(
    name="webhook",
    most=1,
    most_bytes=100_000,
    rates=(Rate(50, 1),),
    upsert=upsert,
    outcomes=outcomes,
    secret=(SIGNING,),
    erase=erase,
    erased="the receiver was told to forget them",
)
