"""What a million events cost at list prices, beside one invocation, one read and one write for each of them."""

import json
import tomllib
from collections.abc import Iterator

from bench.row import Row
from operations.cost import PRICES_FILE, USAGE_FILE, Shop, naive, priced, uses

MILLION = 1_000_000
_SHAPES = (
    ("cost_files", "in files of a day", 0.0, 1),
    ("cost_live_10", "live, ten in a request", 1.0, 10),
    ("cost_live_1", "live, one in a request", 1.0, 1),
)
AIM = 10
"""Times cheaper than the usual way."""
_EVENTS, _CUSTOMERS = 100 * MILLION, MILLION


def cost_rows() -> Iterator[Row]:
    """Reckoned of 100 million events a month of a million customers, by what `operations/usage.json` measured."""
    prices = tomllib.loads(PRICES_FILE.read_text())
    usage = json.loads(USAGE_FILE.read_bytes())
    for name, how, live_share, events_a_call in _SHAPES:
        shop = Shop(_EVENTS, _CUSTOMERS, live_share, events_a_call)
        updates = _EVENTS / usage["live" if live_share else "file"]["events_an_update"]
        ours, theirs, least = (
            sum(line.dollars for line in priced(used, prices)) * MILLION / _EVENTS
            for used in (uses(shop, usage), naive(shop, usage), [("dynamodb", "writes", updates)])
        )
        yield Row(
            name,
            f"A million events {how}",
            ours,
            "$",
            "a call, a get and a put an event",
            theirs,
            "a write unit an update",
            least,
        ).times_peer(AIM)
