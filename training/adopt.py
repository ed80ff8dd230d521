"""Takes a model that others made, as ONNX, in the place of a target's own, where it is better on the same rows.

python -m training.adopt TARGET=MODEL.onnx --model DIR --out DIR [--force-reason TEXT]
"""

import argparse
import csv
import shutil
import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path

from shared.features import FEATURE_NAMES
from shared.models.layout import MANIFEST_FILE
from training.adoption.adopting import CHALLENGER, Verdict, adopt, judge
from training.adoption.foreign import MOST_BYTES, Foreign
from training.base import command
from training.base.errors import InputError, Refused
from training.bundle import gate
from training.bundle.manifest import write_json, write_leaderboard
from training.prediction import holdout

LEADERBOARD, REPORT = "leaderboard.csv", "report.html"


def main(arguments: Sequence[str] | None = None, prog: str = "python -m training.adopt") -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog=prog, description="Adopt an ONNX model of your own for a target.")
    parser.add_argument("given", metavar="TARGET=MODEL.onnx", help="such as churn=model.onnx")
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="folder that training wrote")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write the new bundle to")
    parser.add_argument("--force-reason", metavar="TEXT", help="recorded; takes a model that is no better all the same")
    return command.run(parser, _run, arguments)


def _run(arguments: argparse.Namespace) -> None:
    name, _, path = arguments.given.partition("=")
    bundle, _ = gate.run(arguments.model)
    targets = bundle.manifest["targets"]
    if not path or not targets.get(name, {}).get("trained"):
        known = ", ".join(each for each, about in targets.items() if about["trained"])
        raise InputError(f"{arguments.given!r} is not TARGET=MODEL.onnx of a target that is predicted: {known}")
    if targets[name].get("kind") == "uplift":
        raise InputError(f"{name} is what a campaign changes: of that no model of others can be judged yet")
    if arguments.out.exists() and arguments.out.resolve() == arguments.model.resolve():
        raise InputError("--out is the folder of the bundle itself; give another")
    holdouts = holdout.load(arguments.model)
    foreign = Foreign.read(_content(Path(path)), len(FEATURE_NAMES))
    verdict = judge(foreign, bundle.manifest, name, holdouts[name])
    command.say(str(verdict))
    if not verdict.is_better and not arguments.force_reason:
        raise Refused(
            f"its {verdict.by.replace('_', ' ')} is {verdict.theirs[verdict.by]:.4g}, no better than that of the"
            f" target's own model, {verdict.ours[verdict.by]:.4g} (--force-reason takes it all the same)"
        )
    about = adopt(arguments.model, arguments.out, verdict, holdouts, Path(path).name)
    about["targets"][name]["adopted"]["force_reason"] = arguments.force_reason
    write_json(arguments.out / MANIFEST_FILE, about)
    _retell(arguments.model, arguments.out, verdict, Path(path).name)
    gate.run(arguments.out)
    command.say(f"{arguments.out}: bundle {about['bundle_id']}, in which {Path(path).name} predicts {name}")


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot read the model {path}: {error.strerror}") from error


def _retell(before: Path, out: Path, verdict: Verdict, file: str) -> None:
    """The leaderboard and the report of the bundle before, with what was adopted since."""
    with (before / LEADERBOARD).open(newline="") as opened:
        rows = [row | {"chosen": row["chosen"] == "True"} for row in csv.DictReader(opened)]
    rows = [row | {"chosen": row["chosen"] and row["task"] != verdict.target.name} for row in rows]
    new = {"task": verdict.target.name, "candidate": f"{CHALLENGER}: {file}", "chosen": True, **verdict.theirs}
    write_leaderboard(out / LEADERBOARD, [*rows, new])
    if not (before / REPORT).exists():
        return
    shutil.copy(before / REPORT, out / REPORT)
    page = (out / REPORT).read_text()
    note = f"<p><strong>Since this was written, a model of your own was adopted. {escape(str(verdict))}.</strong></p>"
    (out / REPORT).write_text(page.replace("<main>\n", f"<main>\n{note}\n", 1))


if __name__ == "__main__":
    sys.exit(main())
