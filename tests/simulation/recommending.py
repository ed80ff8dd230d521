"""What is recommended in a world, and what must be true of every answer, whatever happens meanwhile."""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from typing import Any

from shared.recommending.layout import CURRENT_KEY, FILE, Publication, encode_publication, recommender_key
from shared.recommending.recommender import Recommender
from tests.simulation.people import MARKER
from tests.support.recommenders import event, recommender_of


@cache
def _recommender() -> tuple[str, bytes]:
    """The id and the file of one that knows what people of a world deal with."""
    bought = [event(f"c{n % 5}", "purchase", f"p{n % 7}.{MARKER}", f"2017-09-{1 + n % 28:02}") for n in range(60)]
    known = recommender_of(bought)
    return known.recommender_id, known.to_bytes()


def known_recommender() -> Recommender:
    """The one that is live throughout."""
    return Recommender.from_bytes(_recommender()[1])


def publish_recommender(objects: Any) -> None:
    """Makes it the live one."""
    recommender_id, content = _recommender()
    live = Publication(1, recommender_id, sha256(content).hexdigest())
    objects.put_object({"Key": recommender_key(recommender_id, FILE), "Body": content})
    objects.put_object({"Key": CURRENT_KEY, "Body": encode_publication(live)})


def recommended_twice(answer: Any) -> str | None:
    """A finding, where something is both bought before and new."""
    content = json.loads(answer["body"])
    lists = [{entry["product_id"] for entry in content.get(name, ())} for name in ("buy_again", "new_for_you")]
    return "a product is recommended both as bought before and as new" if lists[0] & lists[1] else None
