"""Makes a trained bundle the live one, once it has passed the export gate.

python -m training.publish --model DIR --bucket NAME [--force-reason TEXT]
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from training import command, gate
from training.config import InputError
from training.registry import FILES, connect


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m training.publish", description="Publish a trained bundle.")
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="folder that training wrote")
    parser.add_argument("--bucket", required=True, metavar="NAME", help="the stack's data bucket")
    parser.add_argument(
        "--force-reason",
        metavar="TEXT",
        help="recorded with the bundle; excuses worse figures, never an export that decides otherwise than its models",
    )
    return command.run(parser, _run, arguments)


def _run(arguments: argparse.Namespace) -> None:
    if missing := [name for name in FILES if not (arguments.model / name).is_file()]:
        raise InputError(f"{arguments.model} holds no {', no '.join(missing)}; train writes it")
    bundle, parity = gate.run(arguments.model)
    command.say(f"gate passed: {parity}")
    with connect(arguments.bucket) as registry:
        registry.upload(arguments.model, bundle.bundle_id)
        live = registry.switch(bundle.bundle_id, force_reason=arguments.force_reason)
    command.say(f"{live['bundle_id']} is live in {arguments.bucket}; before it: {live['previous'] or 'none'}")


if __name__ == "__main__":
    sys.exit(main())
