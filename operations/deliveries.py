"""Says what is sent where and what became of it, checks and puts destinations, and sends customers again.

python -m operations.deliveries [--stack NAME] [--customer 889]
python -m operations.deliveries --put hubspot.toml [--as crm] | --secret crm | --remove crm
python -m operations.deliveries --send crm [--audience win_back | --since 2026-01-01 --until 2026-01-02]
"""

from __future__ import annotations

import argparse
import base64
import json
import secrets
import sys
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING, Any

from operations.stack import BAD_INPUT, DeployedStack, OperationError, parser, run, say
from shared.audiences.live_audiences import LiveAudiences
from shared.decisions import audience_moves
from shared.decisions.audience_moves import AudienceMove
from shared.decisions.decision import iso
from shared.destinations.deliveries import Deliveries
from shared.destinations.destination_file import (
    MOST_BYTES,
    NAME,
    PREFIX,
    DestinationFile,
    InvalidDestination,
    read_destination,
)
from shared.destinations.messages import ENTERED, WANTED, body
from shared.destinations.vendors import vendor
from shared.destinations.vendors.webhook import PREFIX as SIGNS
from shared.destinations.vendors.webhook import SIGNING
from shared.events.event import parse_timestamp
from shared.identity.keys import customer_id, customer_key
from shared.ledger.audience_rows import AudienceLedger
from shared.profiles.members import MOVES, Members, Place
from shared.profiles.stored_profile import PROFILE

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROWS_SHOWN = 100
MESSAGES_A_CALL = 10
MEMBERS_A_PAGE = 1_000


def main(arguments: Sequence[str] | None = None, prog: str = "python -m operations.deliveries") -> int:
    """The command line."""
    made = parser(prog, "Say what is sent where, change that, and send again.")
    change = made.add_mutually_exclusive_group()
    change.add_argument("--customer", metavar="ID", help="what was sent of this customer, and what became of it")
    change.add_argument("--put", type=Path, metavar="FILE", help="a destination to take, once it is checked")
    change.add_argument("--secret", metavar="NAME", help="keep the secret of a destination: JSON on standard input")
    change.add_argument("--remove", metavar="NAME", help="a destination whose file to take away")
    change.add_argument(
        "--send", metavar="NAME", help="send everybody who is decided on, or who moved in a span of time"
    )
    made.add_argument("--as", dest="name", metavar="NAME", help="what it is called; the file's name without an ending")
    made.add_argument("--audience", metavar="KEY", help="of --send: who is in it, as if they entered it now")
    made.add_argument("--since", type=_time, metavar="TIMESTAMP", help="of --send: who moved from then on")
    made.add_argument("--until", type=_time, metavar="TIMESTAMP", help="of --send: who moved before")
    return run(_run, made, arguments)


def _time(text: str) -> int:
    try:
        return parse_timestamp(text)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 2026-01-31T12:00:00Z") from None


def _run(stack: DeployedStack, given: argparse.Namespace) -> int:
    if given.customer is not None:
        return _of_customer(stack, given.customer)
    if given.put:
        return _put(stack, given.put, given.name or given.put.stem)
    if given.secret:
        return _keep_secret(stack, given.secret)
    if given.send:
        return _send(stack, given.send, given)
    if given.remove:
        stack.s3.delete_object(Bucket=stack.resource("DataBucket"), Key=f"{PREFIX}{_checked(given.remove)}.toml")
    for line in listed(stack):
        say(line)
    return 0


# ---- What there is ----


def listed(stack: DeployedStack) -> Iterator[str]:
    """A line for each destination of the stack's parameter, and for each file that is for none."""
    files = dict(_files(stack.s3, stack.resource("DataBucket")))
    names = destinations(stack)
    for name in names:
        yield f"{name}: {files.get(name, 'no file yet; --put takes one')}"
    for name in sorted(files.keys() - {*names}):
        yield f"{name}: {files[name]}; not in the parameter Destinations: nothing is sent"


def destinations(stack: DeployedStack) -> list[str]:
    """Names of the stack's destinations, in their order."""
    return [name for name in stack.parameters.get("Destinations", "").split(",") if name]


def _files(s3: S3Client, bucket: str) -> Iterator[tuple[str, str]]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=PREFIX):
        for entry in page.get("Contents", ()):
            document = s3.get_object(Bucket=bucket, Key=entry["Key"], Range=f"bytes=0-{MOST_BYTES}")["Body"].read()
            name = entry["Key"].removeprefix(PREFIX).removesuffix(".toml")
            try:
                yield name, _described(read_destination(document, is_local=True))
            except InvalidDestination as error:
                yield name, f"not used, {error}"


def _described(file: DestinationFile) -> str:
    (identified,) = file.identify.items()
    return f"{file.vendor}, by {identified[0]} from {identified[1]}, {len(file.fields)} fields"


def _of_customer(stack: DeployedStack, customer: str) -> int:
    deliveries = Deliveries(stack.dynamodb, stack.resource("ProfileTable"))
    rows, more = deliveries.page(customer_key(customer), ROWS_SHOWN)
    for row in rows:
        about = f"{row.audience} ({row.arm})" if row.audience else "move"
        reason = f": {row.reason}" if row.reason else ""
        say(f"{iso(row.at_ms)} {row.destination} {about} {row.state} after {row.attempts} tries{reason}")
    if not rows:
        say(f"nothing was sent of customer {customer}")
    elif more:
        say(f"and more before; these are the latest {ROWS_SHOWN}")
    return 0


# ---- Changes ----


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise OperationError(
            "a destination's name has at most 30 small letters, digits and _, and begins with a letter"
        )
    return name


