"""Customers in a table, and those who travel, over moto."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.decisions.decision import Membership
from shared.features import encode
from shared.features.time_zone import UTC_TIME
from shared.journeys.journey import Journeys, Publication, encode_publication
from shared.journeys.known_journeys import KnownJourneys
from shared.journeys.travellers import Traveller, Travellers
from shared.journeys.travelling import Moved, Step, Travelling
from shared.profiles.item import encode_profile
from shared.profiles.table import ProfileTable
from tests.conftest import BUCKET, TABLE
from tests.features.histories import folded
from tests.support.event_files import Event
from tests.support.stored_profiles import decision, profile

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

    from shared.profiles.stored_profile import StoredProfile

ENTERED_MS = 1_509_494_400_000
KEY = "customer#889"
ENTRY = Moved("Customer Entered Audience", "889", "cart", "t1", ENTERED_MS)


def secret() -> bytes:
    return b"a secret of marks"


def stored(
    events: list[Event], version: int = 1, since_ms: int | None = ENTERED_MS, arm: str = "treatment"
) -> StoredProfile:
    """Customer 889 with these events, in the audience `cart` since then."""
    state = encode(folded(events))[0]
    audiences = {} if since_ms is None else {"cart": Membership(since_ms, arm)}
    return profile(KEY, version, state, decision=decision(audiences=audiences))


@dataclass
class Trip:
    """A table, a bucket, and what was told and started."""

    s3: S3Client
    dynamodb: DynamoDBClient
    now_ms: int = ENTERED_MS
    told: list[Step] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    fails: int = 0
    """How often the bus still refuses."""

    @property
    def travellers(self) -> Travellers:
        return Travellers(self.dynamodb, TABLE, secret)

    @property
    def travelling(self) -> Travelling:
        return Travelling(
            self.travellers,
            KnownJourneys(self.s3, BUCKET, 0.0),
            ProfileTable(self.dynamodb, TABLE),
            UTC_TIME,
            self._tell,
            lambda name, _: self.started.append(name),
            lambda: self.now_ms,
        )

    def publish(self, journeys: Journeys) -> None:
        body = encode_publication(Publication(journeys, "", "", "", ""))
        for key in ("current.json", f"versions/{journeys.version:08d}.json"):
            self.s3.put_object(Bucket=BUCKET, Key=f"journeys/{key}", Body=body)

    def store(self, profile: StoredProfile) -> None:
        self.dynamodb.put_item(TableName=TABLE, Item=encode_profile(profile))

    @property
    def all(self) -> list[Traveller]:
        return self.travellers.of_customer(KEY)

    def go_on(self) -> int | None:
        """Takes the one who travels further."""
        (one,) = self.all
        return self.travelling.advance(one.pk, one.sk)

    def _tell(self, step: Step) -> None:
        if self.fails:
            self.fails -= 1
            raise Refused
        self.told.append(step)


class Refused(Exception):
    """By the bus."""
