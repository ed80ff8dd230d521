"""The dashboard in a browser, as each role: every page and action, hostile names, and what screen readers are told."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from shared.insight.layout import DRIFT, report_key
from shared.recommending.layout import Publication
from shared.recommending.publishing import publish as publish_recommender
from tests.conftest import BUCKET
from tests.dashboard.conftest import HOSTILE, MODELS, Reader
from tests.support.recommenders import AS_OF_MS, shop_of, small_shop
from tests.training.test_drift import REPORT
from training.recommending.training import encoded, train

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PAGES = ("today", "segments", "customer/9", "audiences", "results", "predictions", "models", "data")
ROLES = ("viewer", "marketer", "operator")
FORMER, LIVE = MODELS
FIRST_CHART_MS = 1_000
LOADS = 20

type ReadAs = Callable[..., Reader]


@pytest.mark.parametrize("role", ROLES)
def test_every_page_shows_what_it_is_for_and_the_browser_complains_of_nothing(read_as: ReadAs, role: str) -> None:
    reader = read_as(role)
    for view in PAGES:
        page = reader.open(view)
        assert page.locator("nav a[aria-current=page]").count() == 1
        assert page.locator(".state.bad").count() == 0, view
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), view
    assert reader.complaints == []


@pytest.mark.parametrize("options", [{"viewport": {"width": 360, "height": 740}}, {"color_scheme": "dark"}])
def test_pages_fit_a_phone_and_a_dark_room(read_as: ReadAs, options: Any) -> None:
    reader = read_as("operator", **options)
    for view in PAGES:
        page = reader.open(view)
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), view
        if "color_scheme" in options:
            assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(15, 19, 26)"
    assert reader.complaints == []


@pytest.fixture(scope="session")
def axe(installed: Path) -> str:
    """axe-core's script, as the lock of the page has it."""
    return (installed / "node_modules/axe-core/axe.min.js").read_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(read_as: ReadAs, axe: str, scheme: str) -> None:
    # axe is put into the page as a script of its own, which the page's policy would refuse.
    reader = read_as("operator", color_scheme=scheme, bypass_csp=True)
    for view in (*PAGES, "audiences?where=tenure%20%3E%200", "customer"):
        page = reader.open(view)
        page.add_script_tag(content=axe)
        result = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        violations = [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in result["violations"]]
        assert violations == [], view


def test_hostile_names_of_segments_categories_attributes_and_customers_stay_text(read_as: ReadAs) -> None:
    reader = read_as("operator")
    for view in ("today", "segments", "segments/0", "customer/9", f"customer/{HOSTILE.replace('/', '%2F')}", "data"):
        page = reader.open(view)
        if view == "data":
            page.get_by_role("button", name="Show the refused lines").click()
            reader.settle()
        for button in page.get_by_role("button", name="Table", exact=True).all():
            button.click()
        assert HOSTILE in page.inner_text("main"), view
        assert page.locator("main img").count() == 0
    assert reader.complaints == []


def test_the_first_chart_is_there_within_a_second(read_as: ReadAs) -> None:
    """In the best of some loads, as other tests may keep the machine busy meanwhile."""
    reader = read_as("viewer")
    reader.open("segments")
    taken: list[float] = []
    while len(taken) < LOADS and min(taken, default=FIRST_CHART_MS) >= FIRST_CHART_MS:
        reader.page.goto("about:blank")
        began = time.monotonic()
        reader.page.goto(f"{reader.gateway.url}/dashboard#/segments")
        reader.page.wait_for_selector(".drawing svg")
        taken.append(1_000 * (time.monotonic() - began))
    assert min(taken) < FIRST_CHART_MS


def test_nothing_jumps_while_answers_come(read_as: ReadAs) -> None:
    reader = read_as("operator")
    reader.page.add_init_script("""
        window.jumps = 0;
        new PerformanceObserver((list) => { for (const one of list.getEntries()) window.jumps += one.value; })
            .observe({type: 'layout-shift', buffered: true});
    """)
    for view in ("segments", "models", "predictions"):
        reader.open(view)
        assert reader.page.evaluate("() => window.jumps") < 0.1, view


def test_a_chart_has_its_table_a_file_and_a_link_that_restores_the_view(read_as: ReadAs) -> None:
    reader = read_as("viewer", accept_downloads=True)
    page = reader.open("segments/2?lang=de")
    assert "Kunden je Segment" in page.inner_text("main")
    figure = page.locator("figure").first
    figure.get_by_role("button", name="Tabelle").click()
    assert figure.locator("table tbody tr").count() == 3
    with page.expect_download() as downloaded:
        figure.get_by_role("button", name="CSV").click()
    lines = Path(downloaded.value.path()).read_text("utf-8-sig").splitlines()
    assert len(lines) == 4
    assert lines[0] == "Segment,Größe,Anteil"
    assert page.url.endswith("#/segments/2?lang=de")


def test_recommendations_stand_beside_predictions_and_with_each_customer(read_as: ReadAs, s3: "S3Client") -> None:
    trained = train(shop_of(small_shop()), AS_OF_MS)
    report = trained.report()
    report["evaluation"]["all"]["hit_at_10"][HOSTILE] = [0.5, 0.25, 0.75]
    why = Publication(0, "", "")
    publish_recommender(s3, BUCKET, trained.recommender.to_bytes(), encoded(report), why)
    reader = read_as("viewer")
    page = reader.open("predictions")
    card = page.locator("section.card", has_text="Recommendations: all products")
    rows = [row.inner_text().split("\t")[0].strip() for row in card.locator("tbody tr").all()]
    assert rows == ["popularity", "own frequency", "item cosine", "TF-IDF neighbours", "Tessera", HOSTILE]
    assert "12 customers who bought from" in card.inner_text()
    assert "50% (25%\u201375%)" in card.inner_text().replace(".0", "")
    assert "b1" in reader.open("customer/9").locator("section.card", has_text="New for them").inner_text()
    assert reader.complaints == []


