"""What it costs that everybody is decided on anew because a rule of an audience was changed, held against a new model.

Both are the same run, page by page of the table, by the functions' own code; the table is in memory and reckons what
DynamoDB would charge. The two take turns, a page each. `make bench OPTIONS=--rule-change` measures this alone;

python -m bench.rule_change MODEL --customers 10000
"""

import argparse
import gc
import io
import itertools
import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.audiences import hundred_audiences
from bench.row import Row
from bench.shop import AS_OF_MS, shop_events, shop_file
from bench.units import item_bytes
from bench.worker import Measurement, peak_bytes
from bench.write_units import Key, Table
from local.console import console
from shared.audiences.audience import Audiences, renewed
from shared.bulk.partitions import PartitionProgress, rescore_partition, scan_page
from shared.bulk.rescore import Rescorer
from shared.clock import Moment
from shared.events import Rules, read_file
from shared.intake.gathering import Intake
from shared.models.bundle import Bundle
from shared.profiles.stored_profile import PROFILE
from shared.profiles.table import ProfileTable
from training.base.progress import progress

CUSTOMERS = 100_000
CUSTOMERS_AT_ONCE = 5_000
PAGE_BYTES = 1_000_000
AIM = 1.1
MODEL, RULE = "new_model", "changed_rule"
EDITED, LIKE = "a5", "a10"
"""The audience whose rule is changed, and the one whose rule it gets."""
NAME = "profiles"
BEFORE = Moment(AS_OF_MS, AS_OF_MS)
LATER = Moment(AS_OF_MS + 3_600_000, AS_OF_MS + 3_600_000)


class _Scanned(Table):
    """A table that is read through as well, in one partition."""

    def __init__(self, items: Mapping[Key, dict[str, Any]]) -> None:
        super().__init__()
        self.items = dict(items)
        self._keys = list(items)
        self._at = {key: i for i, key in enumerate(self._keys)}

    def scan(self, **request: Any) -> dict[str, Any]:
        """The next items, 1 MB of them."""
        after = request.get("ExclusiveStartKey")
        start = self._at[after["pk"]["S"], after["sk"]["S"]] + 1 if after else 0
        scanned: list[dict[str, Any]] = []
        size = 0
        end = start
        while end < len(self._keys) and size < PAGE_BYTES:
            scanned.append(self.items[self._keys[end]])
            size += item_bytes(scanned[-1])
            end += 1
        last = self._keys[end - 1]
        more = {"LastEvaluatedKey": {"pk": {"S": last[0]}, "sk": {"S": last[1]}}} if end < len(self._keys) else {}
        return {"Items": [item for item in scanned if item["sk"]["S"] == PROFILE], **more}


class _Run:
    """A run over one partition, page by page."""

    def __init__(self, items: Mapping[Key, dict[str, Any]], bundle: Bundle) -> None:
        self.table = _Scanned(items)
        client: Any = self.table
        self._scan = partial(scan_page, client, NAME, 0, 1)
        self._rescorer = Rescorer(ProfileTable(client, NAME), bundle, LATER)
        self.progress = PartitionProgress.begin(0, 1, AS_OF_MS, LATER)
        self.seconds = 0.0

    def next_page(self) -> None:
        """Timed in seconds of the processor, without the collector's walks through all items."""
        gc.freeze()
        began = time.process_time()
        self.progress = rescore_partition(
            self.progress, self._scan, lambda: self._rescorer, lambda kept: None, lambda: False
        )
        self.seconds += time.process_time() - began

    def measured(self) -> Measurement:
        """What it came to."""
        facts: dict[str, float] = {
            "write_units": self.table.written.total(),
            "index_units": self.table.indexed.total(),
            "segments_changed": self.progress.moved,
        }
        return Measurement([round(self.seconds, 3)], self.progress.decided, facts, peak_bytes())


def measure_rule_change(folder: Path, customers: int = CUSTOMERS) -> dict[str, Measurement]:
    """Everybody decided on anew by the same model under another name, and by another rule of one audience in a hundred.

    `folder` is the one of a trained bundle. The same model is the least that a new one costs, as it moves nobody.
    """
    before = hundred_audiences()
    items = _shop(_bundle(folder, before), customers)
    new_model = _bundle(folder, before)
    new_model.bundle_id = "another"
    runs = {MODEL: _Run(items, new_model), RULE: _Run(items, _bundle(folder, _changed(before)))}
    with progress("decided anew", customers) as advance:
        for turn in itertools.count():
            waiting = [run for run in runs.values() if not run.progress.done]
            if not waiting:
                return {name: run.measured() for name, run in runs.items()}
            known = runs[RULE].progress.decided
            for run in waiting if turn % 2 else waiting[::-1]:
                run.next_page()
            advance(runs[RULE].progress.decided - known, "")
    raise AssertionError


def rule_change_rows(measured: Mapping[str, Measurement]) -> Iterator[Row]:
    """The rows of the table."""
    rule, model = measured[RULE], measured[MODEL]
    for name, what, unit, ours, theirs in (
        ("rule_change", "decided anew by a changed rule", "s of CPU", rule.best, model.best),
        ("rule_change_units", "the same, written", "units", _units(rule), _units(model)),
    ):
        yield Row(name, f"{rule.units:,} customers {what}", ours, unit, "by a new model", theirs).of_peer(AIM)


def _units(run: Measurement) -> float:
    return run.facts["write_units"] + run.facts["index_units"]


def _bundle(folder: Path, audiences: Audiences) -> Bundle:
    bundle = Bundle.load(folder)
    bundle.audiences = audiences
    return bundle


def _changed(before: Audiences) -> Audiences:
    """One audience has the rule of another, with which it shares all but the numbers."""
    by_key = {audience.key: audience for audience in before.all}
    by_key[EDITED] = replace(by_key[EDITED], where=by_key[LIKE].where, rule=by_key[LIKE].rule)
    return renewed(before, Audiences(0, tuple(by_key.values())))


def _shop(bundle: Bundle, customers: int) -> dict[Key, dict[str, Any]]:
    """The items of a shop whose customers were decided on as of now."""
    table = Table()
    client: Any = table
    with progress("customers", customers) as advance:
        for first in range(0, customers, CUSTOMERS_AT_ONCE):
            some = min(CUSTOMERS_AT_ONCE, customers - first)
            intake = Intake(ProfileTable(client, NAME), bundle, BEFORE)
            file = io.BytesIO(shop_file(shop_events(some, seed=first, first_customer=first)))
            for chunk in read_file(file, "shop.parquet", Rules()):
                intake.add(chunk, lambda rejections: None)
            intake.flush()
            advance(some, "")
    return table.items


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.rule_change", description=__doc__)
    parser.add_argument("model", type=Path, help="a folder with a bundle")
    parser.add_argument("--customers", type=int, default=CUSTOMERS, help="to take less time")
    given = parser.parse_args()
    measured = measure_rule_change(given.model, given.customers)
    figures = {name: {"seconds": one.best, "customers": one.units, **one.facts} for name, one in measured.items()}
    console.print_json(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
