"""A bundle with targets of the shop's own on the local stack: looked up with reasons, and asked for by a rule."""

import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.stack import Stack, local_stack
from shared.events.event import parse_timestamp
from shared.features import Profiles
from shared.models.bundle import Bundle
from tests.e2e.conftest import wait_until
from tests.support.document import check_answer
from tests.support.event_files import ndjson
from tests.support.shop import shop_events
from tests.training.adoption.models import known, network_model, written
from tests.training.conftest import CONFIG
from tests.training.test_own_targets import OWN, with_coupons
from training import adopt, score, table, train
from training.base.config import Config
from training.data.events import read_events

pytestmark = pytest.mark.e2e

UPLIFT = """
[[target]]
name = "spring"
kind = "uplift"
event = "search"
campaign = "spring"
within_days = 7
"""
CLOCK = "2024-10-28T00:00:00Z"
SECONDS = 120


@dataclass(frozen=True)
class Shop:
    """What its customers did, and the model of it."""

    file: Path
    model: Path
    profiles: Profiles


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("coupons")
    (folder / "events.ndjson").write_bytes(ndjson(with_coupons(shop_events())))
    (folder / "config.toml").write_text(CONFIG + OWN + UPLIFT)
    made = Shop(folder / "events.ndjson", folder / "model", read_events([folder / "events.ndjson"]).profiles)
    config = str(folder / "config.toml")
    assert train.main(["--events", str(made.file), "--out", str(made.model), "--config", config]) == 0
    return made


@pytest.fixture(scope="module")
def stack(shop: Shop) -> Iterator[Stack]:
    with local_stack(clock=CLOCK) as deployed:
        _publish(deployed, shop.model)
        deployed.s3.put_object(Bucket=deployed.bucket, Key="events/all.ndjson", Body=shop.file.read_bytes())
        yield deployed


def look_up(stack: Stack, customer: str) -> dict[str, Any]:
    """The decision with its reasons, once there is one."""
    path = f"/customers/{customer}/segment?explain=true"
    wait_until(lambda: stack.api_get(path)[0] == 200, SECONDS)
    status, body = stack.api_get(path)
    check_answer("GET", "/customers/{customer_id}/segment", status, body)
    return dict(body)


def test_look_ups_tell_them_with_reasons_as_offline_scoring_has_them(stack: Stack, shop: Shop) -> None:
    offline = {row["customer_id"]: row for row in _scores(shop)}
    for customer in ("0", "1", "2"):
        told = look_up(stack, customer)
        for output in ("coupon_probability", "c1_views", "churn_probability"):
            assert told["predictions"][output] == pytest.approx(offline[customer][output], abs=1e-6)
        assert told["predictions"]["never_probability"] is None
        assert told["left_out"]["never_probability"].startswith("only 0 rows with at least 1 hovercraft")
        assert told["left_out"]["spring_uplift"].startswith("not enough data: 0 were approached and 0 held back")
        assert told["horizon_days"]["coupon_probability"] == 14
        assert told["intent"] == offline[customer]["intent"]
        about = told["explanation"]["about"]["coupon_probability"]
        shares = [reason["contribution"] for reason in told["explanation"]["coupon_probability"]]
        assert sum(shares) == pytest.approx(about["sum"], abs=1e-6)
        if about["scale"] == "log-odds":
            again = 1 / (1 + math.exp(-about["baseline"] - sum(shares)))
            assert again == pytest.approx(told["predictions"]["coupon_probability"], abs=1e-5)


def test_an_audience_asks_for_one_by_its_name(stack: Stack, shop: Shop) -> None:
    look_up(stack, "0")
    rule = {"where": "coupon_probability > 0.3 and intent in ('coupon_lover', 'likely_to_churn')"}
    status, told = stack.api("POST", "/audiences/preview", rule)
    assert status == 200 and told["size"] > 0
    assert stack.api("PUT", "/audiences/coupons", rule)[0] == 200
    expected = {
        row["customer_id"]
        for row in _scores(shop)
        if row["coupon_probability"] > 0.3 and row["intent"] in ("coupon_lover", "likely_to_churn")
    }
    assert expected
    wait_until(lambda: _members(stack) == expected, SECONDS)
    member = next(iter(expected))
    assert [one["key"] for one in look_up(stack, member)["audiences"]] == ["coupons"]
    status, refused = stack.api("PUT", "/audiences/wrong", {"where": "coupon_probabilty > 0.3"})
    assert status == 400 and "coupon_probability" in refused["error"]["message"]


def test_a_model_of_others_decides_and_is_explained_with_a_stated_error(
    stack: Stack, shop: Shop, tmp_path: Path
) -> None:
    rows = known(table.make([shop.file], None, Config()), "churn")
    given = [f"churn={written(tmp_path, network_model(*rows))}", "--model", str(shop.model), "--force-reason", "a test"]
    assert adopt.main([*given, "--out", str(tmp_path / "adopted")]) == 0
    _publish(stack, tmp_path / "adopted", "--force-reason", "a test")
    bundle = Bundle.load(tmp_path / "adopted")
    wait_until(lambda: look_up(stack, "1")["model_version"] == bundle.bundle_id, SECONDS)
    told = look_up(stack, "1")
    (offline,) = [row for row in _scores(shop, bundle) if row["customer_id"] == "1"]
    assert told["predictions"]["churn_probability"] == pytest.approx(offline["churn_probability"], abs=1e-6)
    about = told["explanation"]["about"]["churn_probability"]
    shares = [reason["contribution"] for reason in told["explanation"]["churn_probability"]]
    assert 0 < about["standard_error"] < 1
    assert sum(shares) == pytest.approx(about["sum"], abs=1e-6)


def _members(stack: Stack) -> set[str]:
    found: set[str] = set()
    cursor: str | None = ""
    while cursor is not None:
        status, page = stack.api_get(f"/audiences/coupons/customers?limit=100&cursor={cursor}")
        assert status == 200
        found |= {member["customer_id"] for member in page["customers"]}
        cursor = page["cursor"]
    return found


def _publish(stack: Stack, model: Path, *more: str) -> None:
    arguments = ["training.publish", "--model", str(model), "--bucket", stack.bucket, *more]
    subprocess.run([sys.executable, "-m", *arguments], env=stack.emulator.environment, check=True)


def _scores(shop: Shop, bundle: Bundle | None = None) -> list[dict[str, Any]]:
    decided = score.score(shop.profiles, bundle or Bundle.load(shop.model), parse_timestamp(CLOCK))
    rows: list[dict[str, Any]] = decided.to_pylist()
    return rows
