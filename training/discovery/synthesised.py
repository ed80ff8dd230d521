"""The histories of some customers, handed to FeatureTools, and the candidates that it makes of them."""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from shared.features import PURCHASE, Profiles
from shared.features.columns import CAMPAIGN_EXPOSURE, MONEY_UNITS
from shared.features.history import IN_VISIT, VISIT_GAP_MS
from training.base.errors import InputError
from training.discovery.candidates import KINDS, SINCE, Candidate

SCRIPT = Path(__file__).with_name("synthesis.py")
OWN_PYTHON = Path(__file__).parents[2] / ".venv-featuretools/bin/python"
WINDOWS = (30, 90, 365)
MOST_EVENTS = 300_000
"""Of the customers whom candidates are made of."""
MOST_BYTES = 4_000_000_000
VALUES = {"kind": 14, "category": 24, "brand": 4}
"""Columns by whose values events are told apart, and how many of the most frequent ones; and those of the target."""

type Values = NDArray[np.float64]


@dataclass(frozen=True)
class Engine:
    """What FeatureTools runs in."""

    python: Path = OWN_PYTHON
    """Of the environment that has it."""
    most_seconds: float = 1_800.0


@dataclass(frozen=True)
class Synthesised:
    """Candidates, and their values at each cut-off."""

    who: NDArray[np.int64]
    """Positions of the customers [n]."""
    candidates: list[Candidate]
    values: dict[int, Values]
    """By cut-off [n, n_candidates]."""
    made: int
    """Features that FeatureTools made of events and visits, those included that no formula of ours gives."""


def sampled(profiles: Profiles, customers: int, seed: int) -> NDArray[np.int64]:
    """Positions of so many customers at most, drawn by lot, and of fewer where they have more than MOST_EVENTS."""
    drawn = np.random.default_rng(seed).permutation(len(profiles))[:customers]
    fits = np.cumsum(profiles.event_counts[drawn]) <= MOST_EVENTS
    return np.sort(drawn[fits])


def synthesise(
    profiles: Profiles,
    who: NDArray[np.int64],
    cutoffs: Sequence[int],
    asked: Mapping[str, int],
    engine: Engine,
    advance: Callable[[float, str], None],
) -> Synthesised:
    """Runs FeatureTools over what the customers at `who` did before each cut-off (UTC ms); `asked` are codes by columns
    that the target names, and `advance` is told of each of `len(cutoffs) * steps()`.

    Raises InputError where it cannot be run or needs more than the engine's seconds or MOST_BYTES.
    """
    if not engine.python.exists():
        raise InputError(
            f"{engine.python} is not there: `make featuretools` installs FeatureTools into an environment of its own"
        )
    runs = [{"cutoff_ms": cutoff, "days": days} for cutoff in cutoffs for days in (*WINDOWS, None)]
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), profiles.take(who), max(cutoffs), asked, runs)
        _run(Path(folder), engine, advance)
        document = json.loads((Path(folder) / "candidates.json").read_text())
        read = [_read(Path(folder) / f"{number}.parquet") for number in range(len(runs))]
    every = [one for number in range(steps()) for one in _candidates(document["columns"][number], runs[number]["days"])]
    kept = [place for place, one in enumerate(every) if one.measure in KINDS or one.measure == SINCE]
    counts = [every[place].measure.startswith("num_unique") for place in kept]
    values = {}
    for at, cutoff in enumerate(cutoffs):
        some = np.column_stack(read[at * steps() : (at + 1) * steps()])[:, kept]
        values[cutoff] = np.where(counts & np.isnan(some), 0.0, some)  # of nothing there is nothing different
    return Synthesised(who, [every[place] for place in kept], values, document["made"])


def steps() -> int:
    """Runs for each cut-off: one a window, and one for what has none."""
    return len(WINDOWS) + 1


def _candidates(columns: Sequence[dict[str, Any]], days: int | None) -> Iterator[Candidate]:
    for column in columns:
        yield Candidate(**column, days=days)


def _read(path: Path) -> Values:
    table = pq.read_table(path)
    columns = [name for name in table.column_names if name.isdigit()]
    return np.column_stack([table[name].to_numpy(zero_copy_only=False) for name in columns])


