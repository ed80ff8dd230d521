"""What the measurements say: ours, what it is held against, the ratio and the aim, for the screen and as JSON."""

import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from os import cpu_count
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.tasks import MEGABYTE
from bench.worker import Measurement

LIBRARIES = ("numpy", "duckdb", "pandas", "pyarrow", "msgspec", "xxhash", "onnxruntime", "boto3")
MEMORY_AIM = 512 * MEGABYTE
_FLAT = 1.1
_REASONS_AIM_MS = 2.0
_AUDIENCES_AIM_US = 50
_PREVIEW_AIM_SECONDS = 2.0
_AHEAD_AIM = 0.25
_HEADINGS = ("what", "ours", "against", "ratio", "aim")
_BEGIN, _END = "<!-- results -->", "<!-- end of results -->"


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    what: str = ""
    ours: str = ""
    against: str = ""
    """What it is held against, and that one's figure."""
    ratio: float | None = None
    relation: str = ""
    """What the ratio says of ours."""
    aim: str = ""
    met: bool | None = None


def speed_lines(measured: Mapping[str, Measurement]) -> Iterable[Line]:
    """The lines of all tasks but the streams."""
    fold = measured["fold_file"]
    limit = measured["duckdb_group_by"]
    yield _slower(f"Parquet file to profiles ({_short(fold.units)} events)", fold, "DuckDB's GROUP BY", limit, aim=10)
    yield _slower("", fold, "DuckDB's fetchnumpy", measured["duckdb_columns"])
    for kind, what in (("ndjson", "NDJSON.gz"), ("csv", "CSV.gz")):
        task = measured[f"fold_{kind}"]
        yield _slower(f"{what} to profiles", task, "DuckDB's GROUP BY", measured[f"duckdb_{kind}"], aim=2.5)
        yield _faster(f"{what} to features", measured[f"features_{kind}"], measured[f"pandas_{kind}"], aim=5)
    yield _slower("Columns in memory to profiles", measured["fold_columns"], "DuckDB's GROUP BY", limit)
    yield _faster("Purchases' file to features", measured["fold_file_to_features"], measured["pandas_file"], aim=10)
    yield _faster(
        "Purchases in memory to features", measured["features_of_profiles"], measured["pandas_of_frame"], aim=10
    )
    matrix = measured["feature_matrix"]
    shop = measured["shop_file_to_features"]
    day = measured["day_file"]
    yield _faster(f"Shop's file ({_short(shop.units)} events) to features", shop, measured["pandas_shop_file"], aim=10)
    yield _faster("Shop's events in memory to features", matrix, measured["pandas_of_shop"], aim=10)
    came = f"{day.units:,} events of {day.facts['customers']:,.0f} customers"
    yield _faster(f"Shop's new day ({came}) to their features", day, measured["pandas_day_file"], aim=10)
    size = f"Feature matrix ({_short(matrix.units)} customers, {matrix.facts['events'] / matrix.units:.0f} events each)"
    yield Line(size, rate(matrix, "customers"), aim="≥ 200 k/s", met=matrix.units / matrix.best >= 200_000)
    yield Line("Merge two halves of their histories", rate(measured["merge_profiles"], "events"))
    encoded = measured["encode_profiles"]
    yield Line("Encode profiles", rate(encoded, "customers"))
    yield Line("Decode profiles", rate(measured["decode_profiles"], "customers"))
    yield Line("Bytes a customer, median", f"{encoded.facts['bytes_median']:,.0f}")
    yield Line("Bytes a customer, 99th percentile", f"{encoded.facts['bytes_99th_percentile']:,.0f}")


def reason_lines(measured: Mapping[str, Measurement]) -> Iterable[Line]:
    """The lines of reasons and announced changes."""
    with_, without = (measured[task].facts["median_ms"] for task in ("look_up_with_reasons", "look_up"))
    more = with_ - without
    yield Line(
        "Look-up with reasons, median",
        f"{with_:.2f} ms",
        f"without them {without:.2f} ms",
        aim="≤ 2 ms more",
        met=more <= _REASONS_AIM_MS,
    )
    ahead = measured["update_batch_with_next_change"]
    now = measured["update_batch"]
    yield Line(
        "Updates with their next change",
        rate(ahead, "customers"),
        f"without it {rate(now, 'customers')}",
        now.best / ahead.best,
        "the speed",
        "≥ 0.25x",
        now.best / ahead.best >= _AHEAD_AIM,
    )
    audiences = measured["update_batch_with_audiences"]
    more_us = (audiences.best / audiences.units - ahead.best / ahead.units) * 1e6
    yield Line(
        "Updates with 100 audiences",
        rate(audiences, "customers"),
        f"{more_us:,.0f} µs a customer more than without",
        aim=f"≤ {_AUDIENCES_AIM_US} µs more",
        met=more_us <= _AUDIENCES_AIM_US,
    )
    counted = measured["count_export"]
    pandas = measured["pandas_export"]
    yield Line(
        f"A rule counted over {_short(counted.units)} customers",
        f"{counted.best:.2f} s",
        f"pandas {pandas.best:.2f} s",
        pandas.best / counted.best,
        "the speed",
        f"≤ {_PREVIEW_AIM_SECONDS:g} s",
        counted.best <= _PREVIEW_AIM_SECONDS,
    )


