"""Lists segments, who is in them, who moved, and what was sent of whom.

GET /segments, /segments/{segment_id}/customers, /customers/{id}/history, /customers/{id}/deliveries
"""

import os
import time
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import boto3
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.api.answers import Refused, resolver
from shared.api.cursors import Cursors
from shared.api.paging import Paging
from shared.decisions.transitions import answer
from shared.destinations import deliveries as sent
from shared.identity.keys import LONGEST_ID, customer_key
from shared.identity.keys import customer_id as id_of
from shared.ledger.rows import Ledger
from shared.models.manifests import Manifests
from shared.profiles.members import Members
from shared.profiles.table import ProfileTable
from shared.telemetry.logs import logger, metrics, watched

app = resolver(logger, "read", "The answer failed on our side; please try again.")
dynamodb = boto3.client("dynamodb")
table_name = os.environ["TABLE_NAME"]
profiles = ProfileTable(dynamodb, table_name)
ledger = Ledger(dynamodb, table_name)
deliveries = sent.Deliveries(dynamodb, table_name)
members = Members(dynamodb, table_name)
manifests = Manifests(boto3.client("s3"), os.environ["DATA_BUCKET"])
cursors = Cursors(lambda: str(parameters.get_secret(os.environ["CURSOR_SECRET"], max_age=3_600)).encode())


@watched(correlation_paths.API_GATEWAY_REST)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answers one request of the API; whatever goes wrong, the answer is the contract's JSON."""
    metrics.add_metric("Listings", MetricUnit.Count, 1)
    return app.resolve(event, context)


@app.get("/segments")
def segments() -> dict[str, Any]:
    """The segments of the live model, each with how many customers are in it now."""
    manifest = manifests.live(time.monotonic())
    sizes = members.sizes()
    return {
        "model_version": manifest.get("bundle_id"),
        "segments": [
            {
                "id": segment["id"],
                "name": segment["name"],
                "description": segment.get("description"),
                "size": sizes[segment["id"]],
                "profile": segment.get("profile", {}),
            }
            for segment in manifest.get("segments", ())
        ],
    }


@app.get("/segments/<segment_id>/customers")
def customers(segment_id: str) -> dict[str, Any]:
    """Who is in a segment, in no order of meaning."""
    known = {str(segment["id"]) for segment in manifests.live(time.monotonic()).get("segments", ())}
    if segment_id not in known:
        raise Refused(HTTPStatus.NOT_FOUND, "segment_not_found", "The live model has no such segment.")
    paging = _paging()
    listing = f"members of {segment_id}"
    place = paging.place(listing, lambda sealed: (int(sealed[0]), str(sealed[1])))
    keys, following = members.page(int(segment_id), paging.limit, place)
    return {"customers": [{"customer_id": id_of(key)} for key in keys], "cursor": paging.cursor(listing, following)}


@app.get("/customers/<customer_id>/history")
def history(customer_id: str) -> dict[str, Any]:
    """A customer's moves between segments, newest first."""
    customer_id = unquote(customer_id)  # a REST API hands the path over as it was encoded
    key = customer_key(customer_id)
    listing = f"history of {key}"
    paging = _paging()
    limit = paging.limit
    before = paging.place(listing, int)
    is_possible = len(customer_id) <= LONGEST_ID
    moves, following = ledger.history(key, limit, before) if is_possible else ([], None)
    if not moves and before is None and not (is_possible and profiles.get(key)):
        raise Refused(HTTPStatus.NOT_FOUND, "customer_not_found", "No event of this customer has been counted.")
    return {
        "customer_id": customer_id,
        "transitions": [answer(moved) for moved in moves],
        "cursor": paging.cursor(listing, following),
    }


@app.get("/customers/<customer_id>/deliveries")
def deliveries_of(customer_id: str) -> dict[str, Any]:
    """What was sent of a customer where, and what became of it, newest first."""
    customer_id = unquote(customer_id)
    key = customer_key(customer_id)
    listing = f"deliveries of {key}"
    paging = _paging()
    before = paging.place(listing, str)
    is_possible = len(customer_id) <= LONGEST_ID
    rows, following = deliveries.page(key, paging.limit, before) if is_possible else ([], None)
    if not rows and before is None and not (is_possible and profiles.get(key)):
        raise Refused(HTTPStatus.NOT_FOUND, "customer_not_found", "No event of this customer has been counted.")
    return {
        "customer_id": customer_id,
        "deliveries": [sent.answer(row) for row in rows],
        "cursor": paging.cursor(listing, following),
    }


def _paging() -> Paging:
    return Paging(app.current_event.query_string_parameters, cursors)
