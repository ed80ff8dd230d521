"""Says in words what is stored of a customer, or of a visitor; reads, and changes nothing.

python -m tessera.show CUSTOMER [--visitor] [--stack NAME]
"""

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from operations.stack import DeployedStack, OperationError, parser, run
from shared.identity.consents import Mark
from shared.identity.keys import customer_key, visitor_key
from shared.models.manifests import Manifests
from shared.profiles.histories import unreadable
from shared.profiles.item import ItemsUnreadable
from shared.profiles.marks import LEADING, SORT_KEY, keyed_hash, mark_of
from shared.profiles.stored_profile import StoredProfile
from shared.profiles.table import ProfileTable, TableOverloaded
from tessera.words import Facts, mark_facts, profile_facts
from training.base.command import printable


def main(arguments: Sequence[str] | None = None, prog: str = "python -m tessera.show") -> int:
    """The command line."""
    made = parser(prog, "Say in words what is stored of a customer.")
    made.add_argument("customer", metavar="CUSTOMER", help="whose profile, by customer_id")
    made.add_argument("--visitor", action="store_true", help="CUSTOMER is the anonymous_id of a visitor")
    return run(_run, made, arguments)


def _run(stack: DeployedStack, given: argparse.Namespace) -> int:
    kind, key_of = ("visitor", visitor_key) if given.visitor else ("customer", customer_key)
    key = key_of(given.customer)
    profile = _profile(stack, key)
    mark = _mark(stack, key)
    if profile is None and mark is None:
        raise OperationError(f"nothing is stored of {kind} {given.customer}")
    console = Console(highlight=False)
    console.print(_printable(f"{kind.capitalize()} {given.customer}"), style="bold")
    if profile is None:
        console.print("No profile is stored.")
    else:
        console.print(_table(profile_facts(profile, _manifest(stack, profile), stack.parameters["Currency"])))
    if mark is not None:
        console.print(_table(mark_facts(mark)))
    return 0


def _profile(stack: DeployedStack, key: str) -> StoredProfile | None:
    try:
        profile = ProfileTable(stack.dynamodb, stack.resource("ProfileTable")).load([key]).get(key)
    except (ItemsUnreadable, TableOverloaded) as error:
        raise OperationError(str(error)) from error
    for problem in unreadable([profile] if profile else []).values():
        raise OperationError(problem.reason)
    return profile


def _mark(stack: DeployedStack, key: str) -> Mark | None:
    mark_key: Any = {"pk": {"S": LEADING + keyed_hash(stack.mark_secret, key)}, "sk": {"S": SORT_KEY}}
    answer = stack.dynamodb.get_item(TableName=stack.resource("ProfileTable"), Key=mark_key)
    return mark_of(answer["Item"]) if "Item" in answer else None


def _manifest(stack: DeployedStack, profile: StoredProfile) -> Any:
    if profile.decision is None:
        return {}
    return Manifests(stack.s3, stack.resource("DataBucket")).get(profile.decision.model_version, time.monotonic())


def _table(facts: Facts) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, text in facts:
        table.add_row(Text(name), _printable(text))
    return table


def _printable(text: str) -> Text:
    return Text(printable(text))


if __name__ == "__main__":
    sys.exit(main())
