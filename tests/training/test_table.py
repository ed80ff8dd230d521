"""The table for other tools holds what training itself is fitted on, and not what it judges on."""

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from shared.features import FEATURE_NAMES
from tests.support.event_files import ndjson, purchase
from tests.training.conftest import Shop
from training import table
from training.base.config import Config
from training.base.target_entry import TargetEntry
from training.prediction.targets import PointsInTime, cutoffs, targets

SPAN = (1_704_067_200_000, 1_729_987_200_000)


def test_rows_are_the_slices_of_every_target_at_every_cutoff_but_the_latest(shop: Shop, tmp_path: Path) -> None:
    out = tmp_path / "table.parquet"
    assert table.main(["--events", str(shop.file), "--out", str(out), "--config", str(shop.config)]) == 0
    made = pq.read_table(out)
    assert made.column_names[3 : 3 + len(FEATURE_NAMES)] == list(FEATURE_NAMES)
    points = PointsInTime(shop.profiles)
    config = Config.load(shop.config)
    times = shop.profiles.rows.time_ms
    for target in targets(config):
        expected = cutoffs(int(times.min()), int(times.max()) + 1, target.horizon_days, config)[1:]
        known = made.filter(pc.is_valid(made[table.column(target.name)]))
        assert sorted(at.timestamp() * 1_000 for at in known["cutoff"].unique().to_pylist()) == sorted(expected)
        at = known.filter(pc.equal(known["cutoff"].cast("int64"), expected[0]))
        rows = points.slice(target, expected[0])
        assert at["customer_id"].to_pylist() == [shop.profiles.keys[i].split("#")[1] for i in rows.customers]
        np.testing.assert_array_equal(at[table.column(target.name)], rows.y)
        np.testing.assert_array_equal(np.column_stack([at[name] for name in FEATURE_NAMES]), rows.X)


@pytest.mark.parametrize("whole", [(), ("--whole",)])
def test_the_file_has_the_same_bytes_of_events_on_the_disk(shop: Shop, tmp_path: Path, whole: tuple[str]) -> None:
    arguments = ["--events", str(shop.file), "--config", str(shop.config), *whole]
    for engine in ("memory", "disk"):
        assert table.main([*arguments, "--engine", engine, "--out", str(tmp_path / engine)]) == 0
    assert (tmp_path / "disk").read_bytes() == (tmp_path / "memory").read_bytes()


def test_the_whole_table_has_the_latest_cutoff_too(shop: Shop) -> None:
    points = PointsInTime(shop.profiles)
    part, whole = (table.table(points, SPAN, Config(), whole) for whole in (False, True))
    column = table.column("churn")
    assert whole[column].null_count < len(whole) and len(whole) > len(part)
    latest = [max(each.filter(pc.is_valid(each[column]))["cutoff"].to_pylist()) for each in (part, whole)]
    assert latest[0] < latest[1]


def test_who_was_exposed_stands_as_they_were_then(tmp_path: Path) -> None:
    sent = {"event_type": "campaign_exposure", "campaign": "spring", "arm": "treatment"}
    events = [purchase(f"{i}", 100 * i + day, day=day) for i in range(120) for day in range(1, 31, 3)]
    events += [purchase(f"{i}", 9_000_000 + i, day=20, **sent) for i in range(60)]
    (tmp_path / "events.ndjson").write_bytes(ndjson(events))
    entry = TargetEntry.of({"name": "answer", "event": "purchase", "within_days": 3, "for": "exposed"})
    config = Config(target=(entry,), minimum_history_days=1, cutoff_every_days=5)
    made = table.make([tmp_path], None, config, whole=True)
    exposed = made.filter(pc.is_valid(made["target_answer"]))
    assert len(exposed) == 60
    assert set(exposed["tenure"].to_pylist()) == {19.0}


def test_too_short_a_time_is_bad_input(shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--events", str(shop.file), "--out", str(tmp_path / "t.parquet"), "--as-of", "2024-02-10"]
    assert table.main(arguments) == 2
    assert "span too few days for any target" in capsys.readouterr().err