def _put(stack: DeployedStack, path: Path, name: str) -> int:
    try:
        document = path.read_bytes()
        file = read_destination(document, is_local=bool(stack.parameters.get("LocalEndpoint")))
    except (OSError, InvalidDestination) as error:
        say(f"{path}: {error}")
        return BAD_INPUT
    key = f"{PREFIX}{_checked(name)}.toml"
    stack.s3.put_object(Bucket=stack.resource("DataBucket"), Key=key, Body=document, ContentType="application/toml")
    say(f"{name}: {_described(file)}", f"its secret has {', '.join(vendor(file.vendor).secret) or 'nothing'}")
    if name not in destinations(stack):
        say(f"deploy with Destinations naming {name} too, and it gets its queue; `--send {name}` then sends everybody")
    return 0


def _keep_secret(stack: DeployedStack, name: str) -> int:
    """From standard input; of a webhook, where that is empty, one is made up and said once."""
    text = "" if sys.stdin.isatty() else sys.stdin.read()
    if not text.strip():
        text = json.dumps({SIGNING: SIGNS + base64.b64encode(secrets.token_bytes(32)).decode()})
        say(f"made up for a webhook, and shown this once: {text}")
    try:
        is_good = isinstance(kept := json.loads(text), dict) and all(isinstance(v, str) for v in kept.values())
    except ValueError:
        is_good = False
    if not is_good:
        say('a secret is a JSON object of texts, such as {"token": "…"}')
        return BAD_INPUT
    client = stack.client("secretsmanager")
    secret = f"{stack.name}/destinations/{_checked(name)}"
    try:
        client.put_secret_value(SecretId=secret, SecretString=text)
    except client.exceptions.ResourceNotFoundException:
        client.create_secret(Name=secret, SecretString=text)
    say(f"kept as {secret}")
    return 0


# ---- Again ----


def _send(stack: DeployedStack, name: str, given: argparse.Namespace) -> int:
    names = destinations(stack)
    if name not in names:
        raise OperationError(f"stack {stack.name} has no destination {name}: deploy with Destinations naming it")
    queue = stack.resource(f"Destination{names.index(name) + 1}Queue")
    if given.audience:
        bodies = _entries(stack, name, given.audience)
    else:
        now = iso(int(datetime.now(UTC).timestamp() * 1_000))
        detail = {"transition_id": uuid.uuid4().hex, "at": now}
        customers = sorted(_who(stack, given.since, given.until))
        bodies = (body(name, WANTED, {"customer_id": one, **detail}) for one in customers)
    sent = 0
    for some in batched(bodies, MESSAGES_A_CALL, strict=False):
        entries: Any = [{"Id": str(i), "MessageBody": text} for i, text in enumerate(some)]
        if failed := stack.sqs.send_message_batch(QueueUrl=queue, Entries=entries).get("Failed"):
            raise OperationError(
                f"the queue refused {len(failed)} messages after {sent:,}; send again, which harms nobody"
            )
        sent += len(some)
    say(f"{sent:,} customers are on their way to {name}, each as they are when it is their turn")
    return 0


def _entries(stack: DeployedStack, name: str, key: str) -> Iterator[str]:
    """How each member of an audience entered it, the control group included: the ledger's own moves, so that whoever
    was told of by the bus as well is neither exposed nor sent twice."""
    audiences = LiveAudiences(stack.s3, stack.resource("DataBucket"), 0.0).get(0.0)
    if name not in next((one.destinations for one in audiences.all if one.key == key), ()):
        raise OperationError(f"no audience {key} names the destination {name}: `tessera audiences` lists them")
    table = stack.resource("ProfileTable")
    members, ledger = Members(stack.dynamodb, table), AudienceLedger(stack.dynamodb, table)
    place: Place | None = None
    while True:
        keys, place = members.audience_page(key, MEMBERS_A_PAGE, place)
        for move in (_latest_entry(ledger, member, key) for member in keys):
            if move is not None:
                yield body(name, ENTERED, {"customer_id": customer_id(move.key), **audience_moves.answer(move)})
        if place is None:
            return


def _latest_entry(ledger: AudienceLedger, member: str, audience: str) -> AudienceMove | None:
    before: str | None = None
    while True:
        moves, before = ledger.history(member, ROWS_SHOWN, before)
        if entry := next((move for move in moves if move.audience == audience and move.entered), None):
            return entry
        if before is None:
            return None


def _who(stack: DeployedStack, since_ms: int | None, until_ms: int | None) -> set[str]:
    """Ids of customers: all who are decided on, or whose moves are of the span. Reads the whole table."""
    table = stack.resource("ProfileTable")
    everybody = since_ms is None and until_ms is None
    leading = customer_key("") if everybody else MOVES
    values: dict[str, Any] = {":leading": {"S": leading}}
    if everybody:
        condition = "begins_with(pk, :leading) AND sk = :profile AND attribute_exists(member_of)"
        values |= {":profile": {"S": PROFILE}}
    else:
        condition = "begins_with(pk, :leading) AND at_ms BETWEEN :since AND :until"
        # Up to the millisecond before: --until itself is not of the span.
        values |= {":since": {"N": str(since_ms or 0)}, ":until": {"N": str((until_ms or 10**13) - 1)}}
    pages: Iterable[Any] = stack.dynamodb.get_paginator("scan").paginate(
        TableName=table, FilterExpression=condition, ExpressionAttributeValues=values, ProjectionExpression="pk"
    )
    return {customer_id(item["pk"]["S"].removeprefix(MOVES)) for page in pages for item in page["Items"]}


if __name__ == "__main__":
    sys.exit(main())
