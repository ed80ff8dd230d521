"""Makes an earlier bundle the live one again.

python -m training.rollback --bucket NAME [--to BUNDLE_ID]
"""

import argparse
import sys
from collections.abc import Sequence

from training.base import command
from training.base.errors import InputError
from training.registry.published import connect


def main(arguments: Sequence[str] | None = None, prog: str = "python -m training.rollback") -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog=prog, description="Return to an earlier bundle.")
    parser.add_argument("--bucket", required=True, metavar="NAME", help="the stack's data bucket")
    parser.add_argument("--to", metavar="BUNDLE_ID", help="the one before the live one by default")
    return command.run(parser, _run, arguments)


def _run(arguments: argparse.Namespace) -> None:
    with connect(arguments.bucket) as registry:
        live = registry.live()
        if live.bundle_id is None:
            raise InputError(f"nothing was published to {arguments.bucket} yet")
        target = arguments.to or live.content.get("previous")
        if target is None:
            raise InputError(f"{live.bundle_id} is the first bundle of {arguments.bucket}: there is none before it")
        if not registry.holds(target):
            raise InputError(f"bucket {arguments.bucket} holds no whole bundle {target}")
        registry.switch(live, target, rolled_back_from=live.bundle_id)
    command.say(f"{target} is live in {arguments.bucket}; {live.bundle_id} was before")


if __name__ == "__main__":
    sys.exit(main())
