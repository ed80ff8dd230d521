"""A bar for whoever waits long, and silence for whoever does not."""

import pytest

from training.base.progress import progress


def test_what_is_done_at_once_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("reading", 2) as advance:
        advance(1, "half")
        advance(1, "all")
    assert capsys.readouterr() == ("", "")


def test_an_error_inside_is_let_through() -> None:
    with pytest.raises(KeyError), progress("reading", 2):
        raise KeyError("x")
