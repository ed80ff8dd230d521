"""Live journeys, and those of before."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from shared.journeys.journey import NONE, Journeys, NotJourneys
from shared.journeys.known_journeys import KnownJourneys
from tests.conftest import BUCKET
from tests.journeys.people import Trip
from tests.journeys.test_journey import JOURNEY

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


def test_a_journey_of_before_is_there_while_its_key_is_live(s3: "S3Client", dynamodb: "DynamoDBClient") -> None:
    trip = Trip(s3, dynamodb)
    known = KnownJourneys(s3, BUCKET, 0.0)
    assert known.live(0) == NONE
    first = replace(JOURNEY, version=1)
    trip.publish(Journeys(1, (first,)))
    trip.publish(Journeys(2, (replace(first, audience="other", version=2),)))
    for _ in range(2):
        assert known.of_version("cart", 1, 0) == first
    now = known.of_version("cart", 2, 0)
    assert now is not None
    assert now.audience == "other"
    assert known.of_version("cart", 7, 0) is None
    trip.publish(Journeys(3, ()))
    assert known.of_version("cart", 1, 0) is None


def test_what_cannot_be_read_takes_the_place_of_nothing(s3: "S3Client", dynamodb: "DynamoDBClient") -> None:
    Trip(s3, dynamodb).publish(Journeys(2, (replace(JOURNEY, version=2),)))
    known = KnownJourneys(s3, BUCKET, 0.0)
    live = known.live(0)
    s3.put_object(Bucket=BUCKET, Key="journeys/current.json", Body=b"{")
    assert known.live(0) == live
    assert known.problem == "journeys are refused: they are not JSON"
    s3.put_object(Bucket=BUCKET, Key="journeys/versions/00000001.json", Body=b"{")
    with pytest.raises(NotJourneys):
        known.of_version("cart", 1, 0)
    started = KnownJourneys(s3, BUCKET, 0.0)
    for _ in range(2):
        with pytest.raises(NotJourneys):
            started.live(0)
