"""All benchmarks: `python -m bench`, or `make bench`. The table is shown and put into bench/README.md; results.json
beside it holds everything.

Each measurement runs in a process of its own on one core. Contenders take turns, so that a busy minute of the machine
troubles both, and the best time of each counts.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterable

from bench.costs import cost_rows
from bench.dashboard import dashboard_rows, measure_dashboard
from bench.file_tasks import FILE_TASKS
from bench.freshness import freshness_rows, measure_freshness
from bench.growth import SOON, growth_rows, measure_growth
from bench.imports import CLIENT, ROOT, USUAL, functions, import_rows, import_seconds, is_built, peer_seconds, size_rows
from bench.own_models import CAMPAIGNS, DISCOVERY, OWN_MODELS, own_rows, runs_here
from bench.reasons import bundle_folder
from bench.report import markdown, refresh, table, write
from bench.row import Row
from bench.rows import stream_rows, task_rows
from bench.rule_change import measure_rule_change, rule_change_rows
from bench.scale import measure_scale, scale_rows
from bench.sending import measure_sending, sending_rows
from bench.tasks import TASKS
from bench.training import measure_training, training_rows
from bench.usage import measure_usage, usage_rows
from bench.work import Inputs
from bench.worker import Measurement, measure
from local.complete_journey import read_lines
from local.console import console, step
from local.emulator import LocalStackError
from operations.cost import USAGE_FILE
from training.base.progress import progress

RESULTS = ROOT / "bench/results.json"
PAGE = ROOT / "bench/README.md"
PURCHASES = ROOT / "build/bench/complete-journey.parquet"
ROUNDS = 2
IMPORT_ROUNDS = 3
REPEATS = 3
STREAMS = (50, 100, 200, 400)
FIVE_GIGABYTES = 5_000
_STREAM = "take_in_stream"
_ONCE_A_ROUND = (
    *FILE_TASKS, "shop_file_to_features", "pandas_shop_file", "day_file", "pandas_day_file", "pandas_of_shop",
    "pandas_score_one", "pandas_score_one_explained", "pandas_score_batch_forecast", *CAMPAIGNS, *DISCOVERY,
)  # fmt: skip


def main() -> int:
    """Run them; exit status 1 if one of them cannot run, whatever the numbers are."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.set_defaults(work=_everything)
    only = (
        ("--five-gigabytes", _five_gigabytes, "only take in a stream of 5 GB, which takes minutes"),
        ("--freshness", _freshness, "only measure how soon decisions follow events, on a local AWS"),
        ("--usage", _usage, "only measure what `tessera cost` reckons with"),
        ("--sending", _sending, "only measure how soon a shop's tools hear of changes, on a local AWS"),
        ("--own-models", _own_models, "only measure a shop's own targets, campaigns, models and candidate features"),
        ("--dashboard", _dashboard, "only open the dashboard of 100,000 customers, on a local AWS, some ten minutes"),
        (
            "--rule-change",
            _rule_change,
            "only decide on 100,000 customers anew by a rule and by a model, some ten minutes",
        ),
        ("--growth", _growth, "only train on up to a million customers, which takes a quarter of an hour and 20 GB"),
        ("--training", _training, "only train on 13 million events, on two cores, which takes minutes"),
    )
    for option, work, explained in only:
        parser.add_argument(option, dest="work", action="store_const", const=work, help=explained)
    arguments = parser.parse_args()
    try:
        arguments.work()
    except (subprocess.CalledProcessError, LocalStackError) as error:
        console.print(f"[red]✗[/] a measurement failed: {error}", soft_wrap=True)
        return 1
    return 0


def _everything() -> None:
    inputs = _inputs()
    bundle = bundle_folder(inputs.purchases)
    rows: list[Row] = []
    measured: dict[str, Measurement] = {}

    def table_of(part: Callable[[], tuple[Iterable[Row], dict[str, Measurement]]]) -> None:
        some, more = part()
        rows.extend(some)
        measured.update(more)
        write(RESULTS, rows, measured, "python -m bench")  # so that what was measured is there if what follows fails

    def speed() -> tuple[Iterable[Row], dict[str, Measurement]]:
        one = _speed(inputs, TASKS)
        return [*task_rows(one), *own_rows(one), *usage_rows()], one

    def streams() -> tuple[Iterable[Row], dict[str, Measurement]]:
        one = _streams(inputs, STREAMS)
        named = {f"{_STREAM}_{megabytes}_mb": stream for megabytes, stream in one.items()}
        return stream_rows(one, measured["pandas_ndjson"].peak_bytes), named

    def built() -> tuple[Iterable[Row], dict[str, Measurement]]:
        return [*import_rows(_imports()), *(size_rows() if all(map(is_built, functions())) else [])], {}

    def stacks() -> tuple[Iterable[Row], dict[str, Measurement]]:
        one = measure_freshness(bundle) | measure_sending(bundle)
        return [*freshness_rows(one), *sending_rows(one)], one

    def growth() -> tuple[Iterable[Row], dict[str, Measurement]]:
        with step("Trained on shops of several sizes"):
            one = measure_growth(SOON)
        return growth_rows(one), one

    def scale() -> tuple[Iterable[Row], dict[str, Measurement]]:
        with step("Scored shops of several sizes"):
            return [*scale_rows([*measure_scale(bundle)]), *cost_rows()], {}

    for part in (speed, streams, built, stacks, growth, scale):
        table_of(part)
    _show(rows, measured, "python -m bench")


