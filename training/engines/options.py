"""What the commands that can do without all events in memory have in common on the command line."""

import argparse
from functools import partial
from pathlib import Path

from training.base.errors import InputError
from training.engines.engine import Memory, Open
from training.engines.stored import OpenStored, stored_by_spark, stored_in_memory

MEMORY, DISK, SPARK = "memory", "disk", "spark"


def add_engine(parser: argparse.ArgumentParser) -> None:
    """The options for where events are gathered."""
    parser.add_argument(
        "--engine",
        choices=(MEMORY, DISK, SPARK),
        default=MEMORY,
        help="where events are gathered: in memory, on this machine's disk, or by Spark; the default is %(default)s",
    )
    parser.add_argument(
        "--scratch",
        type=Path,
        metavar="DIR",
        help="where the engine `disk` keeps up to 200 bytes an event while it runs; temporary files' place by default",
    )


def add_stored_engine(parser: argparse.ArgumentParser) -> None:
    """The option for where what a stack has stored is read."""
    parser.add_argument(
        "--engine",
        choices=(MEMORY, SPARK),
        default=MEMORY,
        help="where customers are asked what is learned from: in memory, or by Spark; the default is %(default)s",
    )


def engine(arguments: argparse.Namespace) -> Open:
    """The engine that was asked for. Raises InputError where it is not installed."""
    # Each needs libraries of its own, which the others do without.
    if arguments.engine == DISK:
        from training.engines.disk import on_disk

        return partial(on_disk, folder=arguments.scratch)
    if arguments.engine == SPARK:
        from training.engines.spark import by_spark

        return by_spark
    return Memory.open


def stored(arguments: argparse.Namespace) -> OpenStored:
    """The engine that was asked for, of what a stack has stored. Raises InputError where none of that name can."""
    if arguments.engine == DISK:
        raise InputError(f"--engine {DISK} gathers event files; what a stack has stored is read by {MEMORY} or {SPARK}")
    return stored_by_spark if arguments.engine == SPARK else stored_in_memory