def stream_lines(streams: Mapping[int, Measurement]) -> Iterable[Line]:
    """The lines of streams by their megabytes."""
    for megabytes, stream in streams.items():
        rate = stream.facts["lines"] / (stream.best - stream.facts["making_seconds"])
        what = f"Peak memory, NDJSON of {megabytes:,} MB at {_short(rate)} events/s"
        peak = f"{stream.peak_bytes / MEGABYTE:,.0f} MB"
        yield Line(what, peak, aim="< 512 MB", met=stream.peak_bytes < MEMORY_AIM)
    smaller, larger = list(streams)[-2:]
    growth = streams[larger].peak_bytes / streams[smaller].peak_bytes
    yield Line("", "", f"{smaller:,} MB", growth, "the memory", f"flat: ≤ {_FLAT}x", growth <= _FLAT)


def import_lines(imports: Mapping[str, list[float]], built: bool) -> Iterable[Line]:
    """The lines of functions' imports."""
    where = "as built" if built else "not built"
    for function, seconds in imports.items():
        yield Line(f"Cold import of {function}, {where}", f"{min(seconds) * 1_000:,.0f} ms")


def table(lines: Iterable[Line]) -> Table:
    """The lines for the screen."""
    shown = Table(*_HEADINGS, title="One core, best of all rounds")
    for line in lines:
        shown.add_row(*_cells(line), style="yellow" if line.met is False else None)
    return shown


def _cells(line: Line) -> tuple[str, ...]:
    ratio = "" if line.ratio is None else f"{line.ratio:.3g}x {line.relation}"
    mark = {None: "", True: ": met", False: ": not met"}[line.met]
    return line.what, line.ours, line.against, ratio, f"{line.aim}{mark}"


def write(path: Path, lines: Iterable[Line], measured: Mapping[str, Measurement], command: str) -> None:
    """Everything that was found, and where; what another command measured stays as it was."""
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    known[command] = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": {"cpu": _cpu(), "cores": cpu_count(), "system": platform.platform()},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
        "table": [{name: value for name, value in asdict(line).items() if value not in (None, "")} for line in lines],
        "measured": {
            task: {"best_seconds": one.best, "units_a_second": one.units / one.best, **asdict(one)}
            for task, one in measured.items()
        },
    }
    path.write_text(json.dumps(known, indent=2, ensure_ascii=False) + "\n")


def markdown(results: Path) -> str:
    """What `write` wrote, for a page: a table a command."""
    parts = []
    for command, run in json.loads(results.read_text()).items():
        machine = run["machine"]
        versions = run["versions"]
        parts += [f"`{command}` on {run['date']}, {machine['cores']} cores of {machine['cpu']},"]
        parts += [f"Python {versions['python']}, NumPy {versions['numpy']}, DuckDB {versions['duckdb']},"]
        parts += [
            f"pandas {versions['pandas']}:",
            "",
            "| " + " | ".join(_HEADINGS) + " |",
            "|---" * len(_HEADINGS) + "|",
        ]
        parts += ["| " + " | ".join(_cells(Line(**line))) + " |" for line in run["table"]] + [""]
    return "\n".join(parts)


def refresh(page: Path, text: str) -> None:
    """Put `text` between the page's two marks."""
    before, _, rest = page.read_text().partition(_BEGIN)
    page.write_text(f"{before}{_BEGIN}\n{text}{_END}{rest.partition(_END)[2]}")


def _slower(what: str, ours: Measurement, name: str, theirs: Measurement, aim: float | None = None) -> Line:
    ratio = ours.best / theirs.best
    goal = ("", None) if aim is None else (f"≤ {aim}x", ratio <= aim)
    return Line(what, rate(ours, "events"), f"{name}: {rate(theirs, 'events')}", ratio, "the time", *goal)


def _faster(what: str, ours: Measurement, theirs: Measurement, aim: float) -> Line:
    ratio = theirs.best / ours.best
    return Line(what, f"{ours.best:.2f} s", f"pandas: {theirs.best:.2f} s", ratio, "as fast", f"≥ {aim}x", ratio >= aim)


def rate(measurement: Measurement, units: str) -> str:
    """Units a second, at best."""
    return f"{_short(measurement.units / measurement.best)} {units}/s"


def _short(number: float) -> str:
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.3g}"


def _cpu() -> str:
    described = Path("/proc/cpuinfo")
    models = [line.partition(":")[2].strip() for line in described.read_text().splitlines() if "model name" in line]
    return models[0] if models else platform.processor()