def _growth() -> None:
    measured = measure_growth()
    _show([*growth_rows(measured)], measured, "python -m bench --growth")


def _five_gigabytes() -> None:
    streams = _streams(Inputs(PURCHASES), (STREAMS[-1], FIVE_GIGABYTES))
    measured = {f"{_STREAM}_{megabytes}_mb": stream for megabytes, stream in streams.items()}
    _show([*stream_rows(streams)], measured, "python -m bench --five-gigabytes")


def _own_models() -> None:
    measured = _speed(_inputs(), OWN_MODELS)
    _show([*own_rows(measured)], measured, "python -m bench --own-models")


def _training() -> None:
    measured = measure_training()
    _show([*training_rows(measured)], measured, "python -m bench --training")


def _freshness() -> None:
    measured = measure_freshness(bundle_folder(_inputs().purchases))
    _show([*freshness_rows(measured)], measured, "python -m bench --freshness")


def _usage() -> None:
    usage = measure_usage(PURCHASES.with_name("usage"))
    USAGE_FILE.write_text(json.dumps(usage, indent=2) + "\n")
    console.print_json(USAGE_FILE.read_text())


def _sending() -> None:
    measured = measure_sending(bundle_folder(_inputs().purchases))
    _show([*sending_rows(measured)], measured, "python -m bench --sending")


def _rule_change() -> None:
    measured = measure_rule_change(bundle_folder(_inputs().purchases))
    _show([*rule_change_rows(measured)], measured, "python -m bench --rule-change")


def _dashboard() -> None:
    measured = measure_dashboard(bundle_folder(_inputs().purchases))
    _show([*dashboard_rows(measured)], measured, "python -m bench --dashboard")


def _show(rows: list[Row], measured: dict[str, Measurement], command: str) -> None:
    console.print(table(rows), width=None if console.is_terminal else 130)
    write(RESULTS, rows, measured, command)
    refresh(PAGE, markdown(RESULTS))
    console.print(f"All of it is in {RESULTS.relative_to(ROOT)}, and the table in {PAGE.relative_to(ROOT)}.")


def _inputs() -> Inputs:
    if not PURCHASES.exists():
        PURCHASES.parent.mkdir(parents=True, exist_ok=True)
        with step("Wrote the purchases of Complete Journey as one Parquet file"):
            read_lines().to_parquet(PURCHASES, index=False)
    return Inputs(PURCHASES)


def _speed(inputs: Inputs, asked: Iterable[str]) -> dict[str, Measurement]:
    tasks = [task for task in asked if task != _STREAM and runs_here(task)]
    if not all(map(runs_here, DISCOVERY)):
        console.print("[yellow]![/] What `tessera discover` takes is not measured: it needs `make featuretools`")
    measured: dict[str, Measurement] = {}
    rounds = [tasks] * (ROUNDS - 1) + [[task for task in tasks if task not in _ONCE_A_ROUND]]
    with progress("speed", sum(map(len, rounds))) as advance:
        for some in rounds:
            for task in some:
                advance(0, task)
                new = measure(task, inputs, 1 if task in _ONCE_A_ROUND else REPEATS)
                measured[task] = measured[task] + new if task in measured else new
                advance(1, task)
    return measured


def _streams(inputs: Inputs, sizes: tuple[int, ...]) -> dict[int, Measurement]:
    measured: dict[int, Measurement] = {}
    with progress("memory", sum(sizes)) as advance:
        for megabytes in sizes:
            advance(0, f"{megabytes:,} MB")
            measured[megabytes] = measure(_STREAM, Inputs(inputs.purchases, inputs.customers, megabytes))
            advance(megabytes, f"{megabytes:,} MB")
    return measured


def _imports() -> dict[str, list[float]]:
    peers = (CLIENT, USUAL)
    measured: dict[str, list[float]] = {name: [] for name in (*peers, *functions())}
    with progress("imports", IMPORT_ROUNDS * len(measured)) as advance:
        for _ in range(IMPORT_ROUNDS):
            for name, seconds in measured.items():
                seconds.append(peer_seconds(name) if name in peers else import_seconds(name))
                advance(1, name)
    return measured


if __name__ == "__main__":
    sys.exit(main())
