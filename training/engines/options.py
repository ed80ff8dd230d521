"""What the commands that can do without all events in memory have in common on the command line."""

import argparse
from functools import partial
from pathlib import Path

from training.engines.engine import Memory, Open

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
