"""The commands, by what a person wants to do; `python -m tessera.commands > docs/commands.md` writes their page."""

import sys
from dataclasses import dataclass
from itertools import groupby

BRING, TRAIN, PUBLISH = "Bring events", "Train and judge", "Publish"
ACT, LOOK, OPERATE = "Act", "Look at a customer", "Operate"


@dataclass(frozen=True)
class Command:
    """A command, whose module has a `main(arguments, prog)` that gives the exit status."""

    group: str
    module: str
    summary: str
    """The first words of the module's own help."""
    example: str
    """What follows the command's name."""

    @property
    def name(self) -> str:
        """What it is called behind `tessera`."""
        return self.module.removesuffix(".__main__").rpartition(".")[2].replace("_", "-")

    @property
    def line(self) -> str:
        """The example, as it is typed."""
        return f"uv run tessera {self.name} {self.example}".rstrip()

    @property
    def alone(self) -> str:
        """The same command without `tessera`."""
        return f"python -m {self.module.removesuffix('.__main__')}"


COMMANDS = (
    Command(BRING, "training.simulator", "Write event files of a made-up shop.", "--out my-events/ --customers 2000"),
    Command(BRING, "local.complete_journey", "Write a grocer's real purchases as event files.", "my-events/"),
    Command(
        BRING,
        "training.inspect",
        "Propose a mapping for event files in columns of their own.",
        "orders.csv --out mapping.toml",
    ),
    Command(BRING, "operations.mappings", "List, check and change the mappings of a stack.", "--put mapping.toml"),
    Command(BRING, "operations.quarantine", "Say why lines and files were refused.", "--below events/2026/"),
    Command(TRAIN, "training.train", "Train a model bundle from event files.", "--events my-events/ --out my-model/"),
    Command(
        TRAIN,
        "training.score",
        "Decide for every customer offline.",
        "--events my-events/ --model my-model/ --as-of 2026-01-01 --out scores.parquet",
    ),
    Command(
        TRAIN,
        "training.table",
        "Write the table that models are trained on.",
        "--events my-events/ --out table.parquet",
    ),
    Command(
        TRAIN,
        "training.adopt",
        "Adopt an ONNX model of your own for a target.",
        "churn=model.onnx --model my-model/ --out adopted/",
    ),
    Command(
        TRAIN,
        "training.discover",
        "Look for features that would improve a target.",
        "--events my-events/ --target churn",
    ),
    Command(
        TRAIN,
        "training.evaluate",
        "Train on the past, score, and compare with the future.",
        "--events my-events/ --as-of 2026-01-01",
    ),
    Command(
        TRAIN,
        "training.shadow",
        "Score with two bundles and compare.",
        "--events my-events/ --champion tessera-data --challenger my-model/ --as-of 2026-01-01",
    ),
    Command(
        TRAIN,
        "training.demand",
        "Forecast demand, and try that on weeks that are known.",
        "--events my-events/ --model my-model/",
    ),
    Command(
        TRAIN,
        "training.drift",
        "Say what is not as it was when the model was trained.",
        "--bucket tessera-data",
    ),
    Command(TRAIN, "shared.features.__main__", "Write the catalogue of features, as Markdown.", ""),
    Command(
        TRAIN, "training.check_features", "Hold features to a slow and obvious oracle.", "my-events/events.parquet"
    ),
    Command(
        TRAIN,
        "training.check_reasons",
        "Hold reasons, next changes and what one may do to the truth.",
        "--events my-events/ --model my-model/ --as-of 2026-01-01",
    ),
    Command(
        TRAIN,
        "training.check_segments",
        "Hold segments and their names to what is promised.",
        "--events my-events/",
    ),
    Command(
        TRAIN,
        "training.recommend",
        "Train recommendations, judge and publish them.",
        "--events my-events/ --out my-recommender/ --catalogue products.csv",
    ),
    Command(PUBLISH, "training.publish", "Publish a trained bundle.", "--model my-model/ --bucket tessera-data"),
    Command(
        PUBLISH,
        "training.learn",
        "Train on what is stored, and publish what is better.",
        "--bucket tessera-data",
    ),
    Command(PUBLISH, "training.bundles", "List the published bundles.", "--bucket tessera-data"),
    Command(PUBLISH, "training.rollback", "Return to an earlier bundle.", "--bucket tessera-data"),
    Command(
        PUBLISH,
        "training.label",
        "Show or change names and actions of segments.",
        "--bucket tessera-data --file labels.toml",
    ),
    Command(
        ACT,
        "operations.audiences",
        "List, check, try out and publish the audiences of a stack.",
        """preview "orders_365d >= 3 and region = 'DE'" """.strip(),
    ),
    Command(
        ACT,
        "operations.journeys",
        "Publish journeys, and say where everybody stands.",
        "check journeys.toml",
    ),
    Command(ACT, "operations.warehouse", "Print the SQL that makes a warehouse read the exports.", "snowflake"),
    Command(ACT, "operations.deliveries", "Say what is sent where, change that, and send again.", ""),
    Command(
        ACT,
        "tessera.results",
        "Say whether campaigns helped, beside their control groups.",
        "--events my-events/ --campaign win_back --holdout 0.1",
    ),
    Command(LOOK, "operations.dashboard", "Open the dashboard of a stack, signing with your own rights.", ""),
    Command(LOOK, "tessera.show", "Say in words what is stored of a customer.", "889"),
    Command(
        LOOK,
        "training.explain",
        "Explain a bundle's decisions.",
        "--events my-events/ --model my-model/ --customer 889",
    ),
    Command(
        LOOK,
        "training.lookalikes",
        "Find the customers most like a given one.",
        "--events my-events/ --model my-model/ --customer 889",
    ),
    Command(LOOK, "training.unlink", "Undo who a visitor is.", "--table tessera-profiles --visitor phone-1"),
    Command(OPERATE, "operations.status", "Say how a stack is doing; status 1 if it needs somebody.", ""),
    Command(
        OPERATE,
        "operations.start",
        "Decide on everyone anew, take files in, or learn.",
        "backfill --prefix history/2025/",
    ),
    Command(OPERATE, "operations.export", "Export all tables for warehouses.", "--wait"),
    Command(OPERATE, "operations.redrive", "Give what was given up another try.", "files"),
    Command(
        OPERATE,
        "operations.cost",
        "Reckon what a month costs, service by service.",
        "--events-a-month 10000000 --customers 200000 --live-share 0.5",
    ),
    Command(
        OPERATE,
        "operations.scale",
        "Say what a stack meets first as a shop grows.",
        "--events-a-second 50000 --customers 100000000 --events-a-call 10",
    ),
    Command(OPERATE, "operations.recount", "Compare sizes of segments and audiences with who is there.", "--correct"),
    Command(OPERATE, "operations.restore", "Make the table of profiles anew from the data bucket.", ""),
    Command(OPERATE, "operations.keep_marks", "Keep what marks say apart from the table.", ""),
    Command(OPERATE, "local.clock", "Move the clock of a local stack.", "2018-01-17T00:00:00Z"),
)
"""All of them, group by group."""

_HEAD = """\
# Commands

`uv run tessera` lists them, `uv run tessera COMMAND --help` says what each takes, and `uv run tessera
--install-completion` teaches your shell their names. Exit status 0 is success; 2 comes, with one line, where the input
cannot be used or AWS refuses; 1 is each command's own bad news, such as a gate that refuses a model. Those that look
after a stack take `--stack NAME`, `tessera` by default, and all find AWS as its own tools do: `make local` prints the
lines that point them at a stack on your machine. `make help` lists what sets up, builds and tests.

Made by `python -m tessera.commands > docs/commands.md` from `tessera/commands.py`.
"""


def markdown() -> str:
    """The page of all commands, a table and examples a group."""
    lines = [_HEAD]
    for group, members in groupby(COMMANDS, key=lambda command: command.group):
        commands = list(members)
        lines += [f"## {group}", "", "| command | does | also |", "|---|---|---|"]
        lines += [f"| `tessera {command.name}` | {command.summary} | `{command.alone}` |" for command in commands]
        lines += ["", "```console", *(f"$ {command.line}" for command in commands), "```", ""]
    return "\n".join(lines[:-1]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(markdown())
