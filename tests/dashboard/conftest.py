"""A shop behind a gateway, and a browser that looks at its dashboard."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page

from local.browser import browser
from local.emulator import ROOT
from shared.models.switching import FILES
from tests.conftest import BUCKET
from tests.dashboard.gateway import ROLE, Gateway, gateway
from tests.functions.conftest import Context, batch, function
from tests.functions.streams import Bus, TableStream
from tests.support.bundles import make_bundle, publish
from tests.support.event_files import ndjson, purchase

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

HOSTILE = "<img src=x onerror=alert(1)>"
"""Stands wherever people choose a name."""
PATIENCE_MS = 15_000
MODELS = {"20170801-aaaaaaaa": "2017-08-01T00:00:00Z", "20170901-bbbbbbbb": "2017-09-01T00:00:00Z"}
"""Two, the later of which is live, and since when they were."""
NOT_YET = ("/reports/", "/results", "/recommendations")
"""What there may be none of, before a first night or without a recommender: a 404, which browsers note."""


@dataclass
class Reader:
    """Somebody who looks at the dashboard, and all that the browser complained of meanwhile."""

    page: Page
    gateway: Gateway
    complaints: list[str] = field(default_factory=list)

    def open(self, view: str) -> Page:
        """The dashboard at `view`, as an address has it behind its #, once all of it is there."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.gateway.url}/dashboard#/{view}")
        self.page.wait_for_selector("main h1")
        self.settle()
        return self.page

    def heard(self, message: ConsoleMessage) -> None:
        """Notes what the browser complains of."""
        place = message.location["url"]
        if message.type in ("error", "warning") and not any(name in place for name in NOT_YET):
            self.complaints.append(f"{message.text} ({place})")

    def settle(self) -> None:
        """Waits until nothing is waited for any more."""
        self.page.wait_for_load_state("networkidle")
        self.page.wait_for_selector(".waiting", state="detached")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the page's sources, with the libraries of their lock: nobody else installs or removes any there."""
    npm = shutil.which("npm") or pytest.skip("there is no node here; .ci/run has one")
    folder = tmp_path_factory.mktemp("page") / "dashboard"
    shutil.copytree(ROOT / "dashboard", folder, ignore=shutil.ignore_patterns("node_modules"))
    command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    if subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode:
        pytest.skip("the registry of npm is out of reach")
    return folder


@pytest.fixture
def read_as(chromium: Browser, served: Gateway) -> Iterator[Callable[..., Any]]:
    """Opens a browser for a reader of a role."""
    contexts = []

    def start(role: str | None, **options: Any) -> Reader:
        headers = {ROLE: role} if role else {}
        context = chromium.new_context(extra_http_headers=headers, locale="en-US", **options)
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        reader = Reader(context.new_page(), served)
        reader.page.on("pageerror", lambda error: reader.complaints.append(str(error)))
        reader.page.on("dialog", lambda dialog: reader.complaints.append(f"dialog {dialog.message}"))
        reader.page.on("console", lambda message: reader.heard(message))
        return reader

    yield start
    for context in contexts:
        context.close()


@contextmanager
def shop_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """The gateway, which takes a header for a token."""
    monkeypatch.setenv("CALLERS", "users")
    monkeypatch.setenv("FROZEN_TIME", "2017-11-01T00:00:00Z")
    queues = {name: [url(name), url(f"{name}-dead")] for name in ("files", "live", "erasures")}
    monkeypatch.setenv("QUEUES", json.dumps(queues))
    boto3.client("secretsmanager").create_secret(Name="cursors", SecretString="a secret")
    boto3.client("sqs").create_queue(QueueName="ingest")
    with gateway() as server:
        yield server


def url(name: str) -> str:
    return str(boto3.client("sqs").create_queue(QueueName=name)["QueueUrl"])


@pytest.fixture
def served(s3: "S3Client", dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """A shop of ten customers, two models, refused lines, and names that would like to be markup."""
    history = []
    for bundle_id, at in MODELS.items():
        graph, manifest = make_bundle(bundle_id)
        manifest["segments"][0]["name"] = HOSTILE
        for name in FILES:
            s3.put_object(Bucket=BUCKET, Key=f"models/{bundle_id}/{name}", Body=b"")
        publish(s3, (graph, manifest))
        history.append({"bundle_id": bundle_id, "published_at": at})
    pointer = {**history[-1], "previous": history[0]["bundle_id"], "history": history}
    s3.put_object(Bucket=BUCKET, Key="models/current.json", Body=json.dumps(pointer).encode())
    lines: list[Any] = [
        {**purchase(str(customer), n, day=1 + n), "category": HOSTILE, "attributes": {"tier": HOSTILE}}
        for customer in range(10)
        for n in range(customer + 1)
    ]
    lines += [{**purchase(HOSTILE, n), "category": "Shoes"} for n in range(3)]
    lines += [{**purchase("7", 90 + n), "price": HOSTILE} for n in range(4)]
    Bus()
    stream = TableStream()
    s3.put_object(Bucket=BUCKET, Key="events/all.ndjson", Body=ndjson(lines))
    function("ingest_events", monkeypatch).handler(batch("events/all.ndjson"), Context())
    function("publish_transitions", monkeypatch).handler({"Records": stream.records()}, Context())
    with shop_server(monkeypatch) as server:
        yield server
