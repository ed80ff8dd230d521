"""What else a stack is for, as stories that a test tells one after the other, each with its end."""

import json
import time
from typing import Any
from urllib.parse import quote

from local.stack import Stack
from shared.drift.layout import nights_key
from shared.drift.reference import FORMAT, Measure, Reference, to_bytes
from shared.durations import DAY_MS
from shared.events.event import parse_timestamp
from shared.insight.layout import ANSWERED, DRIFT, LATEST_RESULTS, report_key
from shared.models.layout import DISTRIBUTION_FILE, bundle_key
from shared.recommending import layout as recommenders
from shared.recommending.live_recommender import CHECK_EVERY_SECONDS
from shared.recommending.publishing import publish as publish_recommender
from tests.e2e.acting_stories import (
    HUBSPOT,
    deliveries,
    members,
    standing,
)
from tests.e2e.conftest import STACK_CLOCK, wait_until
from tests.e2e.looks import SECONDS, below, events_stored, is_done, items_of, put
from tests.e2e.rights import client
from tests.e2e.sources import events_of, function
from tests.support.bundles import make_bundle, publish
from tests.support.event_files import csv_file, ndjson, parquet, purchase
from tests.support.exported import exported
from tests.support.recommenders import small_recommender


def known_customers_act_again_and_then_refuse(stack: Stack) -> None:
    """Each of the functions that fold changes somebody who is stored, and comes upon somebody who is and refuses."""
    sources = ("ndjson", "back-fill", "API")
    before = {source: events_stored(stack, source) for source in sources}
    for consent in (None, False):
        for source in sources:
            event, *_ = events_of(source)
            again = {
                **event,
                "event_id": f"{source}-{consent}",
                "consent": consent,
                "timestamp": "2017-10-03T12:00:00Z",
            }
            match source:
                case "ndjson":
                    put(stack, f"events/again-{consent}.ndjson", ndjson([again]))
                case "back-fill":
                    put(stack, f"history/again-{consent}.ndjson", ndjson([again]))
                    start = client(stack, "stepfunctions").start_execution
                    start(stateMachineArn=stack.backfill_arn, name=f"again-{consent}", input="{}")
                case _:
                    assert stack.api("POST", "/events", {"events": [again]})[1]["accepted"] == 1
        if consent is None:
            for source in ("ndjson", "back-fill", "API"):
                wait_until(lambda source=source: events_stored(stack, source) > before[source], SECONDS)  # type: ignore[misc]
        else:
            for source in ("ndjson", "back-fill", "API"):
                wait_until(
                    lambda source=source: stack.api_get(f"/customers/{source}/segment")[0] == 404,  # type: ignore[misc]
                    SECONDS,
                )


def files_that_nobody_can_read(stack: Stack) -> None:
    for key in ("events/torn.ndjson.gz", "history/torn.ndjson.gz"):
        put(stack, key, b"\x1f\x8b torn")
    client(stack, "stepfunctions").start_execution(stateMachineArn=stack.backfill_arn, name="torn", input="{}")
    for key in ("events/torn.ndjson.gz", "history/torn.ndjson.gz"):
        wait_until(lambda key=key: bool(below(stack, f"quarantine/{key}/")), SECONDS)  # type: ignore[misc]


def a_long_history_is_sealed(stack: Stack) -> None:
    """By three deliveries, the second of which finds that the profile's item has become long."""
    orders = [purchase("long", number, 1 + number % 28, session_id=f"visit {number}") for number in range(90)]
    for number, some in enumerate((orders[:80], orders[80:85], orders[85:])):
        put(stack, f"events/long-{number}.ndjson", ndjson(some))
        wait_until(lambda most=some[-1]: events_stored(stack, "long") > int(most["event_id"][5:]), SECONDS)  # type: ignore[misc]
    assert [item["sk"]["S"] for item in items_of(stack, "long")] == ["profile", "sealed#0"]
    status, answer = stack.api_get("/customers/long/segment?explain=true&what_if=true")
    assert status == 200
    assert "problem" not in answer["what_would_change"]


