"""What a stack does with customers: audiences, destinations and journeys, by the rights that it is given."""

import time
from typing import Any

from local.stack import Stack
from shared.destinations.contract import Answer, Request
from shared.destinations.steps import LEAVES
from shared.journeys.journey import Cap, Journey, Journeys, Publication, Send, Wait, encode_publication
from shared.journeys.known_journeys import CHECK_EVERY_SECONDS
from tests.e2e.conftest import wait_until
from tests.e2e.looks import SECONDS, events_stored, put
from tests.e2e.rights import client
from tests.e2e.sources import function
from tests.support.event_files import ndjson, purchase
from tests.support.vendors.hubspot import HubSpot

HUBSPOT = HubSpot(properties=frozenset({"email", "segment", "tier", "audiences", "new", "again"}))
FAILED: list[Request] = []


def fails_once(request: Request) -> Answer:
    if not FAILED:
        FAILED.append(request)
        return Answer(500)
    return HUBSPOT(request)


DESTINATION = """
vendor = "hubspot"
base_url = "{address}"
identify = {{email = "customer_id"}}
[fields]
segment = "segment.name"
tier = "attributes.tier"
audiences = "audiences"
again = "buy_again"
new = "new_for_you.names"
"""


def customers_are_sent_to_a_destination(stack: Stack) -> None:
    """Though it fails at first, so that some have to wait."""
    assert FAILED
    wait_until(lambda: HUBSPOT.contacts.get("csv", {}).get("tier") == "gold", SECONDS)
    wait_until(
        lambda: (None, "accepted") in {(row["audience"], row["state"]) for row in deliveries(stack, "csv")}, SECONDS
    )
    # Whoever did something since the recommender was published was sent with what is recommended to them.
    wait_until(lambda: HUBSPOT.contacts.get("hungry", {}).get("again") == "b1", SECONDS)
    assert HUBSPOT.contacts["hungry"]["new"]


def deliveries(stack: Stack, customer: str) -> list[Any]:
    rows: list[Any] = stack.api_get(f"/customers/{customer}/deliveries")[1].get("deliveries", [])
    return rows


GOLD = {
    "where": "tier = 'gold' and orders('Bakery', 3650) > 0",
    "holdout": 0.5,
    "destinations": ["crm"],
    "offer": {"greatest_discount": 0.1},
}


def an_audience_is_defined(stack: Stack) -> None:
    """Who is in it is decided, listed, counted and looked up; of somebody with sealed events a preview knows all."""
    before = events_stored(stack, "csv")
    assert stack.api("PUT", "/audiences/gold", {**GOLD, "why": "a test"})[0] == 200
    wait_until(lambda: "csv" in members(stack, "gold"), SECONDS)
    wait_until(lambda: audience(stack, "gold")["size"] == len(members(stack, "gold")), SECONDS)
    wait_until(lambda: bool(stack.api_get("/audiences/gold/customers?limit=1")[1]["cursor"]), SECONDS)
    # An audience of that key was published and removed a moment ago, whose members may still be on their way out.
    wait_until(
        lambda: [one["key"] for one in stack.api_get("/customers/csv/segment")[1]["audiences"]] == ["gold"], SECONDS
    )
    wait_until(lambda: "gold" in {row["audience"] for row in deliveries(stack, "csv")}, SECONDS)
    wait_until(lambda: events_stored(stack, "csv") > before, SECONDS)  # the exposure
    before = events_stored(stack, "csv")
    wait_until(lambda: stack.api_get("/customers/csv/offer")[1]["audience"] == "gold", SECONDS)
    wait_until(lambda: events_stored(stack, "csv") > before, SECONDS)
    status, estimate = stack.api("POST", "/audiences/preview", {"where": "orders(3650) = 90"})
    assert (status, [one["customer_id"] for one in estimate["examples"]]) == (200, ["long"])


def what_is_recommended_brings_customers_in(stack: Stack) -> None:
    """Whoever is stored is decided on by what is recommended to them, and who comes by file or by the API as well."""
    bought = {**purchase("peckish"), "product_id": "b1", "category": "kind b"}
    assert stack.api("PUT", "/audiences/again", {"where": "'b1' in buy_again", "why": "a test"})[0] == 200
    wait_until(lambda: "hungry" in members(stack, "again"), SECONDS)
    assert stack.api("POST", "/events", {"events": [bought]})[1]["accepted"] == 1
    put(stack, "events/starving.ndjson", ndjson([{**bought, "customer_id": "starving", "event_id": "starving"}]))
    wait_until(lambda: {*members(stack, "again")} == {"hungry", "peckish", "starving"}, SECONDS)
    status, estimate = stack.api("POST", "/audiences/preview", {"where": "'b1' in buy_again"})
    assert (status, estimate["size"]) == (200, 3)


