"""What taking events in uses by the piece: units and requests of DynamoDB, and processor time; for `tessera cost`.

python -m bench --usage
"""

from __future__ import annotations

import io
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.row import Row
from bench.units import WRITE_UNIT_BYTES, item_bytes
from bench.write_units import Table
from operations.cost import USAGE_FILE
from shared.clock import Moment
from shared.durations import DAY_MS
from shared.events import Chunk, Rules, read_file, read_lines
from shared.intake.gathering import Intake
from shared.models.bundle import Bundle
from shared.profiles.table import ProfileTable
from training.base.config import Config
from training.base.progress import progress
from training.simulator import simulate
from training.train import train

if TYPE_CHECKING:
    import pandas as pd

CUSTOMERS = 3_000
MESSAGES_A_BATCH = 10
"""What the live queue hands to one invocation where enough are waiting, as template.yaml says."""

type Part = tuple[Callable[[], Iterable[Chunk]], int]
"""What reads a batch's events, and the instant at which it comes, UTC milliseconds."""


def measure_usage(folder: Path, customers: int = CUSTOMERS) -> dict[str, Any]:
    """The simulator's shop: what was before two months ago as one file, of which a model is trained in `folder`; then a
    month in files of a day, and a month in messages of one event."""
    import pandas as pd

    events, _ = next(simulate(customers))
    events = events.to_pandas()
    events["timestamp"] = pd.to_datetime(events.timestamp, unit="ms", utc=True)
    now = events.timestamp.max().ceil("D")
    begin, middle = now - timedelta(60), now - timedelta(30)
    times = events.timestamp
    history, month, live = (
        events[(times >= since) & (times < until)]
        for since, until in ((times.min(), begin), (begin, middle), (middle, now))
    )
    bundle = _bundle(history, folder)
    table = Table()
    phases = {
        "new": [_file(history, begin)],
        "file": [_file(rows, day + timedelta(1)) for day, rows in month.groupby(month.timestamp.dt.floor("D"))],
        "live": _messages(live),
    }
    used = {}
    with progress("usage", sum(map(len, phases.values()))) as advance:
        for name, parts in phases.items():
            used[name] = _deliver(parts, table, bundle, advance)
    heads = [item_bytes(item) for (_, kind), item in table.items.items() if kind == "profile"]
    due = np.array([int(item["due_ms"]["N"]) for item in table.items.values() if "due_ms" in item])
    return {
        "measured": f"{datetime.now(UTC):%Y-%m-%d}",
        "command": "make bench OPTIONS=--usage",
        "of": f"{customers:,} customers of the simulator's shop, {len(events) / customers:,.0f} events each",
        **used,
        "head_bytes": round(float(np.mean(heads)), 1),
        "profile_bytes": round(sum(map(item_bytes, table.items.values())) / len(heads), 1),
        "due_a_day": round(float(np.count_nonzero(due < _ms(now) + 7 * DAY_MS)) / 7 / len(heads), 4),
    }


def usage_rows() -> Iterator[Row]:
    """What `operations/usage.json` says that an update writes, beside one write of the whole profile for each event."""
    usage = json.loads(USAGE_FILE.read_bytes())
    each = -(-usage["profile_bytes"] // WRITE_UNIT_BYTES)
    for way in ("file", "live"):
        used = usage[way]
        yield Row(
            f"capacity_units_{way}",
            f"Units of an update {'of a file of a day' if way == 'file' else 'of live events'}, mean",
            used["write_units"] + used["index_units"],
            "units",
            "a write of the profile an event",
            each * used["events_an_update"],
            "one",
            1,
            note=f"{used['write_units']:.2f} of items, {used['index_units']:.2f} of indexes; median"
            f" {used['write_units_median']:g} and 99th percentile {used['write_units_99']:g} of items",
        )


def _deliver(
    parts: Iterable[Part], table: Table, bundle: Bundle, advance: Callable[[float, str], None]
) -> dict[str, float]:
    """Takes batches in, each as of its instant; what one update of a profile uses on average, and one batch."""
    client: Any = table
    calls, moved = table.calls.total(), table.moved
    batches = updates = events = 0
    units = np.zeros(3)
    written: list[int] = []
    seconds = 0.0
    for read, now_ms in parts:
        for counter in (table.written, table.indexed, table.read):
            counter.clear()
        began = time.process_time()
        intake = Intake(ProfileTable(client, "profiles"), bundle, Moment(now_ms, now_ms))
        for chunk in read():
            intake.add(chunk, lambda rejections: None)
        intake.flush()
        seconds += time.process_time() - began
        batches += 1
        updates += len(table.written)
        written += table.written.values()
        events += intake.accepted
        units += [counter.total() for counter in (table.read, table.written, table.indexed)]
        advance(1, "")
    reads, writes, indexes = (units / updates).round(3).tolist()
    return {
        "events_an_update": round(events / updates, 3),
        "updates_a_batch": round(updates / batches, 1),
        "read_units": reads,
        "write_units": writes,
        "index_units": indexes,
        "write_units_median": float(np.percentile(written, 50, method="inverted_cdf")),
        "write_units_99": float(np.percentile(written, 99, method="inverted_cdf")),
        "requests_a_batch": round((table.calls.total() - calls) / batches, 2),
        "milliseconds": round(1_000 * seconds / updates, 3),
        "moved": round((table.moved - moved) / updates, 4),
    }


def _bundle(history: pd.DataFrame, folder: Path) -> Bundle:
    folder.mkdir(parents=True, exist_ok=True)
    history.to_parquet(folder / "history.parquet", index=False)
    train([folder / "history.parquet"], folder / "model", None, Config(bootstraps=1))
    return Bundle.load(folder / "model")


def _file(events: pd.DataFrame, at: pd.Timestamp) -> Part:
    file = io.BytesIO()
    events.to_parquet(file, index=False)
    return lambda: read_file(io.BytesIO(file.getvalue()), "events.parquet", Rules()), _ms(at)


def _messages(events: pd.DataFrame) -> list[Part]:
    """Batches of as many messages as an invocation gets, of an event each, in the order of time."""
    events = events.sort_values("timestamp", kind="stable")
    lines = deque(events.to_json(orient="records", lines=True, date_format="iso").encode().splitlines())
    parts = []
    for times in batched(events.timestamp, MESSAGES_A_BATCH, strict=False):
        parts.append(_message([lines.popleft() for _ in times], times[-1] + timedelta(seconds=1)))
    return parts


def _message(lines: list[bytes], at: pd.Timestamp) -> Part:
    return lambda: [read_lines(lines, Rules())], _ms(at)


def _ms(at: pd.Timestamp) -> int:
    return int(at.timestamp() * 1_000)
