"""Answers what a customer may buy again and what is new: GET /customers/{customer_id}/recommendations?limit="""

import os
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import boto3
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.api.answers import IMPATIENT, Refused, resolver
from shared.api.recommended import limit_of, recommended
from shared.aws.requests import UNCHECKED
from shared.clock import read_clock
from shared.identity.keys import LONGEST_ID, customer_key
from shared.profiles.table import ProfileTable
from shared.recommending.live_recommender import LiveRecommender
from shared.telemetry.logs import logger, metrics, watched

app = resolver(logger, "read", "The answer failed on our side; please try again.")
table = ProfileTable(boto3.client("dynamodb", config=UNCHECKED.merge(IMPATIENT)), os.environ["TABLE_NAME"])
live_recommender = LiveRecommender(boto3.client("s3"), os.environ["DATA_BUCKET"])


@watched(correlation_paths.API_GATEWAY_REST)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answers one request of the API; whatever goes wrong, the answer is the contract's JSON."""
    metrics.add_metric("Recommendations", MetricUnit.Count, 1)
    return app.resolve(event, context)


@app.get("/customers/<customer_id>/recommendations")
def recommendations(customer_id: str) -> dict[str, Any]:
    """Both lists, made of what is stored of the customer at this moment."""
    customer_id = unquote(customer_id)  # a REST API hands the path over as it was encoded
    limit = limit_of(app.current_event.query_string_parameters)
    profile = table.get_whole(customer_key(customer_id)) if len(customer_id) <= LONGEST_ID else None
    if profile is None or not profile.is_someone:
        raise Refused(HTTPStatus.NOT_FOUND, "customer_not_found", "No event of this customer has been counted.")
    recommender = live_recommender.watched(logger, metrics)
    if recommender is None:
        message = "The customer is known; recommendations follow once a recommender has been published."
        raise Refused(HTTPStatus.NOT_FOUND, "no_recommender_yet", message)
    return recommended(customer_id, profile, recommender, read_clock().as_of_ms, limit)
