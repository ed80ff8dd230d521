"""What is promised of segments is counted anew, by their names alone, and a promise that is broken is said."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.features import FEATURES, features
from tests.training.conftest import Shop
from training import check_segments, train
from training.base.config import Config
from training.check_segments import broken, meanings, shares
from training.data.preparation import Matrix
from training.segmentation.naming import Segment, catalogue
from training.segmentation.segments import Segmentation, fit_segments


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Loyal regulars", [["Loyal regulars"]]),
        ("Weekend loyal regulars", [["Weekend", "Loyal regulars"]]),
        ("Seldom seen direct customers", [["Seldom seen", "Direct", "Customers"]]),
        ("Discount seekers", [["Discount seekers"]] * 2),
        ("Customers", []),
        ("Unusual customers", []),
        ("Segment 3", []),
    ],
)
def test_a_name_is_read_word_by_word(name: str, words: list[list[str]]) -> None:
    assert [[part.name for part in parts] for parts in meanings(name)] == words


@pytest.fixture(scope="module")
def config(shop: Shop) -> Config:
    return Config.load(shop.config)


@pytest.fixture(scope="module")
def everyone(shop: Shop, config: Config) -> Matrix:
    profiles, window = train.customers([shop.file], None, config)
    return features(profiles, window.as_of_ms)


@pytest.fixture(scope="module")
def segmentation(everyone: Matrix, config: Config) -> Segmentation:
    return fit_segments(everyone, config, FEATURES)


@pytest.fixture(scope="module")
def segments(segmentation: Segmentation, everyone: Matrix) -> Sequence[Segment]:
    return catalogue(segmentation, everyone)[0]


def test_what_training_makes_keeps_every_promise(
    segmentation: Segmentation, segments: Sequence[Segment], everyone: Matrix, config: Config
) -> None:
    true_of = shares(segmentation, segments, everyone)
    assert len(true_of) > 1
    assert broken(segmentation, segments, true_of, config) == []


def false_name(segments: list[Segment]) -> tuple[list[Segment], dict[str, Any]]:
    return [replace(segments[0], name="One-time big spenders"), *segments[1:]], {}


def false_share(segments: list[Segment]) -> tuple[list[Segment], dict[str, Any]]:
    one = next(i for i, segment in enumerate(segments) if segment.true_of)
    better = replace(segments[one], true_of={"members": 1.0, "others": 0.0})
    return [*segments[:one], better, *segments[one + 1 :]], {}


def one_name(segments: list[Segment]) -> tuple[list[Segment], dict[str, Any]]:
    return [replace(segments[0], name=segments[1].name.upper()), *segments[1:]], {}


def a_giant(segments: list[Segment]) -> tuple[list[Segment], dict[str, Any]]:
    return [replace(segments[0], size=99_999), *segments[1:]], {}


def too_few(segments: list[Segment]) -> tuple[list[Segment], dict[str, Any]]:
    return segments, {"fewest_segments": len(segments) + 1, "most_segments": 9}


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (false_name, "One-time big spenders is true of"),
        (false_share, "is said to be true of 100.0%, and is of"),
        (one_name, "two segments have one name"),
        (a_giant, "is sound and has none as large"),
        (too_few, "segments, not"),
    ],
)
def test_a_broken_promise_is_said(
    plant: Callable[[list[Segment]], tuple[list[Segment], dict[str, Any]]],
    said: str,
    segmentation: Segmentation,
    segments: Sequence[Segment],
    everyone: Matrix,
    config: Config,
) -> None:
    planted, options = plant(list(segments))
    true_of = shares(segmentation, planted, everyone)
    wrong = broken(segmentation, planted, true_of, replace(config, **options))
    assert said in "; ".join(wrong)


def test_too_many_unusual_customers_are_said(everyone: Matrix, config: Config) -> None:
    asked = replace(config, clustering="dbscan")
    by_density = fit_segments(everyone, asked, FEATURES)
    segments, _ = catalogue(by_density, everyone)
    wrong = broken(by_density, segments, shares(by_density, segments, everyone), replace(config, most_unusual=0.0))
    assert "of the customers are unusual, above most_unusual" in "; ".join(wrong)


def test_the_command_puts_its_table_into_a_page_and_says_that_all_is_kept(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- shop: segments -->\n<!-- shop: segments -->\nafter\n")
    arguments = ["--events", str(shop.file), "--config", str(shop.config), "--name", "shop", "--table", str(page)]
    assert check_segments.main(arguments) == 0
    assert "Every name is true of two in three, and all bounds are kept." in capsys.readouterr().out
    text = page.read_text()
    assert text.startswith("before\n<!-- shop: segments -->\n**shop**, as of 2024-10-2") and text.endswith("after\n")
    assert "| segment | customers | its name is true of | and of others |" in text