def recommended(stack: Stack) -> tuple[int, Any]:
    """What the customer `API` is recommended, once there is a recommender."""
    if not below(stack, "recommenders/current.json"):
        assert stack.api_get("/customers/API/recommendations")[1]["error"]["code"] == "no_recommender_yet"
        publish_recommender(
            stack.s3, stack.bucket, small_recommender().to_bytes(), b"{}", recommenders.Publication(0, "", "")
        )
    wait_until(lambda: stack.api_get("/customers/API/recommendations")[0] == 200, SECONDS)
    return stack.api_get("/customers/API/recommendations?limit=5")


def a_recommender_is_published(stack: Stack) -> None:
    """Whoever did something a moment ago is recommended other things; of somebody with sealed events all is known."""
    assert recommended(stack)[0] == 200
    time.sleep(CHECK_EVERY_SECONDS)  # Whoever looked before remembers for a while that there is none.
    bought = {**purchase("hungry"), "product_id": "b1", "category": "kind b"}
    put(stack, "events/hungry.ndjson", ndjson([bought]))
    wait_until(lambda: stack.api_get("/customers/hungry/recommendations")[0] == 200, SECONDS)
    _, lists = stack.api_get("/customers/hungry/recommendations")
    assert [one["product_id"] for one in lists["buy_again"]] == ["b1"]
    assert "b1" not in {one["product_id"] for one in lists["new_for_you"]}
    assert stack.api_get("/customers/long/recommendations")[0] == 200
    assert stack.api_get("/customers/nobody/recommendations")[1]["error"]["code"] == "customer_not_found"
    live = recommenders.decode_publication(
        stack.s3.get_object(Bucket=stack.bucket, Key=recommenders.CURRENT_KEY)["Body"].read()
    )
    assert stack.api_get("/models")[1]["recommender"]["recommender_id"] == live.recommender_id


def time_goes_by(stack: Stack) -> None:
    """Somebody is made to be due, and the tick comes: again, where what went before still moves them meanwhile."""

    def is_decided() -> bool:
        stack.dynamodb.update_item(
            TableName=stack.table,
            Key={"pk": {"S": "customer#csv"}, "sk": {"S": "profile"}},
            UpdateExpression="SET due_ms = :now, decision.due_ms = :now",
            ExpressionAttributeValues={":now": {"N": "1"}},
        )
        answer = client(stack, "lambda").invoke(FunctionName=function(stack, "RefreshSegments"), Payload=b"{}")
        return bool(json.loads(answer["Payload"].read())["DueDecided"] == 1)

    wait_until(is_decided, SECONDS)


def another_model_goes_live(stack: Stack) -> None:
    live = make_bundle("20171001-cccccccc", centroids=(0.0, 1.0, 5.0))
    publish(stack.s3, live)
    version = str(live[1]["bundle_id"])
    wait_until(lambda: stack.api_get("/customers/csv/segment")[1]["model_version"] == version, SECONDS)


def tables_are_exported(stack: Stack) -> None:
    """Twice, so that the second run replaces the first; then the second loses what it knew, and writes all again."""
    started = [export(stack, "first"), export(stack, "second")]
    for key in below(stack, "reports/exports/second/part-"):
        stack.s3.delete_object(Bucket=stack.bucket, Key=key)
    started.append(export(stack, "again", run="second"))
    assert started == ["SUCCEEDED"] * 3
    rows = {row["customer_id"]: row for row in exported(stack.s3, "customers", bucket=stack.bucket)}
    assert {"csv", "long"} <= rows.keys()
    assert rows["hungry"]["buy_again"] == ["b1"]
    assert rows["csv"]["new_for_you"]


def results_are_measured(stack: Stack) -> None:
    """At the end of an export, once an exposure is among what is exported."""
    exposed = {**purchase("API", 9), "event_type": "campaign_exposure", "campaign": "spring", "arm": "control"}
    assert stack.api("POST", "/events", {"events": [exposed]})[1]["accepted"] == 1
    for attempt in range(5):
        if stack.api_get("/audiences/spring/results")[0] == 200:
            break
        assert export(stack, f"measured-{attempt}") == "SUCCEEDED"
    # Who looked before remembers for a while that there are none.
    wait_until(lambda: stack.api_get("/results")[0] == 200, SECONDS)
    wait_until(lambda: stack.api_get("/audiences/spring/results")[0] == 200, SECONDS)
    results = json.loads(stack.s3.get_object(Bucket=stack.bucket, Key=LATEST_RESULTS)["Body"].read())["results"]
    assert {one["campaign"]: one["state"] for one in results}["spring"] == "no_control_group"
    assert {*below(stack, "reports/insight/")} == {report_key(name) for name in ANSWERED}