HELLO = Journey("hello", "Hello", "bakers", (Send("crm", "hello"),), 1, ())
WAITS = Journey("wait", "Wait", "bakers", (Wait(10**9), Send("crm", "late")), 1, (LEAVES,))


def journeys_are_published(stack: Stack) -> None:
    """Before there are any, who looks for them finds that out."""
    client(stack, "lambda").invoke(FunctionName=function(stack, "AdvanceJourney"), Payload=b'{"Records": []}')
    wait_until(lambda: stack.api_get("/journeys")[1].get("journeys") == [], SECONDS)
    published = Publication(Journeys(1, (HELLO, WAITS), None, Cap(1, 1)), "", "", "", "")
    put(stack, "journeys/current.json", encode_publication(published))
    time.sleep(CHECK_EVERY_SECONDS)
    wait_until(lambda: len(stack.api_get("/journeys")[1].get("journeys", ())) == 2, SECONDS)


def a_journey_is_travelled(stack: Stack) -> None:
    """Who enters an audience is sent what the journey says, or is of its control group; who leaves it stops."""
    before = events_stored(stack, "csv")
    definition = {"where": "orders('Bakery', 3650) > 0", "holdout": 0.5, "why": "a test"}
    assert stack.api("PUT", "/audiences/bakers", definition)[0] == 200
    wait_until(lambda: len(standing(stack, "hello", "ended=finished")) >= 3, SECONDS)
    wait_until(lambda: standing(stack, "wait", "step=1") == standing(stack, "hello", "ended=finished"), SECONDS)
    # By rows: who left and entered again within the one instant of the stack's clock may stand there twice.
    wait_until(lambda: counted(stack, "wait") == len(stands(stack, "wait", "step=1")), SECONDS)
    wait_until(lambda: {one["journey"] for one in on_journeys(stack, "csv")} == {"hello", "wait"}, SECONDS)
    wait_until(lambda: bool(entries(stack, "csv", "bakers")), SECONDS)
    entry, *_ = entries(stack, "csv", "bakers")  # another bundle may have had them leave and enter again
    wait_until(lambda: events_stored(stack, "csv") > before, SECONDS)  # with the exposure
    state = "accepted" if entry["arm"] == "treatment" else "withheld"
    wait_until(lambda: (None, state) in {(row["audience"], row["state"]) for row in steps_sent(stack, "csv")}, SECONDS)
    assert stack.api("DELETE", "/audiences/bakers")[0] == 200
    wait_until(lambda: standing(stack, "wait", "ended=left") == standing(stack, "hello", "ended=finished"), SECONDS)


def on_journeys(stack: Stack, customer: str) -> list[Any]:
    """Journeys that a customer is on or was on."""
    journeys: list[Any] = stack.api_get(f"/customers/{customer}/journeys")[1].get("journeys", [])
    return journeys


def entries(stack: Stack, customer: str, audience: str) -> list[Any]:
    """A customer's moves into an audience."""
    moves = stack.api_get(f"/customers/{customer}/audiences?limit=100")[1].get("moves", [])
    return [move for move in moves if move["entered"] and move["audience"] == audience]


def counted(stack: Stack, journey: str) -> int | None:
    """How many are on a journey."""
    count: int | None = stack.api_get(f"/journeys/{journey}")[1].get("customers")
    return count


def standing(stack: Stack, journey: str, query: str = "") -> set[str]:
    """Who stands where on a journey."""
    return {*stands(stack, journey, query)}


def stands(stack: Stack, journey: str, query: str) -> list[str]:
    """The same, as often as they stand there."""
    _, page = stack.api_get(f"/journeys/{journey}/customers?limit=100{query and f'&{query}'}")
    return [one["customer_id"] for one in page.get("customers", ())]


def steps_sent(stack: Stack, customer: str) -> list[Any]:
    """Deliveries of what no move between segments told of."""
    moves = stack.api_get(f"/customers/{customer}/history?limit=100")[1]["transitions"]
    known = {move["transition_id"] for move in moves}
    return [row for row in deliveries(stack, customer) if row["transition_id"] not in known]


def members(stack: Stack, key: str) -> list[str]:
    _, page = stack.api_get(f"/audiences/{key}/customers?limit=100")
    return [one["customer_id"] for one in page.get("customers", ())]


def audience(stack: Stack, key: str) -> Any:
    return next(one for one in stack.api_get("/audiences")[1]["audiences"] if one["key"] == key)