def test_what_moved_since_training_is_shown_beside_what_is_expected_of_predictions(
    read_as: ReadAs, s3: "S3Client"
) -> None:
    s3.put_object(Bucket=BUCKET, Key=report_key(DRIFT), Body=json.dumps(REPORT).encode())
    page = read_as("viewer").open("predictions?target=churn")
    card = page.locator("section", has_text="As in training?").last
    assert "1 moved" in card.inner_text()
    assert [cell.inner_text() for cell in card.locator("tbody td, tbody th").all()][-3:] == ["1.5", "0.004", "yes"]
    assert "0.81" in card.inner_text() and "0.79" in card.inner_text()


def test_it_goes_by_keyboard(read_as: ReadAs) -> None:
    page = read_as("viewer").open("today")
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "content"
    page.get_by_role("searchbox").focus()
    page.keyboard.type("9")
    page.keyboard.press("Enter")
    page.wait_for_selector("h2:text-is('9')")


@pytest.mark.parametrize("role", ROLES)
def test_an_audience_is_built_counted_published_and_removed_by_marketers(read_as: ReadAs, role: str) -> None:
    reader = read_as(role)
    page = reader.open("audiences")
    page.get_by_role("button", name="Add a condition").click()
    page.get_by_label("Field").fill("orders_365d")
    page.get_by_label("Field").blur()
    page.get_by_label("Comparison").select_option(">=")
    page.get_by_label("Value").fill("5")
    page.get_by_label("Value").blur()
    assert page.get_by_label("Rule").input_value() == "orders_365d >= 5"
    page.wait_for_selector(".count")
    assert page.inner_text(".count").startswith("6 of 11 customers")
    publish = page.get_by_role("button", name="Publish")
    if role == "viewer":
        assert call(reader, "PUT", "/audiences/often", {"where": "tenure >= 0"}) == 403
        return
    page.get_by_label("Key").fill("often")
    page.get_by_label("Name", exact=True).fill(HOSTILE)
    publish.click()
    page.wait_for_selector("text=often is live as version 1")
    page = reader.open("audiences/often")
    assert HOSTILE in page.inner_text("main")
    assert "often: new" in page.inner_text("main")
    page.get_by_role("button", name="Remove often").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove often").click()
    page.wait_for_selector("text=No audience yet.")
    assert reader.complaints == []


def test_a_mistake_in_a_rule_is_said_where_it_is(read_as: ReadAs) -> None:
    page = read_as("viewer").open("audiences")
    page.get_by_label("Rule").fill("churn_probabilty > 0.5")
    page.wait_for_selector("[role=alert]")
    assert "churn_probability" in page.inner_text("[role=alert]")


@pytest.mark.parametrize("role", ROLES)
def test_models_are_rolled_back_by_operators_who_confirm(read_as: ReadAs, role: str) -> None:
    reader = read_as(role)
    page = reader.open("models")
    if role != "operator":
        assert call(reader, "POST", "/models/rollback", {"to": FORMER, "from": LIVE}) == 403
        return
    page.get_by_role("button", name="Roll back to this one").click()
    dialog = page.get_by_role("dialog")
    confirm = dialog.get_by_role("button", name="Roll back")
    assert confirm.is_disabled()
    dialog.get_by_role("textbox").fill(FORMER)
    confirm.click()
    page.wait_for_selector(f"text={FORMER} is live again.")
    assert reader.complaints == []


@pytest.mark.parametrize("role", ROLES)
def test_customers_are_erased_by_operators_who_confirm(read_as: ReadAs, role: str) -> None:
    reader = read_as(role)
    page = reader.open("customer/9")
    if role != "operator":
        assert call(reader, "DELETE", "/customers/9") == 403
        return
    page.get_by_role("button", name="Erase this customer").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("8")
    confirm = dialog.get_by_role("button", name="Erase this customer")
    assert confirm.is_disabled()
    dialog.get_by_role("textbox").fill("9")
    confirm.click()
    page.wait_for_selector("text=The erasure is under way.")
    assert reader.complaints == []


@pytest.mark.parametrize("role", ROLES)
def test_refused_lines_are_for_operators(read_as: ReadAs, role: str) -> None:
    reader = read_as(role)
    page = reader.open("data")
    page.get_by_role("button", name="Show the refused lines").click()
    if role == "operator":
        page.wait_for_selector("pre")
        assert page.locator("pre").count() == 4
    else:
        page.wait_for_selector("[role=alert]")
        assert "tessera-operator" in page.inner_text("[role=alert]")


def test_who_may_nothing_is_told_what_to_do(read_as: ReadAs) -> None:
    page = read_as(None).open("segments")
    assert "Ask an administrator" in page.inner_text("[role=alert]")


def test_who_is_unknown_is_said_to_be(read_as: ReadAs) -> None:
    page = read_as("viewer").open("customer/nobody")
    assert "No event of this customer has been counted." in page.inner_text("main")


def call(reader: Reader, method: str, path: str, body: Any = None) -> int:
    """The status of a call that the page itself would make, past its buttons."""
    script = """async ([method, path, body]) =>
        (await fetch(`.${path}`, {method, body, headers: {'content-type': 'application/json'}})).status"""
    status = reader.page.evaluate(script, [method, path, body and json.dumps(body)])
    return int(re.sub(r"\D", "", str(status)))
