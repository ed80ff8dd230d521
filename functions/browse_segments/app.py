"""Lists segments, who is in them, who moved, what was sent of whom, who stands where on which journey, and what was
measured.

GET /segments, /segments/{segment_id}/customers, /journeys, /journeys/{key}, /journeys/{key}/customers, /results,
/audiences/{key}/results, /reports/{name}, and of a customer /customers/{id}/history, /customers/{id}/audiences,
/customers/{id}/deliveries, /customers/{id}/journeys
"""

from __future__ import annotations

import json
import os
import time
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import boto3
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.api.answers import Refused, resolver
from shared.api.cursors import Cursors
from shared.api.paging import Paging
from shared.aws.fresh_object import FreshObject
from shared.aws.requests import UNCHECKED
from shared.decisions import audience_moves
from shared.decisions.transitions import answer
from shared.destinations import deliveries as sent
from shared.identity.keys import LONGEST_ID, customer_key
from shared.identity.keys import customer_id as id_of
from shared.insight.layout import ANSWERED, LATEST_RESULTS, report_key
from shared.ledger.audience_rows import AudienceLedger
from shared.ledger.rows import Ledger
from shared.models.manifests import CHECK_EVERY_SECONDS, Manifests
from shared.profiles.marks import secret
from shared.profiles.members import Members
from shared.profiles.table import ProfileTable
from shared.telemetry.logs import logger, metrics, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.api.journeys import JourneyBrowser

MOST_JOURNEYS_SHOWN = 100

app = resolver(logger, "read", "The answer failed on our side; please try again.")
dynamodb, s3 = boto3.client("dynamodb", config=UNCHECKED), boto3.client("s3")
table_name = os.environ["TABLE_NAME"]
profiles = ProfileTable(dynamodb, table_name)
ledger = Ledger(dynamodb, table_name)
audience_ledger = AudienceLedger(dynamodb, table_name)
deliveries = sent.Deliveries(dynamodb, table_name)
members = Members(dynamodb, table_name)
bucket = os.environ["DATA_BUCKET"]
manifests = Manifests(s3, bucket)
results = FreshObject(s3, bucket, LATEST_RESULTS, CHECK_EVERY_SECONDS)
reports = {name: FreshObject(s3, bucket, report_key(name), CHECK_EVERY_SECONDS) for name in ANSWERED}
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
    return _listed(customer_id, "transitions", ledger.history, int, answer)


@app.get("/customers/<customer_id>/deliveries")
def deliveries_of(customer_id: str) -> dict[str, Any]:
    """What was sent of a customer where, and what became of it, newest first."""
    return _listed(customer_id, "deliveries", deliveries.page, str, sent.answer)


@app.get("/customers/<customer_id>/audiences")
def audiences_of(customer_id: str) -> dict[str, Any]:
    """A customer's moves into audiences and out of them, newest first."""

    def told(moved: audience_moves.AudienceMove) -> dict[str, Any]:
        return {"entered": moved.entered, **audience_moves.answer(moved)}

    return _listed(customer_id, "moves", audience_ledger.history, str, told)


def _listed[Row, Place: (int, str)](
    customer_id: str,
    name: str,
    page: Callable[[str, int, Place | None], tuple[Sequence[Row], Place | None]],
    place: Callable[[Any], Place],
    entry_of: Callable[[Row], dict[str, Any]],
) -> dict[str, Any]:
    """A page of what is kept of a customer, under a `name`, after the cursor's place; of nobody known, a 404."""
    customer_id = unquote(customer_id)  # a REST API hands the path over as it was encoded
    key = customer_key(customer_id)
    listing = f"{name} of {key}"
    paging = _paging()
    limit = paging.limit
    before = paging.place(listing, place)
    is_possible = len(customer_id) <= LONGEST_ID
    rows, following = page(key, limit, before) if is_possible else ([], None)
    if not rows and before is None:
        _check_known(customer_id)
    return {
        "customer_id": customer_id,
        name: [entry_of(row) for row in rows],
        "cursor": paging.cursor(listing, following),
    }


@app.get("/customers/<customer_id>/journeys")
def journeys_of(customer_id: str) -> dict[str, Any]:
    """Which journeys a customer is on or was on lately, and where they stand, the latest begun first."""
    customer_id = unquote(customer_id)
    is_possible = len(customer_id) <= LONGEST_ID
    travellers = journeys().travellers.of_customer(customer_key(customer_id)) if is_possible else []
    if not travellers:
        _check_known(customer_id)
    latest = sorted(travellers, key=lambda one: one.entered_ms, reverse=True)[:MOST_JOURNEYS_SHOWN]
    return {"customer_id": customer_id, "journeys": [journeys().told(one) for one in latest]}


@app.get("/journeys")
def all_journeys() -> dict[str, Any]:
    """The live journeys, step by step."""
    return journeys().listed()


@app.get("/journeys/<key>")
def journey(key: str) -> dict[str, Any]:
    """A journey with how many stand at each of its steps."""
    return journeys().counted(key)


@app.get("/journeys/<key>/customers")
def customers_on(key: str) -> dict[str, Any]:
    """Who stands where on a journey, in no order of meaning."""
    return journeys().page(key, app.current_event.query_string_parameters, _paging())


@cache
def journeys() -> JourneyBrowser:
    """What tells of journeys: it takes NumPy, which the first who asks loads, and not every cold start."""
    from shared.api.journeys import JourneyBrowser

    return JourneyBrowser(dynamodb, s3, table_name, bucket, secret(os.environ["MARK_SECRET"]))


def _check_known(customer_id: str) -> None:
    """Raises Refused where no event of a customer has been counted."""
    if len(customer_id) > LONGEST_ID or not profiles.get(customer_key(customer_id)):
        raise Refused(HTTPStatus.NOT_FOUND, "customer_not_found", "No event of this customer has been counted.")


@app.get("/results")
def all_results() -> dict[str, Any]:
    """What every campaign changed, as it was measured last."""
    return _measured(results)


@app.get("/audiences/<key>/results")
def audience_results(key: str) -> dict[str, Any]:
    """What an audience's campaign changed, as it was measured last."""
    measured = _measured(results)
    own = [result for result in measured["results"] if result["campaign"] == key]
    if not own:
        message = "Nobody had been exposed to an audience of this key when results were measured last."
        raise Refused(HTTPStatus.NOT_FOUND, "results_not_found", message)
    return {**measured, "results": own}


@app.get("/reports/<name>")
def report(name: str) -> dict[str, Any]:
    """A report, as it was computed last."""
    if name not in reports:
        raise Refused(HTTPStatus.NOT_FOUND, "report_not_found", f"The reports are {', '.join(ANSWERED)}.")
    return _measured(reports[name])


def _measured(document: FreshObject) -> dict[str, Any]:
    body = document.read(time.monotonic())
    if body is None:
        message = "Nothing was measured yet: it is after each night's export."
        raise Refused(HTTPStatus.NOT_FOUND, "not_measured_yet", message)
    content: dict[str, Any] = json.loads(body)
    return content


def _paging() -> Paging:
    return Paging(app.current_event.query_string_parameters, cursors)
