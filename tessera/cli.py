"""The command line: every command hands what follows its name to its module, which alone knows its options."""

import sys
from collections.abc import Callable
from importlib import import_module
from itertools import groupby
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from tessera.commands import COMMANDS, Command

WIDTH = 100


class InGroups(TyperGroup):
    """Lists commands by what a person wants to do."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes a section a group, whose columns are those of all others."""
        widest = max(len(command.name) for command in COMMANDS)
        for group, members in groupby(COMMANDS, key=lambda command: command.group):
            with formatter.section(group):
                formatter.write_dl([(command.name.ljust(widest), command.summary) for command in members])


class HandingOn(TyperCommand):
    """Takes all that follows the command's name as it is, `--help` included."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Leaves the arguments to the command's module."""
        ctx.args = args
        return args


def _handing_to(command: Command) -> Callable[[typer.Context], None]:
    def run(context: typer.Context) -> None:
        main = import_module(command.module).main  # only now: some take seconds to load
        try:
            status = main(context.args, context.command_path)
        except SystemExit as end:
            if not end.code:  # argparse has shown the help
                sys.stdout.write(f"\nexample:\n  {command.line}\n")
            raise
        raise typer.Exit(status)

    return run


def application() -> typer.Typer:
    """All commands, each in its group."""
    app = typer.Typer(
        cls=InGroups,
        help="Groups customers by what they do, and by what they will probably do next.",
        epilog="Every command has --help. `make help` lists what sets up, builds and tests.",
        context_settings={"max_content_width": WIDTH},
        rich_markup_mode=None,  # it would load for longer than all else
        pretty_exceptions_enable=False,  # it would show what variables hold, and that is customers'
    )
    for command in COMMANDS:
        app.command(command.name, help=command.summary, cls=HandingOn)(_handing_to(command))
    return app


def main() -> None:
    """Runs the command that the process's arguments name, or lists all."""
    application()(sys.argv[1:] or ["--help"], prog_name="tessera")
