"""What a page may offer to a customer: the bounds of the first audience with an offer that they are in, and the arm."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from shared.audiences.audience import TREATMENT, Audience, Audiences
from shared.decisions.decision import Decision, iso
from shared.durations import HOUR_MS


def offer(decision: Decision, audiences: Audiences, now_ms: int) -> tuple[dict[str, Any], Audience | None]:
    """The answer, and the audience that the offer is of, if there is one. The control group is offered nothing."""
    audience = next((one for one in audiences.all if one.offer and one.key in decision.audiences), None)
    membership = decision.audiences[audience.key] if audience else None
    answer: dict[str, Any] = {
        "intent": decision.intent,
        "probability": decision.predictions.get("conversion_probability"),
        "audience": audience and audience.key,
        "arm": membership and membership.arm,
        "bounds": None,
    }
    if audience and audience.offer and membership and membership.arm == TREATMENT:
        answer["bounds"] = {
            "greatest_discount": audience.offer.greatest_discount,
            "least_price": audience.offer.least_price,
            "valid_until": iso(now_ms // 1_000 * 1_000 + audience.offer.valid_hours * HOUR_MS),
        }
    return answer, audience


def exposure(customer_id: str, decision: Decision, audience: Audience, now_ms: int) -> bytes:
    """That the page was to make an offer, as an event; however often it asks in a day, it is one."""
    membership = decision.audiences[audience.key]
    unique = f"offer {customer_id} {audience.key} {membership.since_ms} {iso(now_ms)[:10]}"
    event = {
        "event_id": "exposure-" + hashlib.blake2b(unique.encode(), digest_size=16).hexdigest(),
        "event_type": "campaign_exposure",
        "timestamp": iso(now_ms),
        "customer_id": customer_id,
        "campaign": audience.key,
        "arm": membership.arm,
    }
    return json.dumps(event).encode()
