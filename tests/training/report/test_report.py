"""report.html in a real browser: whole without a network, without a complaint, readable by eye and by ear."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from local.browser import browser
from training.report.page import _moves

SECTIONS = ["Segments", "Profiles", "Map", "Predictions", "Reasons", "Actions", "Choice", "Proof", "Origin"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, chromium: Browser, model: Path) -> Iterator[Page]:
    """The report as it opens; nothing may complain, and nothing be asked of another place."""
    complaints: list[str] = []
    asked: list[str] = []
    with chromium.new_page(color_scheme=request.param, viewport={"width": 1280, "height": 900}) as page:
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(error.message))
        page.on("request", lambda sent: asked.append(sent.url))
        page.goto((model / "report.html").as_uri())
        yield page
        assert complaints == []
        assert [url for url in asked if not url.startswith("data:")] == [(model / "report.html").as_uri()]


def test_every_section_is_linked_and_shown(page: Page) -> None:
    links = page.get_by_role("navigation").get_by_role("link")
    assert links.all_inner_texts() == SECTIONS
    for link in links.all():
        link.click()
        section = page.locator(page.evaluate("location.hash"))
        assert section.is_visible() and section.get_by_role("heading").first.is_visible()


def test_every_segment_is_named_described_and_mapped(page: Page, model: Path) -> None:
    segments = json.loads((model / "manifest.json").read_text())["segments"]
    rows = page.locator("#segments tbody tr")
    assert rows.count() == len(segments)
    for segment in segments:
        name = f"{segment['id']} {segment['name']}"
        (text,) = (t for t in rows.all_inner_texts() if t.startswith(name))
        assert segment["description"] in text and f"{segment['size']:,}" in text
        assert name in page.locator("#map .legend li").all_inner_texts()
        heads = page.locator("#profiles thead th").all_inner_texts()
        assert name in [" ".join(head.split()) for head in heads]


def test_every_plot_is_drawn_and_can_be_read_aloud(page: Page) -> None:
    plots = page.get_by_role("img")
    assert plots.count() == 1 + 3 * 3 + 3 * 3
    for plot in plots.all():
        box = plot.bounding_box()
        assert box is not None and box["width"] > 200 and box["height"] > 150
        assert len(plot.get_attribute("aria-label") or "") > 20


def test_drivers_of_every_prediction_and_segment_are_told(page: Page, model: Path) -> None:
    segments = json.loads((model / "manifest.json").read_text())["segments"]
    why = page.locator("#reasons")
    assert why.locator("article").count() == 3
    assert why.locator("article tbody tr").count() >= 3 * 3
    rows = why.locator("table").last.locator("tbody tr").all_inner_texts()
    assert [row.split("\t")[0].strip() for row in rows] == [f"{s['id']} {s['name']}" for s in segments]
    assert all("typical: " in row for row in rows)


def test_every_table_says_what_its_rows_and_columns_are(page: Page) -> None:
    for table in page.locator("table").all():
        assert table.locator("thead th[scope=col]").count() > 1
        rows = table.locator("tbody tr")
        assert rows.count() == table.locator("tbody th").count()


def test_text_stands_out_from_what_is_behind_it(page: Page) -> None:
    """At least 4.5 to 1, as the Web Content Accessibility Guidelines 2.2 want it."""
    for place in ("body", ".lead", "nav a", ".tiles dt", ".caption"):
        ink, paper = page.locator(place).first.evaluate(
            "e => { let b = e; const clear = 'rgba(0, 0, 0, 0)';"
            " while (getComputedStyle(b).backgroundColor === clear && b.parentElement) b = b.parentElement;"
            " return [getComputedStyle(e).color, getComputedStyle(b).backgroundColor]; }"
        )
        lighter, darker = sorted((luminance(ink), luminance(paper)), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, place


def luminance(colour: str) -> float:
    channels = (int(value) / 255 for value in re.findall(r"\d+", colour)[:3])
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("width", [390, 768, 1920])
def test_it_fits_a_telephone_and_a_large_screen(chromium: Browser, model: Path, width: int) -> None:
    with chromium.new_page(viewport={"width": width, "height": 800}) as page:
        page.goto((model / "report.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_who_moves_is_shown_where_a_bundle_went_before(model: Path) -> None:
    about = json.loads((model / "manifest.json").read_text())
    first, second = about["segments"][0], about["segments"][1]
    identity = {"previous": "20240101-older", "moved": 0.125, "new": [first["id"]], "gone": [99]}
    about["identity"] = {**identity, "splits": [], "merges": [{"from": [97, 98], "into": second["id"]}]}
    shown = _moves(about)
    assert "20240101-older" in shown and "12.5%" in shown and "87.5%" in shown
    assert first["name"] in shown and f"97 (gone) and 98 (gone) in {second['id']} {second['name']}" in shown
    assert "Who moves" not in (model / "report.html").read_text()


def test_it_is_small_enough_to_send(model: Path) -> None:
    assert (model / "report.html").stat().st_size < 2_000_000
