"""Lists, checks, tries out and publishes the audiences of a stack, and shows who published what and why.

python -m operations.audiences list|check|preview|publish|rollback|history [FILE | RULE] [--stack NAME] [--why TEXT]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tomli_w

from operations.exported import fetched, last_whole
from operations.stack import BAD_INPUT, DeployedStack, OperationError, run, say
from operations.versions import Commands, add_why, command_line, differences, read_text, reason, say_history
from shared.api.audience_preview import Instant, asks_histories, preview, sample
from shared.audiences.audience import Audiences, NotAudiences
from shared.audiences.defining import MOST_BYTES, Mistakes, as_definition, read_audiences
from shared.audiences.publishing import current, publish, put_back, versions
from shared.audiences.reading import Names, attributes_of, read_rule
from shared.audiences.rules import Rule, asks_recommendations
from shared.audiences.terms import Mistake
from shared.aws.versioned_document import EditedMeanwhile, NoSuchVersion
from shared.exports.tables import TABLES
from shared.features.time_zone import TimeZone
from shared.insight.rule_sizes import NEEDED, NotExported, rule_size
from shared.insight.tables import Tables, TooLarge
from shared.models.labels import intents_of
from shared.models.manifests import Manifests, outputs
from shared.profiles.members import Members
from shared.profiles.table import ProfileTable
from shared.recommending.live_recommender import LiveRecommender

NAMES = Names.of(outputs({}), intents_of({}))
"""What rules may ask for whatever bundle is live."""
FILE = "audiences.toml"


def main(arguments: Sequence[str] | None = None, prog: str = "python -m operations.audiences") -> int:
    """The command line."""
    description = "List, check, try out and publish the audiences of a stack."
    made, commands = command_line(prog, description, COMMANDS, FILE)
    commands["preview"].add_argument("rule", help="a rule, in quotes, or the key of an audience in --file")
    exact = "count everybody in the last export, where a sample of the stored customers is looked at otherwise"
    commands["preview"].add_argument("--exact", action="store_true", help=exact)
    commands["preview"].add_argument("--file", type=Path, default=Path(FILE), help="default: %(default)s")
    commands["rollback"].add_argument("--to", type=int, metavar="VERSION", help="default: the one before the live one")
    add_why(commands["rollback"])
    return run(_run, made, arguments)


def names_of(stack: DeployedStack) -> Names:
    """What rules may ask for in a stack: all that its live bundle predicts, among others."""
    manifest = Manifests(stack.s3, stack.resource("DataBucket")).live(now=0.0)
    return Names.of(outputs(manifest), intents_of(manifest))


def _run(stack: DeployedStack, given: argparse.Namespace) -> int:
    try:
        return COMMANDS[given.command][0](stack, given)
    except (Mistake, Mistakes, NoSuchVersion, NotAudiences) as error:
        sys.stderr.writelines(f"error: {line}\n" for line in str(error).splitlines())
        return BAD_INPUT
    except EditedMeanwhile:
        raise OperationError("others are publishing audiences just now; try again") from None


def _list(stack: DeployedStack, _given: argparse.Namespace) -> int:
    live = current(stack.s3, stack.resource("DataBucket"))
    sizes = Members(stack.dynamodb, stack.resource("ProfileTable")).audience_sizes()
    for audience in live.audiences.all:
        say(f"{audience.key}: {sizes[audience.key]:,} customers, version {audience.version}: {audience.where}")
    if not live.audiences.all:
        say(f"There is none yet; docs/audiences.md says how to write {FILE}")
    return 0


def _check(stack: DeployedStack, given: argparse.Namespace) -> int:
    audiences = _read(stack, given.file)
    for audience in audiences.all:
        attributes = attributes_of(audience.rule)
        asked = f"; asks for the attributes {', '.join(attributes)}" if attributes else ""
        say(f"{audience.key}: fine{asked}")
    return 0


def _preview(stack: DeployedStack, given: argparse.Namespace) -> int:
    where = given.rule
    if where.isidentifier() and given.file.exists():
        known = {audience.key: audience.where for audience in _read(stack, given.file).all}
        where = known.get(where, where)
    rule = read_rule(where, names_of(stack))
    if given.exact:
        say(*_counted(stack, rule))
        return 0
    table = stack.resource("ProfileTable")
    sampled, is_all = sample(stack.dynamodb, ProfileTable(stack.dynamodb, table), table, whole=asks_histories(rule))
    total = None if is_all else sum(Members(stack.dynamodb, table).sizes().values())
    zone = TimeZone.of(stack.parameters.get("TimeZone", "UTC"))
    live = LiveRecommender(stack.s3, stack.resource("DataBucket"))
    recommender = live.get(0) if asks_recommendations(rule) else None
    if live.problem:
        raise OperationError(f"what is recommended is not known: {live.problem}")
    estimate = preview(rule, sampled, total, Instant(round(datetime.now(UTC).timestamp() * 1_000), zone, recommender))
    say(*_in_words(estimate))
    return 0


def _counted(stack: DeployedStack, rule: Rule) -> list[str]:
    bucket = stack.resource("DataBucket")
    day = last_whole(stack.s3, bucket)
    with TemporaryDirectory() as folder:
        tables = [table for table in TABLES if table.name in NEEDED]
        files = {table.name: fetched(stack.s3, bucket, table, day, Path(folder)) for table in tables}
        try:
            size = rule_size(Tables(Path(folder), files), rule)
        except (NotExported, TooLarge) as error:
            raise OperationError(str(error)) from None
    share = size.inside / size.everybody if size.everybody else 0.0
    lines = [f"{size.inside:,} of {size.everybody:,} customers ({share:.1%}) in the export of {day}"]
    return lines + [f"  for example {customer}" for customer in size.examples]


def _in_words(estimate: Mapping[str, Any]) -> list[str]:
    about = "about " if estimate["estimated"] else ""
    lines = [f"{about}{estimate['size']:,} of {estimate['of']:,} customers ({estimate['share']:.1%})"]
    lines += [f"  {name} is known of {share:.0%} of them all" for name, share in estimate["attributes"].items()]
    for example in estimate["examples"]:
        values = ", ".join(f"{name} = {value}" for name, value in example["values"].items())
        lines.append(f"  for example {example['customer_id']}: {values}")
    return lines


def _publish(stack: DeployedStack, given: argparse.Namespace) -> int:
    audiences = _read(stack, given.file)
    s3, bucket = stack.s3, stack.resource("DataBucket")
    before = current(s3, bucket).audiences
    edit = partial(_instead, audiences)
    after = publish(s3, bucket, edit, reason(stack, given.why))
    if after == before:
        say(f"Version {after.version} is live and says the same")
        return 0
    say(f"Version {after.version} is live; everyone is decided on with it from now on", *_changes(before, after))
    return 0


def _instead(audiences: Audiences, live: Audiences) -> Audiences:
    return replace(audiences, version=live.version)


def _rollback(stack: DeployedStack, given: argparse.Namespace) -> int:
    after = put_back(stack.s3, stack.resource("DataBucket"), reason(stack, given.why), given.to)
    say(f"Version {after.version} is live, with {', '.join(one.key for one in after.all) or 'no audiences'}")
    return 0


def _changes(before: Audiences, after: Audiences) -> list[str]:
    return differences(before.all, after.all, edited="", gone=": all who are in it leave")


def _history(stack: DeployedStack, _given: argparse.Namespace) -> int:
    s3, bucket = stack.s3, stack.resource("DataBucket")
    live = current(s3, bucket)
    if not live.audiences.version:
        say("Nothing was ever published")
        return 0
    say_history(
        versions(s3, bucket, live),
        lambda one: one.audiences.version,
        lambda before, after: _changes(before.audiences, after.audiences),
        tomli_w.dumps(_as_file(live.audiences)),
    )
    return 0


def _as_file(audiences: Audiences) -> dict[str, Any]:
    entries = [as_definition(audience) for audience in audiences.all]
    return ({"holdout": audiences.holdout} if audiences.holdout else {}) | {"audience": entries}


def _read(stack: DeployedStack, path: Path) -> Audiences:
    return read_audiences(read_text(path, MOST_BYTES), names_of(stack))


COMMANDS: Commands = {
    "list": (_list, "The live audiences and how many customers are in each."),
    "check": (_check, "Whether a file could be published, with all mistakes at once."),
    "preview": (_preview, "How many customers a rule holds of, with examples."),
    "publish": (_publish, "Make what a file says the live audiences."),
    "rollback": (_rollback, "Make an earlier version the live one again."),
    "history": (_history, "Who published which version, when and why."),
}


if __name__ == "__main__":
    sys.exit(main())
