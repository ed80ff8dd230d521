import argparse
import re
import shlex
import tomllib
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from local.emulator import ROOT
from tessera.commands import COMMANDS, Command, markdown

LEFT_TO_MAKE = {
    "local.browser",
    "local.demo",
    "local.flat_template",
    "local.packed",
    "local.samples",
    "local.stack",
    "local.time_passes",
}
"""They need what `make build` or `make demo` makes, or make it, or what `make test` needs."""

each_command = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)


class Parsed(Exception):
    """The arguments are what the command takes."""


@pytest.fixture
def parsing_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    parse = argparse.ArgumentParser.parse_args

    def parse_and_stop(parser: argparse.ArgumentParser, *given: Any) -> None:
        parse(parser, *given)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)


@each_command
def test_an_example_is_what_the_command_takes(command: Command, parsing_alone: None) -> None:
    with pytest.raises(Parsed):
        import_module(command.module).main(shlex.split(command.example))


@each_command
def test_help_begins_with_the_summary_and_names_the_command(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        import_module(command.module).main(["--help"], f"tessera {command.name}")
    text = " ".join(capsys.readouterr().out.split())
    assert end.value.code == 0
    assert text.startswith(f"usage: tessera {command.name} ")
    assert f" {command.summary} " in text


@each_command
def test_the_module_goes_on_as_a_command_of_its_own(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        import_module(command.module).main(["--help"])
    assert capsys.readouterr().out.startswith(f"usage: {command.alone} ")


@pytest.mark.parametrize(
    ("module", "given"),
    [
        ("training.check_features", "{missing}"),
        ("training.check_reasons", "--events {missing} --model {missing} --as-of 2026-01-01"),
        ("training.check_segments", "--events {missing}"),
    ],
)
def test_a_file_that_is_missing_is_one_line_and_status_2(
    module: str, given: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "missing"
    assert import_module(module).main(given.format(missing=missing).split()) == 2
    error = capsys.readouterr().err
    assert str(missing) in error and error.count("\n") == 1


def test_every_module_that_is_a_command_is_listed() -> None:
    files = chain.from_iterable(
        (ROOT / room).rglob("*.py") for room in ("shared", "training", "operations", "local", "tessera")
    )
    modules = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for file in files
        if re.search("^def main\\(", file.read_text(), re.MULTILINE)
    }
    assert modules - LEFT_TO_MAKE - {"tessera.cli"} == {command.module for command in COMMANDS}


def test_a_summary_takes_one_line() -> None:
    assert [command.name for command in COMMANDS if len(command.summary) > 60 or "\n" in command.summary] == []


def test_the_page_lists_the_commands_there_are() -> None:
    made_by = "run: python -m tessera.commands > docs/commands.md"
    assert (ROOT / "docs/commands.md").read_text() == markdown(), made_by


def test_it_is_built_by_the_uv_that_the_makefile_installs() -> None:
    (version,) = re.findall(r"^UV_VERSION := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]
    assert build["requires"] == [f"uv_build=={version}"]


def test_all_that_can_be_imported_is_installed() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    installed = settings["uv"]["build-backend"]["module-name"]
    assert installed == sorted(settings["importlinter"]["root_packages"])
