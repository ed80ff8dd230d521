"""The simulated shop's customers behave as their kinds say."""

import csv
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from shared.durations import DAY_MS
from shared.features import FEATURE_NAMES
from tests.support.simulated import simulated
from training.data.events import read_events
from training.shop.behaviour import DAYS
from training.shop.campaign import PERSUADABLE
from training.shop.shoppers import SHOPPERS
from training.shop.wishes import CATEGORY
from training.simulator import main, simulate


def typical(feature: str, kind: str) -> float:
    shop = simulated()
    names = [shopper.name for shopper in SHOPPERS]
    return float(np.nanmean(shop.X[shop.kind == names.index(kind), FEATURE_NAMES.index(feature)]))


@pytest.mark.parametrize(
    ("kind", "feature", "least", "most"),
    [
        ("frequent_browsers", "visits_90d", 6, 20),
        ("frequent_browsers", "orders_365d", 0, 1),
        ("one_time_big_spenders", "orders_lifetime", 1, 1),
        ("one_time_big_spenders", "average_order_value_365d", 500, 5_000),
        ("seasonal_gift_buyers", "last_quarter_order_share_365d", 0.6, 1),
        ("discount_seekers", "discounted_line_share_365d", 0.8, 1),
        ("weekend_shoppers", "weekend_share_365d", 0.85, 1),
        ("style_browsers", "evening_share_365d", 0.65, 1),
        ("style_browsers", "distinct_brands_365d", 15, 100),
        ("loyal_regulars", "order_interval_mean", 8, 20),
        ("lapsing", "days_since_visit", 90, 300),
        ("lapsing", "orders_lifetime", 3, 10),
    ],
)
def test_customers_behave_as_their_kind_says(kind: str, feature: str, least: float, most: float) -> None:
    assert least <= typical(feature, kind) <= most


def test_shares_of_kinds_add_up_and_names_differ() -> None:
    assert sum(shopper.share for shopper in SHOPPERS) == pytest.approx(1)
    assert len({shopper.name for shopper in SHOPPERS}) == len(SHOPPERS)


def test_the_same_seed_gives_the_same_events_and_another_seed_others() -> None:
    (first, types), (again, _), (other, _) = (next(simulate(50, seed)) for seed in (3, 3, 4))
    assert first.equals(again)
    assert not first.equals(other)
    assert first["timestamp"].to_pylist() == sorted(first["timestamp"].to_pylist())
    assert set(first["customer_id"].to_pylist()) <= set(types["customer_id"].to_pylist())


def test_what_is_bought_was_looked_at_before_on_the_same_visit() -> None:
    events, _ = next(simulate(200))
    visits = duckdb.from_arrow(events).query(
        "events",
        """select count(*), count(*) filter (not exists (
             from events v where v.event_type = 'view_item' and v.session_id = p.session_id
               and v.product_id = p.product_id and v.timestamp < p.timestamp))
           from events p where event_type = 'purchase'""",
    )
    assert visits
    [(bought, unseen)] = visits.fetchall()
    assert bought > 500
    assert unseen == 0


@pytest.mark.parametrize("form", ["parquet", "ndjson"])
def test_every_line_is_a_valid_event_in_the_file_of_its_month(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(tmp_path), "--customers", "60", "--format", form]) == 0
    files = sorted((tmp_path / "events").iterdir())
    assert [file.name for file in files][::14] == [f"2023-11.{form}", f"2025-01.{form}"]
    read = read_events([tmp_path / "events"], currency="USD")
    assert not read.rejected
    assert f"{read.accepted:,} events of 60 customers" in capsys.readouterr().out
    assert len(read.profiles.rows) == read.accepted
    assert np.ptp(read.profiles.rows.time_ms) / DAY_MS < DAYS
    with (tmp_path / "types.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 60


def test_nobody_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path), "--customers", "0"]) == 2
    assert capsys.readouterr().err == "error: --customers must be 1 or more, not 0\n"


def test_a_campaign_changes_those_whom_it_is_said_to_change_and_nobody_else(tmp_path: Path) -> None:
    for lift in (0.4, 0.0):
        out = tmp_path / str(lift)
        arguments = ["--out", str(out), "--customers", "1500", "--format", "ndjson", "--campaign", str(lift)]
        assert main(arguments) == 0
        events = pd.read_json(out / "events" / "campaign-0.ndjson", lines=True)
        people = events[events.event_type == "campaign_exposure"].set_index("customer_id")
        people["answered"] = people.index.isin(events[events.event_type == "email_click"].customer_id)
        kind = pd.read_csv(out / "types.csv").set_index("customer_id").type
        changed = people.index.map(kind.to_dict()).isin(PERSUADABLE)
        assert len(people) == 1_500 and people.arm.eq("treatment").mean() == pytest.approx(0.5, abs=0.05)
        rates = people.groupby([changed, people.arm == "treatment"]).answered.mean()
        assert rates[True, True] - rates[True, False] == pytest.approx(lift, abs=0.08)
        assert rates[False, True] - rates[False, False] == pytest.approx(0, abs=0.06)


def test_a_campaign_that_nobody_could_answer_so_often_is_refused(tmp_path: Path) -> None:
    assert main(["--out", str(tmp_path), "--customers", "10", "--campaign", "0.95"]) == 2


def test_who_looked_at_a_category_lately_wishes_and_others_rarely_do(tmp_path: Path) -> None:
    assert main(["--out", str(tmp_path), "--customers", "150", "--wishes", "0.5"]) == 0
    asked = f"""
        with wishes as (select customer_id, timestamp as at from '{tmp_path}/events/wishes-0.parquet'),
        views as (select customer_id, epoch_ms(timestamp) as at from '{tmp_path}/events/20*.parquet'
          where event_type = 'view_item' and category = '{CATEGORY}')
        select count(*), count(*) filter (exists (select 1 from views v where v.customer_id = w.customer_id
          and v.at < w.at and v.at >= w.at - interval 31 days)) from wishes w"""
    with duckdb.connect() as connection:
        [(wishes, looked)] = connection.sql(asked).fetchall()
    assert wishes > 500
    assert looked > 0.7 * wishes
    assert main(["--out", str(tmp_path), "--wishes", "1.5"]) == 2
