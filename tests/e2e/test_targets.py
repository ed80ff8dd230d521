"""Ten targets of a shop's own, who answers a campaign and whom it changes, in one bundle on the local stack: looked up
with reasons, asked for by rules, and decided anew by another bundle with them."""

import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local.observe import read_profiles
from local.stack import Stack, local_stack
from shared.decisions.decision import Decision
from shared.events.event import parse_timestamp
from shared.features import Profiles
from shared.models.bundle import Bundle
from tests.e2e.conftest import wait_until
from tests.support.document import check_answer
from tests.support.event_files import ndjson
from tests.support.shop import OPENED, Event, shop_events
from tests.training.adoption.models import known, lightgbm_model, network_model, pycaret_model, written
from tests.training.prediction.test_uplift import approached
from tests.training.test_own_targets import OWN, SMALL, TEN, TEN_OUTPUTS, with_coupons
from training import adopt, score, table, train
from training.base.config import Config
from training.data.events import read_events

pytestmark = pytest.mark.e2e

CAMPAIGNS = """
[[target]]
name = "response"
event = "search"
campaign = "mailing"
within_days = 7
for = "exposed"

[[target]]
name = "spring"
kind = "uplift"
event = "search"
campaign = "spring"
within_days = 7
intent = "persuadable"
share = 0.2

[[target]]
name = "autumn"
kind = "uplift"
event = "search"
campaign = "autumn"
within_days = 7
"""
CONFIG = SMALL + "isotonic_minimum = 100_000\n" + OWN + TEN + CAMPAIGNS
OUTPUTS = TEN_OUTPUTS | {"churn_probability", "conversion_probability", "expected_ltv"}
OUTPUTS |= {"coupon_probability", "c1_views", "response_probability", "spring_uplift"}
CUSTOMERS = 500
CLOCK = "2024-10-28T00:00:00Z"
SECONDS = 180
SCALES: dict[str, Callable[[float], float]] = {
    "log-odds": lambda line: 1 / (1 + math.exp(-line)),
    "logarithm of the amount": math.exp,
    "difference of probabilities": float,
}


