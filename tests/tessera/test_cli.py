import subprocess
import sys
from itertools import pairwise
from unittest.mock import Mock

import pytest
from typer.testing import CliRunner, Result

from tessera.cli import application
from tessera.commands import COMMANDS

HEAVY = ("boto3", "numpy", "onnxruntime", "pandas", "pydantic", "rich", "sklearn")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(application(), arguments, prog_name="tessera")


def test_it_lists_every_command_on_a_line_below_what_it_is_for() -> None:
    lines = [line.strip() for line in run("--help").output.splitlines()]
    for command in COMMANDS:
        (at,) = [i for i, line in enumerate(lines) if line.split(maxsplit=1) == [command.name, command.summary]]
        groups = [line for line in lines[:at] if line.endswith(":")]
        assert groups[-1] == f"{command.group}:"


def test_groups_are_not_torn() -> None:
    changes = [after.group for before, after in pairwise(COMMANDS) if before.group != after.group]
    assert len(changes) == len({*changes})


def test_without_a_command_it_lists_them() -> None:
    listed = subprocess.run([sys.executable, "-m", "tessera"], capture_output=True, text=True, check=True)
    assert listed.stdout.startswith("Usage: tessera [OPTIONS] COMMAND [ARGS]...")


def test_the_list_loads_no_library_that_a_command_needs() -> None:
    code = "import sys, atexit; atexit.register(lambda: print(*sys.modules)); import tessera.__main__"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "typer" in loaded
    assert [name for name in HEAVY if name in loaded] == []


def test_help_of_a_command_is_its_modules_with_an_example() -> None:
    result = run("rollback", "--help")
    assert result.exit_code == 0
    assert result.output.startswith("usage: tessera rollback [-h] --bucket NAME [--to BUNDLE_ID]")
    assert result.output.endswith("\nexample:\n  uv run tessera rollback --bucket tessera-data\n")


def test_arguments_reach_the_module_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    main = Mock(return_value=1)
    monkeypatch.setattr("training.rollback.main", main)
    assert run("rollback", "a", "--to", "--", "-b=", "--help").exit_code == 1
    main.assert_called_once_with(["a", "--to", "--", "-b=", "--help"], "tessera rollback")


def test_wrong_arguments_are_status_2_and_show_no_example() -> None:
    result = run("rollback")
    assert result.exit_code == 2
    assert "tessera rollback: error: the following arguments are required: --bucket" in result.output
    assert "example" not in result.output


def test_a_command_that_does_not_exist_is_status_2() -> None:
    result = run("trian")
    assert result.exit_code == 2
    assert "No such command 'trian'" in result.output


def test_names_are_completed_by_the_shell() -> None:
    asked = {"_TESSERA_COMPLETE": "complete_bash", "COMP_WORDS": "tessera check", "COMP_CWORD": "1"}
    completed = subprocess.run([sys.executable, "-m", "tessera"], env=asked, capture_output=True, text=True, check=True)
    assert completed.stdout.split() == ["check-features", "check-reasons", "check-segments"]
