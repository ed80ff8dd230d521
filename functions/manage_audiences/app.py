"""Audiences: lists, previews, publishes and removes them, and says who is in one.

GET /audiences and /audiences/versions, PUT and DELETE /audiences/{key}, POST /audiences/preview,
GET /audiences/{key}/customers.
"""

import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from itertools import islice
from typing import Any

import boto3
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.api.answers import Refused, json_body, only, resolver
from shared.api.audience_preview import Instant, asks_histories, preview, sample
from shared.api.audience_versions import described
from shared.api.cursors import Cursors
from shared.api.paging import Paging
from shared.audiences.audience import KEY, MOST_AUDIENCES, Audience, Audiences, NotAudiences
from shared.audiences.defining import Mistakes, as_definition, defined
from shared.audiences.live_audiences import LiveAudiences
from shared.audiences.publishing import Reason, current, publish, versions
from shared.audiences.reading import Names, read_rule
from shared.audiences.rules import asks_recommendations
from shared.audiences.terms import Mistake
from shared.aws.requests import UNCHECKED
from shared.aws.versioned_document import EditedMeanwhile
from shared.clock import read_clock
from shared.decisions.decision import iso
from shared.features.time_zone import TimeZone
from shared.identity.keys import customer_id
from shared.models.labels import intents_of
from shared.models.manifests import Manifests, outputs
from shared.profiles.members import Members
from shared.profiles.table import ProfileTable
from shared.recommending.live_recommender import LiveRecommender
from shared.telemetry.logs import logger, metrics, watched

app = resolver(logger, None, "The answer failed on our side; please try again.")
bucket, table_name = os.environ["DATA_BUCKET"], os.environ["TABLE_NAME"]
dynamodb, s3 = boto3.client("dynamodb", config=UNCHECKED), boto3.client("s3")
table = ProfileTable(dynamodb, table_name)
members = Members(dynamodb, table_name)
live_recommender = LiveRecommender(s3, bucket)
live_audiences = LiveAudiences(s3, bucket, 0)  # who edits them sees at once what came of it
cursors = Cursors(lambda: str(parameters.get_secret(os.environ["CURSOR_SECRET"], max_age=3_600)).encode())
manifests = Manifests(s3, bucket)
VERSIONS_SHOWN = 20


@watched(correlation_paths.API_GATEWAY_REST)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answers one request of the API; whatever goes wrong, the answer is the contract's JSON."""
    metrics.add_metric("AudienceRequests", MetricUnit.Count, 1)
    return app.resolve(event, context)


@app.get("/audiences", middlewares=only("read"))
def audiences() -> dict[str, Any]:
    """All audiences, each with how many customers are in it now."""
    live = live_audiences.get(time.monotonic())
    return _listed(live)


@app.get("/audiences/versions", middlewares=only("read"))
def history() -> dict[str, Any]:
    """Who published which version, when and why, and which audiences changed by it, the newest first."""
    try:
        return {"versions": [*islice(described(versions(s3, bucket, current(s3, bucket))), VERSIONS_SHOWN)]}
    except NotAudiences:
        message = "The live document of audiences is damaged: `tessera audiences rollback` mends it."
        raise Refused(HTTPStatus.CONFLICT, "audiences_damaged", message) from None


@app.put("/audiences/<key>", middlewares=only("publish"))
def put(key: str) -> dict[str, Any]:
    """Publishes an audience: from now on everyone is decided on with it, and those who are in it are announced."""
    definition = json_body(app)
    why = definition.pop("why", "")
    if not isinstance(why, str):
        raise Refused(HTTPStatus.BAD_REQUEST, "invalid_audience", "`why` is a text.")
    try:
        audience = defined(_known_key(key), definition, _names())
    except Mistakes as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "invalid_audience", str(error)) from None

    def edit(before: Audiences) -> Audiences:
        others = tuple(one for one in before.all if one.key != key)
        if len(others) >= MOST_AUDIENCES:
            message = f"There may be {MOST_AUDIENCES} audiences: remove one first."
            raise Refused(HTTPStatus.CONFLICT, "too_many_audiences", message)
        place = next((i for i, one in enumerate(before.all) if one.key == key), len(others))
        return replace(before, all=(*others[:place], audience, *others[place:]))

    return _one(_published(edit, why)[key])


