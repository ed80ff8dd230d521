"""What a stack meets first, by hand beside the command."""

import json
import tomllib
from dataclasses import replace

import pytest

from operations.cost import USAGE_FILE
from operations.scale import QUOTAS_FILE, Load, breaks_at, main, needs
from shared.profiles import due

USAGE = json.loads(USAGE_FILE.read_bytes())
QUOTAS = tomllib.loads(QUOTAS_FILE.read_text())["quota"]
LARGE = Load(events=50_000, customers=100_000_000, events_a_call=10, lookups=5_000)


def _needed(load: Load) -> dict[str, float]:
    return {need.quota: need.needed for need in needs(load, USAGE, QUOTAS)}


def test_requests_are_calls_and_look_ups() -> None:
    assert _needed(LARGE)["requests to the API"] == 10_000
    assert _needed(replace(LARGE, events_a_call=1))["requests to the API"] == 55_000


def test_the_index_of_who_is_due_is_bounded_by_its_shards() -> None:
    (need,) = (
        need for need in needs(LARGE, USAGE, QUOTAS) if need.quota == "units that the index of who is due writes"
    )
    assert need.limit == 1_000 * due.SHARDS
    updates = 50_000 / USAGE["live"]["events_an_update"]
    due_a_second = 100_000_000 * USAGE["due_a_day"] / 86_400
    assert need.needed == pytest.approx(updates * USAGE["live"]["index_units"] + 2 * due_a_second)


@pytest.mark.parametrize("load", [LARGE, Load(1, 1), Load(50_000, 1e8)])
def test_twice_of_everything_needs_twice_of_everything(load: Load) -> None:
    twice = _needed(Load(2 * load.events, 2 * load.customers, load.events_a_call, 2 * load.lookups))
    assert twice == {quota: pytest.approx(2 * needed) for quota, needed in _needed(load).items()}


def test_at_the_rate_that_breaks_the_scarcest_is_used_up() -> None:
    rate, first = breaks_at(LARGE, USAGE, QUOTAS)
    grown = rate / LARGE.events
    load = Load(rate, LARGE.customers * grown, LARGE.events_a_call, LARGE.lookups * grown)
    scarcest = needs(load, USAGE, QUOTAS)[0]
    assert scarcest.quota == first.quota
    assert scarcest.share == pytest.approx(1)


def test_every_quota_says_where_it_is_published_and_what_helps() -> None:
    for quota in QUOTAS:
        assert quota["source"].startswith("https://docs.aws.amazon.com/")
        assert quota["relief"]


def test_the_command_names_what_does_not_suffice_and_what_helps(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--events-a-second", "50_000", "--customers", "100_000_000", "--events-a-call", "10"]) == 0
    out = capsys.readouterr().out
    for need in needs(replace(LARGE, lookups=0), USAGE, QUOTAS):
        assert need.quota in out
        assert (f"{need.quota}: {need.relief}" in out) == (need.share > 1)
