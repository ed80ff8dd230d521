"""Answers one customer's segment, on request why and what would change it, and what they did day by day.

GET /customers/{customer_id}/segment?explain=true&what_if=true, /customers/{customer_id}/timeline
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
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.api.answers import IMPATIENT, Refused, resolver
from shared.aws.requests import UNCHECKED
from shared.decisions.decision import answer
from shared.identity.keys import LONGEST_ID, customer_key
from shared.models.manifests import Manifests
from shared.profiles.table import ProfileTable
from shared.telemetry.logs import logger, metrics, watched

if TYPE_CHECKING:
    from shared.profiles.stored_profile import StoredProfile
    from shared.reasons.adviser import Adviser
    from shared.reasons.explaining import Explainer


def _to_json(body: dict[str, Any]) -> str:
    if "explanation" not in body:
        return json.dumps(body)
    import msgspec  # takes a tenth of the time for a long answer, and longer to load than a short one takes

    return msgspec.json.encode(body).decode()


app = resolver(logger, "read", "The look-up failed on our side; please try again.", _to_json)
table = ProfileTable(boto3.client("dynamodb", config=UNCHECKED.merge(IMPATIENT)), os.environ["TABLE_NAME"])
s3 = boto3.client("s3", config=IMPATIENT)
manifests = Manifests(s3, os.environ["DATA_BUCKET"])


@watched(correlation_paths.API_GATEWAY_REST)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answers one request of the API; whatever goes wrong, the answer is the contract's JSON."""
    metrics.add_metric("Lookups", MetricUnit.Count, 1)
    return app.resolve(event, context)


@app.get("/customers/<customer_id>/segment")
def segment(customer_id: str) -> dict[str, Any]:
    """The decision on a customer; until a model decided, or the customer did anything, a 404 that says which."""
    customer_id = unquote(customer_id)  # a REST API hands the path over as it was encoded
    explain = app.current_event.get_query_string_value("explain") == "true"
    what_if = app.current_event.get_query_string_value("what_if") == "true"
    profile = _read(customer_id, whole=explain or what_if) if len(customer_id) <= LONGEST_ID else None
    if profile is None:
        raise _not_found("customer_not_found", "No event of this customer has been counted.")
    if profile.decision is None:
        raise _not_found("no_decision_yet", "The customer is known; a segment follows once a model has been published.")
    manifest = manifests.get(profile.decision.model_version, time.monotonic())
    body = answer(customer_id, profile.decision, manifest)
    if explain:
        body["explanation"] = explainer().explain(profile, manifest)
    if what_if:
        body["what_would_change"] = adviser().advise(profile, manifest)
    return body


@app.get("/customers/<customer_id>/timeline")
def what_they_did(customer_id: str) -> dict[str, Any]:
    """What a customer did day by day, as far as it is kept, and what is known of them."""
    from shared.api.timeline import timeline  # it takes NumPy, as reasons do
    from shared.features import BrokenState, UnknownStateVersion
    from shared.features.time_zone import TimeZone

    customer_id = unquote(customer_id)
    profile = _read(customer_id, whole=True) if len(customer_id) <= LONGEST_ID else None
    if profile is None:
        raise _not_found("customer_not_found", "No event of this customer has been counted.")
    try:
        return {"customer_id": customer_id, **timeline(profile, TimeZone.of(os.environ["TIME_ZONE"]))}
    except UnknownStateVersion:
        raise _not_found("history_not_readable", "A newer release wrote this history; that can tell it.") from None
    except BrokenState:
        raise _not_found("history_not_readable", "What is stored of this customer's history is damaged.") from None


def _read(customer_id: str, *, whole: bool) -> StoredProfile | None:
    """The customer's profile, with the events that are sealed only if it has to be `whole`."""
    key = customer_key(customer_id)
    return table.get_whole(key) if whole else table.get(key)


def _not_found(code: str, message: str) -> Refused:
    metrics.add_metric("LookupsNotFound", MetricUnit.Count, 1)
    return Refused(HTTPStatus.NOT_FOUND, code, message)


@cache
def explainer() -> Explainer:
    """What says why: it takes NumPy, which the first who asks loads, and not every cold start."""
    from shared.reasons.explaining import Explainer

    return Explainer(s3, os.environ["DATA_BUCKET"])


@cache
def adviser() -> Adviser:
    """What says what would change it: it takes ONNX Runtime, which takes far longer to load."""
    from shared.reasons.adviser import Adviser

    return Adviser(s3, os.environ["DATA_BUCKET"])
