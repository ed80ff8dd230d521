"""Lists the mappings by which a stack reads files in columns of their own, and puts one there once it is checked.

python -m operations.mappings [--stack NAME] [--put mapping.toml --as shop-a --files 'events/a/*'] [--remove shop-a]
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from operations.stack import BAD_INPUT, DeployedStack, parser, run, say
from shared.events import mappings
from shared.events.mapping import MOST_BYTES, InvalidMapping, MappingFile, read_mapping
from shared.intake.mappings import PREFIX

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def main(arguments: Sequence[str] | None = None, prog: str = "python -m operations.mappings") -> int:
    """The command line."""
    made = parser(prog, "List, check and change the mappings of a stack.")
    change = made.add_mutually_exclusive_group()
    built_in = f"a mapping to take, once it is checked: a file, or one of {', '.join(mappings.NAMES)}"
    change.add_argument("--put", type=Path, metavar="FILE", help=built_in)
    made.add_argument("--files", metavar="PATTERN", help="keys of the objects that it is for, in place of what it says")
    made.add_argument("--as", dest="name", metavar="NAME", help="what it is called; the file's name without an ending")
    change.add_argument("--remove", metavar="NAME", help="a mapping to take away")
    return run(_run, made, arguments)


def _run(stack: DeployedStack, given: argparse.Namespace) -> int:
    s3, bucket = stack.s3, stack.resource("DataBucket")
    name = given.remove or given.name or (given.put.stem if given.put else "")
    if (given.put or given.remove) and not _NAME.fullmatch(name):
        say("a mapping's name has letters, digits, - and _, and at most 64 of them")
        return BAD_INPUT
    if given.put:
        try:
            document = mappings.named(given.put)
            if given.files is not None:
                document = mappings.with_options(document, {"files": given.files})
            mapping = read_mapping(document)
        except (OSError, InvalidMapping) as error:
            say(f"{given.put}: {error}")
            return BAD_INPUT
        # The bucket keeps versions: what it was before can be had again.
        s3.put_object(Bucket=bucket, Key=_key(name), Body=document, ContentType="application/toml")
        say(f"{name} reads {mapping.files} from now on; files that were read before are not read again")
    if given.remove:
        s3.delete_object(Bucket=bucket, Key=_key(name))
    for line in listed(s3, bucket):
        say(line)
    return 0


def listed(s3: S3Client, bucket: str) -> Iterator[str]:
    """A line for each mapping, in the order in which they are asked."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=PREFIX):
        for entry in page.get("Contents", ()):
            answer = s3.get_object(Bucket=bucket, Key=entry["Key"], Range=f"bytes=0-{MOST_BYTES}")
            name = entry["Key"].removeprefix(PREFIX).removesuffix(".toml")
            try:
                mapping: MappingFile = read_mapping(answer["Body"].read())
            except InvalidMapping as error:
                yield f"{name}: not used, {error}"
            else:
                yield f"{name}: {mapping.files}, {len(mapping.columns)} columns, since {entry['LastModified']:%Y-%m-%d}"


def _key(name: str) -> str:
    return f"{PREFIX}{name}.toml"


if __name__ == "__main__":
    sys.exit(main())
