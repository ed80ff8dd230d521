"""The release before can be had from the repository, or it is said why not."""

from pathlib import Path

import pytest

from local.release import NoSuchRelease, build_release


def test_a_clone_without_its_history_says_what_brings_it(tmp_path: Path) -> None:
    with pytest.raises(NoSuchRelease, match="git fetch --unshallow"):
        build_release("0" * 40, tmp_path)
