"""Whether a destination knows, in the end, what is stored: nothing lost, nothing old, nobody who was erased."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from shared.destinations.deliveries import PARTITION, ROW, SETTLED
from shared.identity.keys import customer_id, is_visitor
from shared.profiles.stored_profile import StoredProfile

if TYPE_CHECKING:
    from tests.simulation.cloud import Cloud


def delivered(cloud: Cloud, profiles: Mapping[str, StoredProfile]) -> Iterator[str]:
    """What is wrong with what the destination has, and with what is written of it."""
    if cloud.destination is None:
        return
    segments = cloud.destination.segments
    decided = {customer_id(p.key): p.decision for p in profiles.values() if p.decision and not is_visitor(p.key)}
    for name, decision in decided.items():
        known = segments.get(name)
        wanted = None if name in cloud.destination.refuses else str(decision.segment)
        if known != wanted:
            yield f"the destination has {name} in segment {known}, not in {wanted}"
    for name in segments.keys() - decided.keys():
        yield f"the destination still has {name}"
    for (pk, sk), item in cloud.table.items.items():
        if pk.startswith(PARTITION) and customer_id(pk.removeprefix(PARTITION)) not in decided:
            yield f"{sk} of {pk} is there, of nobody who is decided on"
        if pk.startswith(PARTITION) and sk.startswith(ROW) and item["state"]["S"] not in SETTLED:
            yield f"{sk} of {pk} is {item['state']['S']} in the end: {item.get('reason')}"
