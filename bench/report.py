"""What the measurements say: a table for the screen, the same for a page, and all of it as JSON."""

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from os import cpu_count
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.row import HEADINGS, Row
from bench.worker import Measurement

LIBRARIES = ("numpy", "duckdb", "pandas", "scikit-learn", "pyarrow", "msgspec", "xxhash", "onnxruntime", "boto3")
_BEGIN, _END = "<!-- results -->", "<!-- end of results -->"


def table(rows: Iterable[Row]) -> Table:
    """The rows for the screen."""
    shown = Table(*HEADINGS, title="One core, best of all rounds")
    for row in rows:
        shown.add_row(*row.cells(), style="yellow" if row.met is False else None)
    return shown


def write(path: Path, rows: Sequence[Row], measured: Mapping[str, Measurement], command: str) -> None:
    """Everything that was found, and where; what another command measured stays as it was."""
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    known[command] = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": {"cpu": _cpu(), "cores": cpu_count(), "system": platform.platform()},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
        "rows": [row.recorded() for row in rows],
        "measured": {task: one.recorded() for task, one in measured.items()},
    }
    path.write_text(json.dumps(known, indent=2, ensure_ascii=False) + "\n")


def markdown(results: Path) -> str:
    """What `write` wrote, for a page: a table a command."""
    parts = []
    for command, run in json.loads(results.read_text()).items():
        machine = run["machine"]
        versions = run["versions"]
        parts += [
            f"`{command}` on {run['date']}, {machine['cores']} cores of {machine['cpu']},",
            f"Python {versions['python']}, NumPy {versions['numpy']}, DuckDB {versions['duckdb']},",
            f"pandas {versions['pandas']}:",
            "",
            "| " + " | ".join(HEADINGS) + " |",
            "|---" * len(HEADINGS) + "|",
            *("| " + " | ".join(Row.of(row).cells()) + " |" for row in run["rows"]),
            "",
        ]
    return "\n".join(parts)


def refresh(page: Path, text: str) -> None:
    """Put `text` between the page's two marks."""
    before, _, rest = page.read_text().partition(_BEGIN)
    page.write_text(f"{before}{_BEGIN}\n{text}{_END}{rest.partition(_END)[2]}")


def _cpu() -> str:
    described = Path("/proc/cpuinfo")
    models = [line.partition(":")[2].strip() for line in described.read_text().splitlines() if "model name" in line]
    return models[0] if models else platform.processor()
