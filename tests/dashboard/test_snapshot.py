"""The dashboard in one file: it shows what it showed, calls nobody, and lets no name of the shop out of its text."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from playwright.sync_api import Browser

from local.snapshot import save, snapshot
from tests.dashboard.conftest import HOSTILE, NOT_YET, Reader
from tests.dashboard.gateway import ROLE, Gateway

VIEWS = ("today", "segments", "segments/0", "customer/9", "audiences", "results", "predictions", "models", "data")


@pytest.fixture
def html(served: Gateway) -> str:
    def ask(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = served.answer(method, f"/v1{path}", {ROLE: "operator"}, "" if body is None else json.dumps(body))
        return answer["statusCode"], json.loads(answer["body"])

    return snapshot(ask, "2017-11-01T00:00:00Z")


def test_it_shows_every_page_and_asks_nobody(html: str, chromium: Browser, tmp_path: Path) -> None:
    path = save(html, tmp_path / "dashboard.html")
    page = chromium.new_page(locale="en-US")
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    for view in VIEWS:
        page.goto("about:blank")
        page.goto(f"file://{path}#/{view}")
        page.wait_for_selector("main h1")
        page.wait_for_selector(".waiting", state="detached")
        assert page.locator(".state.bad").count() == 0, view
        assert page.locator("main img").count() == 0
    assert complaints == []
    assert {url.partition("#")[0] for url in asked} <= {f"file://{path}"}
    page.goto(f"file://{path}#/models")
    page.reload()
    assert page.get_by_role("button", name="Roll back to this one").is_disabled()
    page.close()


def test_only_its_own_script_and_style_may_run(html: str) -> None:
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert html.index("Content-Security-Policy") < html.index("<style>")


def test_what_is_saved_is_data_whatever_it_holds(html: str) -> None:
    (data,) = re.findall(r'<script type="application/json" id="snapshot">(.*?)</script>', html, re.DOTALL)
    assert "<" not in data
    saved = json.loads(data)
    assert saved["answers"]["GET /segments"]["segments"][0]["name"] == HOSTILE
    people = {unquote(request.split("/")[2]) for request in saved["answers"] if request.startswith("GET /customers/")}
    assert HOSTILE in people


def test_a_question_is_saved_as_the_page_asks_it(read_as: Callable[..., Reader], html: str) -> None:
    reader = read_as("operator")
    reader.open("customer/9")
    reader.open("segments/2")
    asked = {f"{method} {path}" for method, path, _ in reader.gateway.seen if not path.startswith("/dashboard")}
    (data,) = re.findall(r'id="snapshot">(.*?)</script>', html, re.DOTALL)
    saved = {re.split(r"\?| \{", request)[0] for request in json.loads(data)["answers"]}
    assert {one for one in asked if not any(path in one for path in NOT_YET)} <= saved
