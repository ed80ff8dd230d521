"""Journeys as the API tells of them: what they do, how many stand where, and who."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from shared.api.answers import Refused
from shared.decisions.decision import iso
from shared.identity.keys import customer_id
from shared.journeys.interpreting import OUTCOMES
from shared.journeys.known_journeys import KnownJourneys
from shared.journeys.showing import hours, shown, shown_at
from shared.journeys.travellers import Travellers
from shared.journeys.whereabouts import Counts, Place, Whereabouts, places_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

    from shared.api.paging import Paging
    from shared.journeys.journey import Journey, Journeys
    from shared.journeys.travellers import Traveller

COUNTED_SECONDS = 6.0
"""How long an answer counts, which API Gateway would wait 29 seconds for."""


class JourneyBrowser:
    """Answers requests about journeys."""

    def __init__(
        self, dynamodb: DynamoDBClient, s3: S3Client, table: str, bucket: str, secret: Callable[[], bytes]
    ) -> None:
        self.travellers = Travellers(dynamodb, table, secret)
        self._whereabouts = Whereabouts(dynamodb, table)
        self._known = KnownJourneys(s3, bucket)

    def listed(self) -> dict[str, Any]:
        """All journeys."""
        return listed(self._known.live(time.monotonic()))

    def counted(self, key: str) -> dict[str, Any]:
        """One journey with how many stand where. Raises Refused."""
        journey = self._journey(key)
        return counted(journey, self._whereabouts.counts(journey, COUNTED_SECONDS))

    def page(self, key: str, query: Mapping[str, str], paging: Paging) -> dict[str, Any]:
        """Who stands where on one journey, by page. Raises Refused."""
        journey = self._journey(key)
        places = places_asked_for(journey, query)
        listing = f"journey {key} {places}"
        after = paging.place(listing, lambda sealed: (int(sealed[0]), str(sealed[1]), str(sealed[2])))
        travellers, following = self._whereabouts.page(key, places, paging.limit, after)
        return {"customers": [told(one) for one in travellers], "cursor": paging.cursor(listing, following)}

    def told(self, traveller: Traveller) -> dict[str, Any]:
        """Where somebody stands."""
        return told(traveller)

    def _journey(self, key: str) -> Journey:
        journey = self._known.live(time.monotonic()).get(key)
        if journey is None:
            raise Refused(HTTPStatus.NOT_FOUND, "journey_not_found", "There is no such journey.")
        return journey


def listed(live: Journeys) -> dict[str, Any]:
    """All journeys, and what the shop set for all of them."""
    return {
        "version": live.version,
        "quiet": hours(live.quiet) if live.quiet else None,
        "cap": {"sends": live.cap.sends, "days": live.cap.days} if live.cap else None,
        "journeys": [{**_described(one), "steps": [shown(step) for step in one.steps]} for one in live.all],
    }


def counted(journey: Journey, counts: Counts) -> dict[str, Any]:
    """A journey with how many stand at each of its steps, and how it ended for others in the last 90 days."""
    steps = [
        {"step": position + 1, "does": shown_at(journey, position), "customers": counts.by_place[position]}
        for position in range(sum(isinstance(place, int) for place in places_of(journey)))
        if position < len(journey.steps) or counts.by_place[position]
    ]
    return {
        **_described(journey),
        "steps": steps,
        "customers": sum(step["customers"] for step in steps),
        "ended": {outcome: counts.by_place[outcome] for outcome in OUTCOMES},
        "complete": counts.complete,
    }


def told(traveller: Traveller) -> dict[str, Any]:
    """Where somebody stands on a journey, or how it ended."""
    return {
        "customer_id": customer_id(traveller.key),
        "journey": traveller.journey,
        "version": traveller.version,
        "audience": traveller.audience,
        "arm": traveller.arm,
        "entered_at": iso(traveller.entered_ms),
        "step": traveller.position + 1,
        "due_at": iso(traveller.due_ms) if traveller.due_ms is not None and not traveller.outcome else None,
        "outcome": traveller.outcome,
    }


def places_asked_for(journey: Journey, query: Mapping[str, str]) -> list[Place]:
    """The places that `step` or `ended` of a query name; without both all who are still on it. Raises Refused."""
    step, ended = query.get("step"), query.get("ended")
    places = places_of(journey)
    if ended is not None:
        wanted: list[Place] = [place for place in OUTCOMES if place == ended and step is None]
    elif step is not None:
        wanted = [place for place in places if isinstance(place, int) and str(place + 1) == step]
    else:
        return [place for place in places if isinstance(place, int)]
    if not wanted:
        message = f"step is the number of one of the journey's steps, or ended one of {', '.join(OUTCOMES)}."
        raise Refused(HTTPStatus.BAD_REQUEST, "invalid_step", message)
    return wanted


def _described(journey: Journey) -> dict[str, Any]:
    return {
        "key": journey.key,
        "name": journey.name,
        "audience": journey.audience,
        "version": journey.version,
        "stop_when": [*journey.stops],
    }
