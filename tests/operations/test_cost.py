"""What a month costs, by hand beside the command."""

import json
import tomllib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from operations import cost
from operations.cost import PRICES_FILE, USAGE_FILE, Shop, main, naive, platform_fee, priced, uses

USAGE = json.loads(USAGE_FILE.read_bytes())
PRICES = tomllib.loads(PRICES_FILE.read_text())
NOBODY = Shop(events=0, customers=0)


def _used(shop: Shop) -> Counter[str]:
    """What a shop uses beyond what nobody does."""
    used: Counter[str] = Counter()
    for sign, each in ((1, shop), (-1, NOBODY)):
        for service, what, amount in uses(each, USAGE):
            used[f"{service} {what}"] += sign * amount  # type: ignore[assignment]
    return used


def _total(shop: Shop) -> float:
    return sum(line.dollars for line in priced(uses(shop, USAGE), PRICES))


def test_events_of_files_cost_what_their_updates_use() -> None:
    shop = Shop(events=1_000_000, customers=0, files=30, events_an_update=4)
    used = _used(shop)
    measured = USAGE["file"]
    assert used["dynamodb reads"] == pytest.approx(250_000 * measured["read_units"])
    moves = 250_000 * measured["moved"]
    units = 250_000 * (measured["write_units"] + measured["index_units"]) + moves * cost.MOVE_UNITS
    assert used["dynamodb writes"] == pytest.approx(units)
    assert used["eventbridge events"] == pytest.approx(moves)
    assert used["s3 gets"] == 30
    assert used["api_gateway requests"] == 0


def test_live_events_pay_for_their_requests() -> None:
    used = _used(Shop(events=1_000, customers=0, live_share=1, events_a_call=5))
    assert used["api_gateway requests"] == 200
    assert used["s3 puts"] == 20


def test_a_look_up_is_one_request_and_half_a_unit() -> None:
    used = _used(replace(NOBODY, lookups=100))
    assert (used["api_gateway requests"], used["dynamodb reads"]) == (100, 50)


@pytest.mark.parametrize("shop", [NOBODY, Shop(10_000_000, 200_000), Shop(10_000_000, 200_000, live_share=0.5)])
def test_more_of_anything_is_never_cheaper(shop: Shop) -> None:
    for more in (
        replace(shop, events=shop.events + 1e6),
        replace(shop, customers=shop.customers + 1e5),
        replace(shop, lookups=shop.lookups + 1e6),
    ):
        assert _total(more) > _total(shop)


def test_events_in_files_cost_a_quarter_of_a_call_a_read_and_a_write_each() -> None:
    shop = Shop(events=100_000_000, customers=1_000_000)
    other = sum(line.dollars for line in priced(naive(shop, USAGE), PRICES))
    assert _total(shop) < other / 4


def test_a_list_price_is_paid_tier_by_tier() -> None:
    platform = {"fee": 120.0, "included": 10, "tiers": [{"until": 20, "each": 2.0}, {"until": 1e9, "each": 1.0}]}
    assert [platform_fee(n, platform) for n in (0, 10, 15, 20, 25)] == [120, 120, 130, 140, 145]


def test_what_a_stack_always_has_is_what_the_template_has() -> None:
    always = {line.service: line.quantity for line in priced(uses(NOBODY, USAGE), PRICES)}
    assert always["cloudwatch: alarms"] > 40
    assert always["cloudwatch: dashboards"] == 1
    assert always["secrets_manager: secrets"] == 2, "of marks, and of cursors and offers"
    assert f"MemorySize: {round(cost.INTAKE_GB * 1_024)}" in cost.TEMPLATE.read_text()


def test_the_command_names_every_service_and_the_sum(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--events-a-month", "10_000_000", "--customers", "200,000", "--lookups-a-month", "1000000"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    for service in PRICES:
        if isinstance(PRICES[service], dict) and service != "platform":
            assert f"{service}: " in out, service
    assert main([*arguments, "--json"]) == 0
    costs = json.loads(capsys.readouterr().out)
    assert costs["total"] == pytest.approx(sum(line["dollars"] for line in costs["lines"]), abs=0.01)
    assert f"{costs['total']:,.2f}" in out


@pytest.mark.parametrize("wrong", ["-1", "nan", "many", "inf"])
def test_numbers_that_are_none_are_refused(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["--events-a-month", wrong, "--customers", "1"])
    assert refused.value.code == 2
    assert "--events-a-month" in capsys.readouterr().err


def test_prices_that_lack_something_are_refused_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "prices.toml").write_text("[lambda]\n")
    assert main(["--events-a-month", "1", "--customers", "1", "--prices", str(tmp_path / "prices.toml")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
