"""The auditor sees every planted bug, or it would not see one that we made ourselves."""

from pathlib import Path

import pytest

from tests.simulation.bugs import BUGS
from tests.simulation.planting import Bug, planted
from tests.simulation.play import play, stage

SEEDS = 120
"""Tried where the one that a bug is known to come out with does not bring it out any more."""


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_the_auditor_sees_that(bug: Bug) -> None:
    _, release, _ = stage()
    with planted(bug, release):
        assert any(play(seed).findings for seed in (bug.seed, *range(SEEDS)))


def test_the_page_names_them_all() -> None:
    page = (Path(__file__).parents[2] / "docs/reliability.md").read_text()
    listed = [line[2:-1] for line in page.splitlines() if line.startswith("- ") and line[-1] in ";."]
    assert listed[: len(BUGS)] == [bug.name for bug in BUGS]
