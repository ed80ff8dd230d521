"""How soon each page of the dashboard shows something, with 100,000 customers, on a local AWS.

From the navigation to the first chart or row of a table, in a browser that has nothing of the page yet, as whoever runs
the stack: with all of an operator's rights. Also when all of it is there, and how long the slowest answer took.
`make bench OPTIONS=--dashboard` measures this alone.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.freshness import publish_bundle
from bench.row import Row
from bench.shop import AS_OF_MS, shop_events, shop_file
from bench.worker import Measurement
from local.console import step
from local.emulator import REGION, LocalStackError, tail
from local.stack import STACK_NAME, Stack, local_stack
from operations.dashboard import dashboard
from operations.stack import DeployedStack
from shared.audiences.live_audiences import LiveAudiences
from shared.clock import Moment
from shared.decisions.audience_moves import audience_moves
from shared.decisions.decision import iso
from shared.decisions.transitions import Cause, into_segment
from shared.durations import DAY_MS
from shared.events import Rules, read_file
from shared.intake.gathering import Intake
from shared.ledger.audience_rows import AudienceLedger
from shared.ledger.rows import Ledger
from shared.models.bundle import Bundle
from shared.profiles.stored_profile import StoredProfile
from shared.profiles.table import ProfileTable
from training.base.progress import progress

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CUSTOMERS = 100_000
CUSTOMERS_AT_ONCE = 5_000
EXPOSED = 10_000
"""The first ones, whose campaign is over."""
REFUSED = 50
LOADS = 10
"""Of each page, after one that is not counted, in which functions start."""
AIM_SECONDS = 1.0
PATIENCE_SECONDS = 900
SETTLED_SECONDS = 21
"""What was recorded within the last 20 is left to the next export, as template.yaml says of a local stack."""
AUDIENCE = "bought_lately"
DEFINITION = {"where": "orders_30d > 0", "holdout": 0.1}
CAMPAIGN = "come_back"
CUSTOMER = "0000007"
PAGES = {
    "today": "today",
    "segments": "segments",
    "customer": f"customer/{CUSTOMER}",
    "audiences": "audiences",
    "audience": f"audiences/{AUDIENCE}",
    "results": "results",
    "predictions": "predictions",
    "models": "models",
    "data": "data",
}
"""What is opened, by what the table calls it."""
WATCH = """() => {
  const seen = { first: null, last: null };
  window.seen = seen;
  new MutationObserver(() => {
    const page = document.querySelector("main");
    if (!page) return;
    seen.last = performance.now();
    if (seen.first === null && page.querySelector(".drawing svg, tbody td")) seen.first = seen.last;
  }).observe(document, { childList: true, characterData: true, subtree: true });
}"""
ASKED = """() => performance.getEntriesByType("resource").filter((one) => one.initiatorType === "fetch")
  .map((one) => [new URL(one.name).pathname.replace(/^.*?\\/v1/, ""), one.startTime / 1000, one.duration / 1000])"""
ALL_THERE = "() => window.seen.first !== null && !document.querySelector('main .waiting')"


def measure_dashboard(bundle: Path) -> dict[str, Measurement]:
    """Every page some times, of a shop whose customers, campaign, refused lines and export are there.

    `bundle` is the folder of a trained bundle. Raises LocalStackError where the stack does not come up or to an end, or
    there is no browser.
    """
    from local.browser import NoBrowser, browser  # it takes Playwright, which nothing else here needs

    try:
        with browser() as chromium, local_stack(clock=iso(AS_OF_MS)) as stack:
            fill(stack, bundle)
            return look(stack, chromium)
    except NoBrowser as error:
        raise LocalStackError(str(error)) from None


def dashboard_rows(measured: Mapping[str, Measurement]) -> Iterator[Row]:
    """The rows of the table."""
    for name in PAGES:
        one = measured[f"dashboard_{name}"]
        facts = one.facts
        yield Row(
            f"dashboard_{name}",
            f"Dashboard of {one.units:,} customers, {name}: first chart or row, median",
            facts["median_seconds"],
            "s",
            note=f"worst of {len(one.seconds)} {max(one.seconds):.2f} s; all of it {facts['all_median_seconds']:.2f} s,"
            f" slowest answer {facts['slowest_answer_median_seconds']:.2f} s",
        ).at_most(AIM_SECONDS)


def fill(stack: Stack, bundle: Path, customers: int = CUSTOMERS) -> None:
    """A shop that has been there for a year: its customers, a campaign with a control group, an audience, lines that
    were refused, and one export.

    Customers are written by the functions' code, but from here: through queues and streams of the local AWS so many
    would take half an hour. And they are exported as soon as all who were exposed are there: its scans take long, and
    reports are no longer for more customers.
    """
    publish_bundle(stack, bundle)
    if stack.api("PUT", f"/audiences/{AUDIENCE}", DEFINITION)[0] != 200:
        raise LocalStackError("the audience was refused")
    live = Bundle.load(bundle)
    live.audiences = LiveAudiences(stack.s3, stack.bucket, 0).get(time.monotonic())
    with step("Dropped lines that are refused"):
        refused = _ndjson({"event_type": "purchase", "customer_id": str(i)} for i in range(REFUSED))
        stack.s3.put_object(Bucket=stack.bucket, Key="events/refused.ndjson", Body=refused)
        _until(stack, lambda: _get(stack, "/quarantine")["reasons"])
    with progress("customers", customers) as advance:
        for first in range(0, customers, CUSTOMERS_AT_ONCE):
            some = min(CUSTOMERS_AT_ONCE, customers - first)
            _take_in(stack, live, first, some)
            advance(some, "")
            if first < EXPOSED <= first + some:
                time.sleep(SETTLED_SECONDS)
                _export(stack)


class _Table(ProfileTable):
    """Writes customers so that the stream tells nobody of them, and remembers them."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack.dynamodb, stack.table)
        self.written: list[StoredProfile] = []

    def save(self, profiles: Sequence[StoredProfile]) -> set[str]:
        self.written += profiles
        return super().save([replace(profile, moved=None) for profile in profiles])


