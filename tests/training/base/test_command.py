"""Times on the command line, and errors as one line and an exit status."""

import argparse
import sys
import warnings

import pytest

from shared.models.bundle import BundleMismatch
from training.base import command
from training.base.errors import InputError, Refused


@pytest.mark.parametrize("text", ["2017-10-01", "2017-10-01T00:00:00Z", "1506816000", "1506816000000", "1506816000.0"])
def test_a_time_may_be_a_date_or_seconds_or_milliseconds(text: str) -> None:
    assert command.timestamp(text) == 1_506_816_000_000


@pytest.mark.parametrize("text", ["", "soon", "2017-13-01", "9" * 400, "nan"])
def test_what_is_no_time_is_answered_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match=r"is not a time such as 2017-10-01"):
        command.timestamp(text)


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (InputError("no events\nat all"), 2, "error: no events at all\n"),
        (BundleMismatch("other features"), 2, "error: other features\n"),
        (Refused("worse"), 1, "error: refused: worse\n"),
        (FileNotFoundError(2, "No such file or directory", "a.csv"), 2, "error: a.csv: No such file or directory\n"),
        (OSError("disk full"), 2, "error: file: disk full\n"),
    ],
)
def test_an_error_is_one_line_and_a_status(
    capsys: pytest.CaptureFixture[str], error: Exception, status: int, line: str
) -> None:
    def fails(_: argparse.Namespace) -> None:
        raise error

    assert command.run(argparse.ArgumentParser(), fails, []) == status
    assert capsys.readouterr().err == line


def test_what_a_library_warns_of_is_not_shown_but_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def warn(arguments: argparse.Namespace) -> None:
        warnings.warn("for programmers", UserWarning, stacklevel=1)

    for asked, count in (([], 0), (["always"], 1)):
        monkeypatch.setattr(sys, "warnoptions", asked)
        with warnings.catch_warnings(record=True) as shown:
            warnings.simplefilter("always")
            assert command.run(argparse.ArgumentParser(), warn, []) == 0
        assert len(shown) == count


def test_a_command_may_have_a_status_of_its_own() -> None:
    assert command.run(argparse.ArgumentParser(), lambda _: None, []) == 0
    assert command.run(argparse.ArgumentParser(), lambda _: 3, []) == 3


def test_a_mapping_is_a_file_or_the_name_of_one_that_comes_with_the_product() -> None:
    parser = argparse.ArgumentParser()
    command.add_mapping(parser)
    assert command.translator(parser.parse_args([])) is None
    translator = command.translator(parser.parse_args(["--mapping", "shopify"]))
    assert translator
    assert translator.mapping.columns["customer_id"] == "Email"
    with pytest.raises(InputError, match="shopfy: there is no such file, and no mapping of that name"):
        command.translator(parser.parse_args(["--mapping", "shopfy"]))
