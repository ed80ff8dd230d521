"""Writes the catalogue as Markdown: `python -m shared.features > docs/features.md`."""

import argparse
import sys
from collections.abc import Sequence
from itertools import groupby

from shared.features.catalogue import FEATURES, Feature

_HEAD = """\
# Features

What Tessera knows of every customer, at any instant, from the events strictly before it. {count} numbers, float32, in
this order. A share or an average has no value (NaN) where there was never anything to share or to average; models
treat that as unknown. Where only its window holds nothing, it is that of the whole history: who has been away for
long is known by what they did before. A habit is undefined until there were three visits, orders or times between
them to tell it by ([decision 34](decisions/0034-undefined-means-not-known-yet.md)). Hours, weekdays, months and days
are those of the shop's time zone; windows are of 24 hours a day. A visit is a session, or, where events carry no
session id, what has no gap of more than 30 minutes; refunds, e-mails and identification belong to no visit. A visit's
device and channel are the first that its events name; channels are shares of the visits that have one. A visit is
dated at its first event, an order at its first line, an active day at its midnight, and a window of d days holds what
is dated at most d times 24 hours before.

Made by `python -m shared.features > docs/features.md` from `shared/features/catalogue.py`.
"""


def _row(feature: Feature) -> str:
    window = "whole history" if feature.window_days is None else f"{feature.window_days} days"
    description = feature.description.replace(" UTC", "")  # it holds for the shop's own time, whichever that is
    return f"| `{feature.name}` | {description} | {feature.unit} | {window} |"


def markdown() -> str:
    """The catalogue as a page, a table a group."""
    lines = [_HEAD.format(count=len(FEATURES))]
    for group, members in groupby(FEATURES, key=lambda feature: feature.group):
        lines += [f"## {group}", "", "| name | what it says | unit | window |", "|---|---|---|---|"]
        lines += [*map(_row, members), ""]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None, prog: str = "python -m shared.features") -> int:
    """The command line."""
    argparse.ArgumentParser(prog=prog, description="Write the catalogue of features, as Markdown.").parse_args(
        arguments
    )
    sys.stdout.write(markdown())
    return 0


if __name__ == "__main__":
    sys.exit(main())
