"""How the time of training grows with customers, beside the usual way: `python -m bench.growth SHOP [--usual]`."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from bench.imports import ROOT
from bench.row import Row
from bench.scale import exponent
from bench.shop import AS_OF_MS, shop_events, shop_file
from bench.worker import Measurement, peak_bytes

SIZES = (10_000, 30_000, 100_000, 1_000_000)
"""Customers of the made-up shop, of 24 events each."""
SOON = SIZES[:-1]
"""Those that take no more than a few minutes each."""
USUAL_UP_TO = 100_000
"""Beyond, pandas has not memory enough on the machine at hand."""
AIM_EXPONENT = 1.1
_FILE_CUSTOMERS = 100_000


def measure_growth(sizes: Sequence[int] = SIZES) -> dict[str, Measurement]:
    """Training on shops of these sizes, and the usual way, each in a process of its own with all cores.

    Raises CalledProcessError.
    """
    measured = {}
    for customers in sizes:
        shop = _shop(customers)
        measured[f"train_{customers}"] = _measured(shop)
        if customers <= USUAL_UP_TO:
            measured[f"train_{customers}_usual"] = _measured(shop, "--usual")
    return measured


def growth_rows(measured: Mapping[str, Measurement]) -> Iterator[Row]:
    """A row a size, and the power of the customers that time grows with."""
    runs = {customers: run for customers in SIZES if (run := measured.get(f"train_{customers}"))}
    for customers, run in runs.items():
        usual = measured.get(f"train_{customers}_usual")
        yield Row(
            f"train_{customers}",
            f"Training on {run.units / 1e6:.2g} M events of {customers:,} customers, everything that is tried",
            run.best,
            "s",
            "pandas and scikit-learn, four models" if usual else "",
            usual.best if usual else None,
            "these models alone" if usual else "",
            usual.facts["fitting_seconds"] if usual else None,
            note=f"{run.facts['cpu_seconds']:,.0f} s of CPU, {run.peak_bytes / 1e9:.1f} GB",
        )
    grows = exponent([(customers, run.facts["cpu_seconds"]) for customers, run in runs.items()])
    yield Row("train_exponent", "Power of the customers that its CPU time grows with", grows, "").at_most(AIM_EXPONENT)


def _shop(customers: int) -> Path:
    folder = ROOT / f"build/bench/made-up-{customers}"
    folder.mkdir(parents=True, exist_ok=True)
    for first in range(0, customers, _FILE_CUSTOMERS):
        file = folder / f"{first:07d}.parquet"
        if not file.exists():
            some = min(customers - first, _FILE_CUSTOMERS)
            written = file.with_suffix(".part")
            written.write_bytes(shop_file(shop_events(some, seed=7 + first, first_customer=first)))
            written.rename(file)
    return folder


def _measured(shop: Path, *how: str) -> Measurement:
    command = [sys.executable, "-W", "ignore", "-m", "bench.growth", str(shop), *how]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return Measurement(**json.loads(done.stdout.splitlines()[-1]))


def _train(shop: Path) -> tuple[int, dict[str, float]]:
    from training.base.config import Config
    from training.train import train

    with tempfile.TemporaryDirectory() as out:
        train([shop], Path(out), None, Config())
        return int(json.loads((Path(out) / "manifest.json").read_text())["events"]["rows"]), {}


def _usual(shop: Path) -> tuple[int, dict[str, float]]:
    """Features with pandas at one instant, and four models fitted once: no choice among models, no gate, no report."""
    import pandas as pd

    from bench.pandas_all_features import COLUMNS, pandas_all_features
    from bench.usual_way import fit_models

    events = pd.read_parquet(shop, columns=COLUMNS)
    features = pandas_all_features(events, pd.Timestamp(AS_OF_MS, unit="ms")).fillna(0).to_numpy(float)
    began = time.perf_counter()
    fit_models(features)
    return len(events), {"fitting_seconds": time.perf_counter() - began}


def main() -> None:
    """Train on the shop and print what it took."""
    shop, *how = sys.argv[1:]
    began, cpu = time.perf_counter(), time.process_time()
    events, facts = (_usual if how else _train)(Path(shop))
    facts["cpu_seconds"] = time.process_time() - cpu
    measured = Measurement([time.perf_counter() - began], events, facts, peak_bytes())
    sys.stdout.write(f"\n{json.dumps(asdict(measured))}\n")


if __name__ == "__main__":
    main()