def a_model_drifts(stack: Stack) -> None:
    """It was trained on customers with a thousand orders each, it says."""
    shoppers = [purchase(f"shopper {i}", 1, 10) for i in range(40)]
    put(stack, "events/shoppers.ndjson", ndjson(shoppers))
    wait_until(lambda: stack.api_get("/customers/shopper%2039/segment")[0] == 200, SECONDS)
    live = stack.api_get("/models")[1]["live"]["bundle_id"]
    days = [*range(0, 60, 5)]
    orders = Measure(days, [[0, 500, 0] for _ in days], edges=[999.0])
    known = Reference(FORMAT, live, parse_timestamp(STACK_CLOCK) - DAY_MS, {"feature/orders_lifetime": orders})
    put(stack, bundle_key(live, DISTRIBUTION_FILE), to_bytes(known))
    assert export(stack, "drifted") == "SUCCEEDED"
    report = json.loads(stack.s3.get_object(Bucket=stack.bucket, Key=report_key(DRIFT))["Body"].read())
    assert (report["state"], report["drifted"]) == ("drifted", ["feature/orders_lifetime"])
    assert below(stack, "reports/drift/") == [nights_key(live)]


def export(stack: Stack, name: str, **given: str) -> str:
    """How a run of the state machine ends."""
    states = client(stack, "stepfunctions")
    (machine,) = [one for one in states.list_state_machines()["stateMachines"] if one["name"].endswith("export-tables")]
    started = states.start_execution(
        stateMachineArn=machine["stateMachineArn"], name=f"export-{name}", input=json.dumps(given or {"run": name})
    )
    ended: list[str] = []

    def is_over() -> bool:
        ended.append(states.describe_execution(executionArn=started["executionArn"])["status"])
        return ended[-1] != "RUNNING"

    wait_until(is_over, SECONDS)
    return ended[-1]


def everything_kept_of_somebody_is_erased(stack: Stack) -> None:
    """Lines in exports of every kind, one beside somebody else's in quarantine, and a device that another customer uses
    as well are among it."""
    put(stack, "events/refused.ndjson", ndjson([{**purchase(name, 8), "price": -1} for name in ("csv", "another")]))
    wait_until(lambda: bool(below(stack, "quarantine/events/refused.ndjson/")), SECONDS)
    shared = {**purchase("another user", 7), "anonymous_id": "device of csv"}
    put(stack, "events/shared.ndjson", ndjson([shared]))
    for kind, write in (("csv", csv_file), ("ndjson", ndjson), ("parquet", parquet)):
        put(stack, f"exports/customers.{kind}", write([{"customer_id": "csv"}, {"customer_id": "another"}]))
    wait_until(lambda: stack.api_get("/customers/another%20user/segment")[0] == 200, SECONDS)
    for erased in ("another user", "csv", "long"):
        status, answer = stack.api("DELETE", f"/customers/{quote(erased)}")
        assert status == 202
        wait_until(lambda answer=answer: is_done(stack, answer["receipt"]), SECONDS)  # type: ignore[misc]
        assert items_of(stack, erased) == []
        assert stack.api_get(f"/customers/{quote(erased)}/recommendations")[0] == 404
    assert "csv" not in standing(stack, "hello", "ended=finished")
    wait_until(lambda: "csv" not in members(stack, "gold"), SECONDS)
    wait_until(lambda: {"csv", "long"} <= {*HUBSPOT.erased}, SECONDS)
    assert HUBSPOT.contacts.keys().isdisjoint({"csv", "long"})
    assert deliveries(stack, "csv") == []
    for table in ("customers", "orders", "exposures", "decisions", "moves", "deliveries"):
        left = {row["customer_id"] for row in exported(stack.s3, table, bucket=stack.bucket)}
        assert left.isdisjoint({"another user", "csv", "long"})