def mailed(events: list[Event]) -> list[Event]:
    """All customers get a mailing a month, which one kind of them answers more than others do."""
    more = []
    for customer in sorted({event["customer_id"] for event in events}):
        kind = int(customer) % 4
        for month in range(4, 10):
            sent = OPENED + timedelta(days=30 * month)
            base = {"customer_id": customer, "event_id": f"mailed-{customer}-{month}", "timestamp": sent.isoformat()}
            more.append({**base, "event_type": "campaign_exposure", "campaign": "mailing", "arm": "treatment"})
            if (int(customer) // 4 + month) % 10 < (6 if kind == 1 else 1):
                came = (sent + timedelta(days=1)).isoformat()
                more.append({**base, "event_type": "search", "event_id": f"{base['event_id']}-came", "timestamp": came})
    return [*events, *more]


@dataclass(frozen=True)
class Shop:
    """What its customers did, and the model of it."""

    file: Path
    model: Path
    profiles: Profiles


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("coupons")
    events = mailed(approached(with_coupons(shop_events(CUSTOMERS)), by_lot=True, planted=True))
    file = folder / "events.ndjson"
    file.write_bytes(ndjson(events))
    return Shop(file, _train(file, folder / "model", CONFIG), read_events([file]).profiles)


@pytest.fixture(scope="module")
def stack(shop: Shop) -> Iterator[Stack]:
    with local_stack(clock=CLOCK) as deployed:
        _publish(deployed, shop.model)
        deployed.s3.put_object(Bucket=deployed.bucket, Key="events/all.ndjson", Body=shop.file.read_bytes())
        wait_until(lambda: len(_decisions(deployed)) == len(shop.profiles), SECONDS)
        yield deployed


def look_up(stack: Stack, customer: str) -> dict[str, Any]:
    """The decision with its reasons."""
    status, body = stack.api_get(f"/customers/{customer}/segment?explain=true")
    check_answer("GET", "/customers/{customer_id}/segment", status, body)
    assert status == 200
    return dict(body)


def test_look_ups_tell_all_of_them_with_reasons_as_offline_scoring_has_them(stack: Stack, shop: Shop) -> None:
    for offline in _scores(shop)[:5]:
        answer = look_up(stack, offline["customer_id"])
        given = {output for output, predicted in answer["predictions"].items() if predicted is not None}
        assert given == OUTPUTS
        for output in OUTPUTS:
            predicted = answer["predictions"][output]
            assert predicted == pytest.approx(offline[output], rel=1e-6, abs=1e-6)
            about = answer["explanation"]["about"][output]
            shares = [reason["contribution"] for reason in answer["explanation"][output]]
            assert sum(shares) == pytest.approx(about["sum"], abs=1e-6)
            again = SCALES[about["scale"]](about["baseline"] + sum(shares))
            assert again == pytest.approx(predicted, rel=1e-4, abs=1e-5)
        assert answer["left_out"].keys() == {"never_probability", "autumn_uplift"}
        assert answer["left_out"]["never_probability"].startswith("only 0 rows with at least 1 hovercraft")
        assert answer["left_out"]["autumn_uplift"].startswith("not enough data: 0 were approached and 0 held back")
        assert answer["horizon_days"]["coupon_probability"] == 14
        assert answer["intent"] == offline["intent"]


@pytest.mark.parametrize(
    ("key", "output", "least", "intents"),
    [
        ("coupons", "coupon_probability", 0.3, ("coupon_lover", "likely_to_churn")),
        ("answers", "response_probability", 0.3, ("steady", "likely_to_churn")),
        ("persuadable", "spring_uplift", 0.4, ("persuadable", "loyal")),
    ],
)
def test_an_audience_asks_for_one_by_its_name(
    stack: Stack, shop: Shop, key: str, output: str, least: float, intents: tuple[str, str]
) -> None:
    rule = {"where": f"{output} > {least} and intent in {intents}"}
    status, estimate = stack.api("POST", "/audiences/preview", rule)
    assert status == 200 and estimate["size"] > 0
    assert stack.api("PUT", f"/audiences/{key}", rule)[0] == 200
    expected = {row["customer_id"] for row in _scores(shop) if row[output] > least and row["intent"] in intents}
    assert expected
    wait_until(lambda: _members(stack, key) == expected, SECONDS)
    member = next(iter(expected))
    assert key in [one["key"] for one in look_up(stack, member)["audiences"]]
    status, refused = stack.api("PUT", "/audiences/wrong", {"where": f"{output}y > 0.3"})
    assert status == 400 and output in refused["error"]["message"]


def test_another_bundle_with_them_decides_anew_on_everybody(stack: Stack, shop: Shop, tmp_path: Path) -> None:
    before = _decisions(stack)
    another = _train(shop.file, tmp_path / "another", f"seed = 8\n{CONFIG}".replace("trees = 8", "trees = 6"))
    _publish(stack, another, "--force-reason", "a test")
    bundle = Bundle.load(another)
    wait_until(lambda: {one.model_version for one in _decisions(stack).values()} == {bundle.bundle_id}, SECONDS)
    after = _decisions(stack)
    offline = {row["customer_id"]: row for row in _scores(shop, bundle)}
    assert after.keys() == before.keys() == offline.keys()
    for customer, decision in after.items():
        assert decision.predictions.keys() == OUTPUTS
        wanted = {output: offline[customer][output] for output in OUTPUTS}
        assert decision.predictions == pytest.approx(wanted, rel=1e-6, abs=1e-6)
        assert (decision.segment, decision.intent) == (offline[customer]["segment_id"], offline[customer]["intent"])
    for output in OUTPUTS:
        assert any(after[one].predictions[output] != before[one].predictions[output] for one in after), output


@pytest.mark.parametrize("make", [lightgbm_model, network_model, pycaret_model])
def test_a_model_of_others_decides_and_is_explained(
    stack: Stack, shop: Shop, tmp_path: Path, make: Callable[[Any, Any], bytes]
) -> None:
    rows = known(table.make([shop.file], None, Config()), "churn")
    given = [f"churn={written(tmp_path, make(*rows))}", "--model", str(shop.model), "--force-reason", "a test"]
    assert adopt.main([*given, "--out", str(tmp_path / "adopted")]) == 0
    _publish(stack, tmp_path / "adopted", "--force-reason", "a test")
    bundle = Bundle.load(tmp_path / "adopted")
    wait_until(lambda: look_up(stack, "1")["model_version"] == bundle.bundle_id, SECONDS)
    answer = look_up(stack, "1")
    (offline,) = [row for row in _scores(shop, bundle) if row["customer_id"] == "1"]
    assert answer["predictions"]["churn_probability"] == pytest.approx(offline["churn_probability"], abs=1e-6)
    about = answer["explanation"]["about"]["churn_probability"]
    shares = [reason["contribution"] for reason in answer["explanation"]["churn_probability"]]
    assert sum(shares) == pytest.approx(about["sum"], abs=1e-6)
    if make is lightgbm_model:
        assert "standard_error" not in about
    if make is network_model:
        assert 0 < about["standard_error"] < 1


def _train(file: Path, model: Path, config: str) -> Path:
    path = model.with_suffix(".toml")
    path.write_text(config)
    assert train.main(["--events", str(file), "--out", str(model), "--config", str(path)]) == 0
    return model


def _publish(stack: Stack, model: Path, *more: str) -> None:
    arguments = ["training.publish", "--model", str(model), "--bucket", stack.bucket, *more]
    subprocess.run([sys.executable, "-m", *arguments], env=stack.emulator.environment, check=True)


def _decisions(stack: Stack) -> dict[str, Decision]:
    """What is stored of everybody who was decided on, by customer."""
    profiles = read_profiles(stack).values()
    return {one.key.removeprefix("customer#"): one.decision for one in profiles if one.decision is not None}


def _members(stack: Stack, key: str) -> set[str]:
    members: set[str] = set()
    cursor: str | None = ""
    while cursor is not None:
        status, page = stack.api_get(f"/audiences/{key}/customers?limit=100&cursor={cursor}")
        assert status == 200
        members |= {member["customer_id"] for member in page["customers"]}
        cursor = page["cursor"]
    return members


def _scores(shop: Shop, bundle: Bundle | None = None) -> list[dict[str, Any]]:
    decided = score.score(shop.profiles, bundle or Bundle.load(shop.model), parse_timestamp(CLOCK))
    rows: list[dict[str, Any]] = decided.to_pylist()
    return rows
