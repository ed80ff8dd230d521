"""What every feature is of a few fixed customers: `python -m tests.features.golden_values` writes it down anew.

Oracle and engine can change together; this file changes only where a feature's definition does. Values of a definition
that stands there already are never replaced: whoever changes what a formula gives raises the feature's `revision`.
"""

import json
import math
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from shared.features import COMPUTED, DEFINITIONS, EVENT_TYPES, KNOWN_DEFINITIONS, features
from shared.features.definitions import Definition
from tests.features.histories import folded

FILE = Path(__file__).parent / "golden/features.json"
AS_OF = (
    datetime(2017, 6, 1, tzinfo=UTC),
    datetime(2018, 1, 15, 7, 30, tzinfo=UTC),
    datetime(2019, 3, 1, tzinfo=UTC),  # when they have long been silent
)

type Values = dict[str, list[float | None]]


def values(events: list[dict[str, Any]]) -> Values:
    """Of each feature the values for every customer at every instant, None where undefined."""
    profiles = folded(events)
    instants = [int(as_of.timestamp() * 1_000) for as_of in AS_OF]
    rows = [row for as_of_ms in instants for row in features(profiles, as_of_ms, of=COMPUTED).tolist()]
    columns = zip(*rows, strict=True)
    return {
        label(d): [None if math.isnan(v) else v for v in c] for d, c in zip(KNOWN_DEFINITIONS, columns, strict=True)
    }


def label(definition: Definition) -> str:
    """What the file calls a definition: by its name, and by its revision as well where that was superseded."""
    return definition.name if definition in DEFINITIONS else f"{definition.name}, revision {definition.revision}"


def made_up_events() -> list[dict[str, Any]]:
    """Some hundred events of six customers over 18 months, on every side of every window."""
    dice = random.Random(20171001)
    events: list[dict[str, Any]] = []
    for number in range(300):
        window = dice.choice([7, 30, 90, 365, 500])
        at = dice.choice(AS_OF[:2]) - timedelta(days=window * dice.random() ** 2, seconds=dice.choice([0, 0, 1]))
        if number % 20 == 0:  # exactly where a window begins
            at = AS_OF[number // 20 % 2] - timedelta(days=window)
        kind = dice.choice([*EVENT_TYPES[1:], *["view_item", "add_to_cart", "begin_checkout"] * 2, *["purchase"] * 3])
        customer = dice.choice("aaaaabbbccdef")
        if number % 6 == 5:  # so soon after the one before that it is the same visit, or just not
            customer = events[-1]["customer_id"]
            at = datetime.fromisoformat(events[-1]["timestamp"]) + timedelta(
                seconds=dice.choice([1, 1_799, 1_800, 1_801])
            )
        visit = f"s{at.toordinal() // 5}"
        event = {
            "event_id": f"e{number}",
            "event_type": kind,
            "customer_id": customer,
            "timestamp": at.isoformat(),
            "session_id": None if number % 6 in (4, 5) else visit,
            "order_id": dice.choice([None, visit]),
            "category": dice.choice([None, "Shoes", "Shoes", "Hats", "Tea", "Soap", "Rugs", "Lamps", "Toys"]),
            "brand": dice.choice([None, "Acme", "Zenith", "Polo", "Volt", "Nord", "Luna"]),
            "device": dice.choice([None, "mobile", "desktop", "tablet"]),
            "channel": dice.choice(["direct", "Organic Search", "cpc", "Social", "E-Mail", "referral", "app", "store"]),
            "price": round(100 * dice.random(), 2),
            "quantity": dice.choice([1, 1, 2]),
            "discount": dice.choice([None, None, 1.5]),
            "engagement_seconds": dice.choice([None, 12.5, 400]),
        }
        events.append({name: value for name, value in event.items() if value is not None})
    return events


def main() -> int:
    """Writes the values of every definition that has none yet; exit status 1 where others would have to change."""
    known: dict[str, Any] = {"events": made_up_events(), "features": {}}
    if FILE.exists():
        known = json.loads(FILE.read_text())
    computed, before = values(known["events"]), known["features"]
    written = {}
    by_hash = {old["hash"]: old["values"] for old in before.values()}
    for definition in KNOWN_DEFINITIONS:
        now = computed[label(definition)]
        written[label(definition)] = {"hash": definition.hash, "values": now}
        old = by_hash.get(definition.hash, [])
        if differs(old, now[: len(old)]):
            print(f"{definition.name} gives other values than before: raise its revision", file=sys.stderr)  # noqa: T201
            return 1
    lines = ",\n".join(f"    {json.dumps(event)}" for event in known["events"])
    rows = ",\n".join(f"    {json.dumps(name)}: {json.dumps(one)}" for name, one in written.items())
    FILE.write_text(f'{{\n  "events": [\n{lines}\n  ],\n  "features": {{\n{rows}\n  }}\n}}\n')
    return 0


def differs(expected: list[float | None], computed: list[float | None]) -> bool:
    """Whether values differ by more than processors do."""
    pairs = zip(expected, computed, strict=True)
    return any(
        (a is None) != (b is None) or not math.isclose(a or 0, b or 0, rel_tol=1e-5, abs_tol=1e-6) for a, b in pairs
    )


if __name__ == "__main__":
    sys.exit(main())
