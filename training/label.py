"""Names, descriptions and actions of a published bundle: shown, or changed without training again.

python -m training.label --bucket NAME [--file labels.toml] [--bundle BUNDLE_ID]
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from shared.models.labels import labelled
from training.base import command
from training.base.errors import InputError
from training.registry.published import connect
from training.segmentation.labels import as_toml, labels_for, read_labels


def main(arguments: Sequence[str] | None = None, prog: str = "python -m training.label") -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Show or change names and actions of segments.",
    )
    parser.add_argument("--bucket", required=True, metavar="NAME", help="the stack's data bucket")
    parser.add_argument(
        "--file", type=Path, metavar="FILE", help="TOML file with labels; shows the current ones without"
    )
    parser.add_argument("--bundle", metavar="BUNDLE_ID", help="the live one by default")
    return command.run(parser, _run, arguments)


def _run(arguments: argparse.Namespace) -> None:
    file = read_labels(arguments.file) if arguments.file else None
    with connect(arguments.bucket) as registry:
        bundle_id = arguments.bundle or registry.live().bundle_id
        if bundle_id is None:
            raise InputError(f"nothing was published to {arguments.bucket} yet")
        manifest = registry.manifest(bundle_id)
        if file is None:
            command.say(as_toml(labelled(manifest, registry.labels(bundle_id))))
            return
        labels = labels_for(manifest, file)
        registry.label(bundle_id, labels)
    segments, actions = (len(labels.get(part, {})) for part in ("segments", "actions"))
    command.say(f"{bundle_id} in {arguments.bucket}: {segments} segments and {actions} actions have labels of yours")


if __name__ == "__main__":
    sys.exit(main())
