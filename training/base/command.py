"""What the training commands share: times on the command line, and errors as one line and an exit status."""

import argparse
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from shared.events import mappings
from shared.events.event import parse_timestamp
from shared.events.mapping import InvalidMapping, read_mapping
from shared.events.translator import Translator
from shared.models.bundle import BundleMismatch
from training.base.errors import InputError, Refused

BAD_INPUT = 2
REFUSED = 1
"""Exit statuses."""


def timestamp(text: str) -> int:
    """UTC milliseconds of an ISO 8601 time or date, or of seconds or milliseconds since 1970."""
    try:
        return parse_timestamp(float(text) if text.replace(".", "", 1).isdigit() else text)
    except (ValueError, OverflowError) as error:
        raise InputError(f'"{text}" is not a time such as 2017-10-01 or 2017-10-01T12:00:00Z') from error


def say(*lines: str) -> None:
    """Lines to standard output."""
    sys.stdout.writelines(f"{line}\n" for line in lines)


def printable(text: str) -> str:
    """Ids and names are others' bytes, which are to move no cursor of a terminal."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def add_mapping(parser: argparse.ArgumentParser) -> None:
    """The option for event files in columns of their own."""
    built_in = f"what the columns of the files mean: a file that inspect wrote, or one of {', '.join(mappings.NAMES)}"
    parser.add_argument("--mapping", type=Path, metavar="FILE", help=built_in)


def translator(arguments: argparse.Namespace) -> Translator | None:
    """What `--mapping` says, if it was given: a file, or where there is none a mapping that comes with the product.

    Raises InputError, OSError.
    """
    path: Path | None = arguments.mapping
    if path is None:
        return None
    try:
        return Translator(read_mapping(mappings.named(path)))
    except InvalidMapping as error:
        raise InputError(f"{path}: {error}") from error


def run(
    parser: argparse.ArgumentParser,
    command: Callable[[argparse.Namespace], int | None],
    arguments: Sequence[str] | None,
) -> int:
    """Runs the command; the exit status is its own, or with one line 2 for bad input and 1 where the gate refuses.

    `arguments` are the process's own where they are None. What libraries warn of is not shown: it is said to
    programmers, and what of it matters to the user is said in our own words. Python's option `-W` has it back.
    """
    try:
        with warnings.catch_warnings():
            if not sys.warnoptions:
                warnings.simplefilter("ignore")
            status = command(parser.parse_args(arguments))
    except (InputError, BundleMismatch) as error:
        return _failed(str(error), BAD_INPUT)
    except Refused as refusal:
        return _failed(f"refused: {refusal}", REFUSED)
    except OSError as error:
        return _failed(f"{error.filename or 'file'}: {error.strerror or error}", BAD_INPUT)
    return status or 0


def _failed(message: str, status: int) -> int:
    sys.stderr.write(f"error: {' '.join(message.split())}\n")
    return status