def _take_in(stack: Stack, bundle: Bundle, first: int, customers: int) -> None:
    """Stores customers with their year, and their moves into a segment and into audiences."""
    table = _Table(stack)
    intake = Intake(table, bundle, Moment(AS_OF_MS, time.time_ns() // 1_000_000))
    exposed = (f"{i:07d}" for i in range(first, min(first + customers, EXPOSED)))
    files = {
        "shop.parquet": shop_file(shop_events(customers, seed=first, first_customer=first)),
        "campaign.ndjson": _ndjson(_exposure(customer) for customer in exposed),
    }
    for name, body in files.items():
        for chunk in read_file(io.BytesIO(body), name, Rules()):
            intake.add(chunk, lambda rejections: None)
    intake.flush()
    decided = [(one, one.decision) for one in table.written if one.decision]
    kept_ms = time.time_ns() // 1_000_000
    Ledger(stack.dynamodb, stack.table).record(
        [into_segment(one.key, one.version, None, decision, Cause.EVENTS) for one, decision in decided], kept_ms
    )
    AudienceLedger(stack.dynamodb, stack.table).record(
        [
            move
            for one, decision in decided
            for move in audience_moves(one.key, one.version, None, decision, Cause.EVENTS)
        ],
        kept_ms,
    )


def look(stack: Stack, chromium: Browser, customers: int = CUSTOMERS, loads: int = LOADS) -> dict[str, Measurement]:
    """Every page `loads` times, each in a browser of its own."""
    measured = {}
    with dashboard(stack.api_url, REGION, lambda: stack.emulator.credentials) as address:
        for name, view in PAGES.items():
            seen = [_load(chromium, f"{address}#/{view}") for _ in range(1 + loads)][1:]
            facts = {
                "median_seconds": np.median([one["first"] for one in seen]),
                "all_median_seconds": np.median([one["all"] for one in seen]),
                "all_worst_seconds": max(one["all"] for one in seen),
                "slowest_answer_median_seconds": np.median([one["slowest"] for one in seen]),
                "answers": len(seen[-1]["asked"]),
            }
            rounded = {fact: round(float(value), 4) for fact, value in facts.items()}
            firsts = [round(one["first"], 4) for one in seen]
            measured[f"dashboard_{name}"] = Measurement(firsts, customers, rounded, 0)
    return measured


def _load(chromium: Browser, address: str) -> dict[str, Any]:
    """One load in a browser that has kept nothing: seconds from the navigation on, and what was asked meanwhile."""
    context = chromium.new_context(locale="en-US")
    try:
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.add_init_script(f"({WATCH})()")
        page.goto(address)
        page.wait_for_function(ALL_THERE)
        page.wait_for_load_state("networkidle")
        page.wait_for_function(ALL_THERE)
        seen = page.evaluate("() => window.seen")
        asked = page.evaluate(ASKED)
        return {
            "first": seen["first"] / 1_000,
            "all": seen["last"] / 1_000,
            "slowest": max(seconds for _, _, seconds in asked),
            "asked": asked,
        }
    finally:
        context.close()


def _ndjson(lines: Iterable[Mapping[str, Any]]) -> bytes:
    return b"\n".join(json.dumps(line).encode() for line in lines)


def _exposure(customer: str) -> dict[str, Any]:
    """To a campaign whose window is over, every second of them in its control group."""
    return {
        "event_id": f"{customer}-{CAMPAIGN}",
        "event_type": "campaign_exposure",
        "timestamp": iso(AS_OF_MS - 60 * DAY_MS),
        "customer_id": customer,
        "campaign": CAMPAIGN,
        "arm": "control" if int(customer) % 2 else "treatment",
    }


def _get(stack: Stack, path: str) -> Any:
    status, answer = stack.api_get(path)
    if status != 200:
        raise LocalStackError(f"GET {path} answered {status}: {answer}")
    return answer


def _until(stack: Stack, is_so: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise LocalStackError(f"it did not come to that within {PATIENCE_SECONDS} s:\n\n{tail(stack.log)}")
        time.sleep(2)


class _Session:
    """Clients of a local AWS."""

    def __init__(self, stack: Stack) -> None:
        self._session: Any = stack.emulator.session
        self._endpoint = stack.endpoint

    def client(self, service: str, **given: Any) -> Any:
        return self._session.client(service, endpoint_url=self._endpoint, **given)


def _export(stack: Stack) -> None:
    ended = DeployedStack(STACK_NAME, _Session(stack)).execute("ExportTablesStateMachine", {}, 2.0)
    if ended != "SUCCEEDED":
        raise LocalStackError(f"the export ended as {ended}:\n\n{tail(stack.log)}")
