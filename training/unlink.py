"""Takes the events of a visitor back from the customer they were linked to, for good.

python -m training.unlink --table NAME --visitor ID [--bucket NAME]
"""

import argparse
import sys
import time
from collections.abc import Sequence

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from shared.clock import Moment
from shared.identity.links import NoSuchLink
from shared.intake.claims import unlink
from shared.models.bundle import Bundle
from shared.models.live_bundle import LiveBundle
from shared.profiles.races import TooManyRaces
from shared.profiles.table import ProfileNotWritten, ProfileTable, TableOverloaded
from shared.profiles.unwritten import ProfilesUnreadable, ProfileTooLarge
from training.base import command
from training.base.errors import InputError
from training.registry.published import connect

_UNFINISHED = (ProfileNotWritten, ProfilesUnreadable, ProfileTooLarge, TableOverloaded, TooManyRaces)
"""The command can be given again, and goes on from there."""


def main(arguments: Sequence[str] | None = None, prog: str = "python -m training.unlink") -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog=prog, description="Undo who a visitor is.")
    parser.add_argument("--table", required=True, metavar="NAME", help="the stack's table of profiles")
    parser.add_argument("--visitor", required=True, metavar="ID", help="the visitor's anonymous_id")
    parser.add_argument("--bucket", metavar="NAME", help="the stack's data bucket, to decide on both anew at once")
    return command.run(parser, _run, arguments)


def _run(arguments: argparse.Namespace) -> None:
    now_ms = time.time_ns() // 1_000_000
    try:
        table = ProfileTable(boto3.client("dynamodb"), arguments.table)
        bundle = _live_bundle(arguments.bucket) if arguments.bucket else None
        done = unlink(table, arguments.visitor, Moment(as_of_ms=now_ms, scored_at_ms=now_ms), bundle)
    except NoSuchLink as error:
        raise InputError(f"{arguments.visitor}: {error}") from error
    except (BotoCoreError, ClientError, *_UNFINISHED) as error:
        raise InputError(f"table {arguments.table}: {error}") from error
    if done.customers:
        command.say(f"{arguments.visitor} is a visitor of their own again; later claims on them will be refused")
    else:
        command.say(f"{arguments.visitor} was unlinked before; nothing to do")


def _live_bundle(bucket: str) -> Bundle:
    with connect(bucket) as registry:
        live = LiveBundle(registry.s3, bucket)
        bundle = live.get(time.monotonic())
    if bundle is None:
        raise InputError(f"bucket {bucket}: {live.problem or 'no bundle has been published'}")
    return bundle


if __name__ == "__main__":
    sys.exit(main())