@app.delete("/audiences/<key>", middlewares=only("publish"))
def delete(key: str) -> dict[str, Any]:
    """Removes an audience: all who are in it leave."""

    def edit(before: Audiences) -> Audiences:
        others = tuple(one for one in before.all if one.key != key)
        if len(others) == len(before.all):
            raise _no_audience()
        return replace(before, all=others)

    return {"key": key, "version": _published(edit, "").version}


@app.post("/audiences/preview", middlewares=only("read"))
def try_out() -> dict[str, Any]:
    """How many customers a rule holds of, as far as a sample tells, with examples; or where the mistake is."""
    where = json_body(app).get("where")
    if not isinstance(where, str):
        raise Refused(HTTPStatus.BAD_REQUEST, "invalid_rule", "`where` is the rule, a text.")
    try:
        rule = read_rule(where, _names())
    except Mistake as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "invalid_rule", str(error)) from None
    sampled, is_all = sample(dynamodb, table, table_name, whole=asks_histories(rule))
    total = None if is_all else sum(members.sizes().values())
    recommender = live_recommender.watched(logger, metrics) if asks_recommendations(rule) else None
    if recommender is None and live_recommender.problem:
        message = "The live recommender cannot be used, so that nobody knows what is recommended: publish it again."
        raise Refused(HTTPStatus.CONFLICT, "recommender_refused", message)
    at = Instant(read_clock().as_of_ms, TimeZone.of(os.environ["TIME_ZONE"]), recommender)
    return preview(rule, sampled, total, at)


def _names() -> Names:
    """What rules may ask for: all that the live bundle predicts, among others."""
    manifest = manifests.live(time.monotonic())
    return Names.of(outputs(manifest), intents_of(manifest))


@app.get("/audiences/<key>/customers", middlewares=only("read"))
def customers(key: str) -> dict[str, Any]:
    """Who is in an audience, in no order of meaning."""
    if all(one.key != key for one in live_audiences.get(time.monotonic()).all):
        raise _no_audience()
    paging = Paging(app.current_event.query_string_parameters, cursors)
    listing = f"audience {key}"
    place = paging.place(listing, lambda sealed: (int(sealed[0]), str(sealed[1])))
    keys, following = members.audience_page(key, paging.limit, place)
    return {
        "customers": [{"customer_id": customer_id(each)} for each in keys],
        "cursor": paging.cursor(listing, following),
    }


def _published(edit: Callable[[Audiences], Audiences], why: str) -> Audiences:
    moment = read_clock()
    try:
        after = publish(s3, bucket, edit, Reason(iso(moment.scored_at_ms), _caller(), why))
    except EditedMeanwhile:
        message = "Others are editing audiences just now; please try again."
        raise Refused(HTTPStatus.CONFLICT, "edited_meanwhile", message) from None
    logger.info("Audiences published", extra={"version": after.version})
    return after


def _listed(live: Audiences) -> dict[str, Any]:
    sizes = members.audience_sizes()
    return {
        "version": live.version,
        "holdout": live.holdout,
        "audiences": [{**_one(audience), "size": sizes[audience.key]} for audience in live.all],
    }


def _one(audience: Audience) -> dict[str, Any]:
    optional: dict[str, Any] = {"holdout": 0.0, "action": None, "destinations": [], "offer": None}
    return {**optional, **as_definition(audience), "version": audience.version}


def _known_key(key: str) -> str:
    if not re.fullmatch(KEY, key):
        message = "A key begins with a small letter and has small letters, digits and _, at most 64."
        raise Refused(HTTPStatus.BAD_REQUEST, "invalid_key", message)
    return key


def _caller() -> str:
    """Who publishes, for the history of versions: a role or a user."""
    context = app.current_event.raw_event["requestContext"]
    claims = (context.get("authorizer") or {}).get("claims") or {}
    return str(claims.get("cognito:username") or (context.get("identity") or {}).get("userArn") or "unknown")


def _no_audience() -> Refused:
    return Refused(HTTPStatus.NOT_FOUND, "audience_not_found", "There is no such audience.")