def _run(folder: Path, engine: Engine, advance: Callable[[float, str], None]) -> None:
    command = [str(engine.python), "-I", str(SCRIPT), str(folder)]
    with subprocess.Popen(  # noqa: S603  # our own
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stderr
        with _ended_after(process, engine.most_seconds) as is_late:
            errors: list[str] = []
            reading = threading.Thread(target=lambda stream: errors.extend(stream), args=(process.stderr,))
            reading.start()
            for _ in process.stdout:
                advance(1, "FeatureTools")
            reading.join()
            process.wait()
    if is_late():
        raise InputError(f"FeatureTools took more than {engine.most_seconds:,.0f} seconds: ask for fewer --customers")
    if process.returncode:
        why = errors[-1].strip() if errors else f"status {process.returncode}"
        raise InputError(f"FeatureTools broke off: {why}")


@contextmanager
def _ended_after(process: subprocess.Popen[str], seconds: float) -> Iterator[Callable[[], bool]]:
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(seconds, end)
    timer.start()
    try:
        yield late.is_set
    finally:
        timer.cancel()


def _write(
    folder: Path, profiles: Profiles, until_ms: int, named: Mapping[str, int], runs: list[dict[str, Any]]
) -> None:
    """The tables that FeatureTools is given: texts are codes, and nothing from after the last cut-off is there."""
    rows = profiles.rows
    known = (rows.time_ms < until_ms) & (rows.kind != CAMPAIGN_EXPOSURE)
    owner, rows = profiles.owner[known], rows.take(known)
    visit, begins = _visits(owner, rows.time_ms, rows.session, IN_VISIT[rows.kind])
    coded = {name: getattr(rows, name) for name in ("kind", "category", "brand", "product")}
    bought = rows.kind == PURCHASE
    events = {
        "event": pa.array(np.arange(len(rows))),
        "customer": pa.array(owner),
        "visit": pa.array(visit.astype(str), mask=visit < 0),
        "time": pa.array(rows.time_ms, pa.timestamp("ms")),
        **{name: pa.array(codes.astype(str), mask=(codes == 0) & (name != "kind")) for name, codes in coded.items()},
        "spent": pa.array(rows.net / MONEY_UNITS, mask=~bought),
    }
    times = pa.array(rows.time_ms[begins], pa.timestamp("ms"))
    visits = {"visit": pa.array(np.arange(len(begins)).astype(str)), "customer": pa.array(owner[begins]), "time": times}
    pq.write_table(pa.table(events), folder / "events.parquet")
    pq.write_table(pa.table(visits), folder / "visits.parquet")
    values = {name: _frequent(coded[name], most, named=name != "kind") for name, most in VALUES.items()}
    for name, code in named.items():
        values[name] = [*dict.fromkeys([*values.get(name, ()), str(code)])]
    asked = {"customers": len(profiles), "values": values, "runs": runs, "most_bytes": MOST_BYTES}
    (folder / "asked.json").write_text(json.dumps(asked))


def _frequent(codes: NDArray[Any], most: int, *, named: bool) -> list[str]:
    """The values that most events have, as text."""
    distinct, counts = np.unique(codes[codes != 0] if named else codes, return_counts=True)
    return [str(code) for code in distinct[np.argsort(-counts, kind="stable")[:most]].tolist()]


def _visits(
    owner: NDArray[np.int64], time_ms: NDArray[np.int64], session: NDArray[np.uint32], part: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """The visit that each event is part of, -1 for none [n], and the first event of each visit [m]: by session id, and
    by 30 minutes of inactivity where there is none."""
    at = np.flatnonzero(part)
    number = session[at].astype(np.int64)
    loose = np.flatnonzero(number == 0)
    cut = (np.diff(owner[at][loose], prepend=-1) != 0) | (np.diff(time_ms[at][loose], prepend=0) > VISIT_GAP_MS)
    number[loose] = (1 << 32) + np.cumsum(cut)
    _, first, visit = np.unique(np.stack([owner[at], number]), axis=1, return_index=True, return_inverse=True)
    of_event = np.full(len(owner), -1)
    of_event[at] = visit.ravel()
    return of_event, at[first]
