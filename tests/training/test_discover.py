"""A feature that the catalogue lacks is found where one was planted."""

from pathlib import Path

import pytest

from shared.features import catalogue
from tests.training.discovery.test_synthesised import needs_featuretools
from training.discover import main
from training.simulator import main as simulate

WISHES = """
trees = 50
validation_slices = 2
maximum_cutoffs = 4

[[target]]
name = "wish"
event = "wish"
within_days = 30
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wishes")
    assert simulate(["--out", str(folder), "--customers", "400", "--wishes", "0.4"]) == 0
    (folder / "config.toml").write_text(WISHES)
    return folder


def discover(shop: Path, *more: str) -> int:
    return main(["--events", str(shop / "events"), "--config", str(shop / "config.toml"), *more])


def test_a_habit_that_was_planted_is_found_and_declared(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    needs_featuretools()
    assert discover(shop, "--target", "wish", "--customers", "100", "--judge", "1") == 0
    said = capsys.readouterr().out
    lines = [line.strip() for line in said.splitlines() if line.startswith("    *_") or line.startswith("    _")]
    assert lines, said
    declared = [feature for line in lines for feature in eval(f"[{line}]", vars(catalogue))]
    assert any("toys" in feature.name for feature in declared)
    assert all("f.matching(h, category='Toys')" in line for line in lines if "toys" in line)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--target", "wishes"], "wishes is none of churn, conversion, ltv, wish"),
        (["--customers", "1"], "--customers are 50 or more"),
        (["--judge", "0"], "--judge is from 1 to 100"),
        (["--target", "wish", "--as-of", "2024-01-20"], "too few|could be held out"),
        (["--target", "wish", "--python", "nowhere"], "nowhere is not there: `make featuretools`"),
    ],
)
def test_what_cannot_be_asked_is_said(
    shop: Path, more: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import re

    assert discover(shop, *more) == 2
    assert re.search(message, capsys.readouterr().err)
