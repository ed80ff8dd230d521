"""What a shop's updates cost in DynamoDB's units: its events replayed in files of a day.

python -m bench.write_units EVENTS.parquet --model FOLDER
"""

import argparse
import io
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from bench.units import item_bytes, read_units, write_units
from local.console import console
from shared.clock import Moment
from shared.durations import DAY_MS
from shared.events import Rules, read_file
from shared.intake.gathering import Intake
from shared.models.bundle import Bundle
from shared.profiles.table import ProfileTable
from training.base.progress import progress

_INDEXES = (("member_of",), ("due_shard", "due_ms"))
"""The attributes that the table's two indexes of keys hold beside the keys."""

type Key = tuple[str, str]


class Table:
    """DynamoDB's client as far as profiles need it, with what each request costs."""

    def __init__(self) -> None:
        self.items: dict[Key, dict[str, Any]] = {}
        self.written = Counter[str]()
        """Units of writes to items, by profile, of the batch under way."""
        self.indexed = Counter[str]()
        """Units of writes to indexes, likewise."""
        self.read = Counter[str]()
        """Units of reads, likewise."""
        self.bytes = Counter[str]()
        """Of the items written, by attribute."""
        self.calls = Counter[str]()
        self.moved = 0
        """Profiles that came into another segment."""

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
        """Consistent reads."""
        self.calls["BatchGetItem"] += 1
        ((name, wanted),) = RequestItems.items()
        items = []
        for key in wanted["Keys"]:
            item = self.items.get(_key(key))
            self.read[key["pk"]["S"]] += read_units(item_bytes(item))
            if item:
                items.append(item)
        return {"Responses": {name: items}}

    def batch_execute_statement(self, Statements: list[dict[str, Any]]) -> dict[str, Any]:
        """PartiQL's INSERT and UPDATE; one replay has no races to lose."""
        self.calls["BatchExecuteStatement"] += 1
        for statement in Statements:
            text, values = statement["Statement"], statement["Parameters"]
            if text.startswith("INSERT"):
                item = dict(zip(re.findall(r"'([^']+)': \?", text), values, strict=True))
                assert _key(item) not in self.items
                self._put(_key(item), None, item)
            else:
                *new, pk, sk, version = values
                before = self.items[pk["S"], sk["S"]]
                assert before["version"] == version
                item = {**before, **dict(zip(re.findall(r'SET "([^"]+)"=\?', text), new, strict=True))}
                for name in re.findall(r'REMOVE "([^"]+)"', text):
                    item.pop(name, None)
                self._put((pk["S"], sk["S"]), before, item)
        return {"Responses": [{} for _ in Statements]}

    def _put(self, key: Key, before: dict[str, Any] | None, item: dict[str, Any]) -> None:
        self.items[key] = item
        self.moved += _segment(before) not in (None, _segment(item))
        self.written[key[0]] += write_units(item_bytes(before), item_bytes(item))
        for names in _INDEXES:
            old, new = (_entry(one, names) for one in (before or {}, item))
            if old != new:
                self.indexed[key[0]] += (old is not None) + (new is not None)
        for name, value in item.items():
            self.bytes[name if key[1] == "profile" else "sealed"] += item_bytes({name: value})
        self.bytes["items"] += 1


def _segment(item: dict[str, Any] | None) -> str | None:
    return item["member_of"]["S"].rpartition("#")[0] if item and "member_of" in item else None


def _entry(item: dict[str, Any], names: tuple[str, ...]) -> list[Any] | None:
    return [item[name] for name in names] if all(name in item for name in names) else None


def _key(item: dict[str, Any]) -> Key:
    return item["pk"]["S"], item["sk"]["S"]


def replay(events: Path, bundle: Bundle | None, share: float = 1.0) -> dict[str, Any]:
    """Takes the events of a `share` of the customers in, file by file, as of each day's end; what updates cost."""
    import pandas as pd

    frame = pd.read_parquet(events)
    ids = pd.util.hash_array(frame.customer_id.to_numpy())
    frame = frame[ids % 10_000 < share * 10_000]
    days = [*frame.groupby(frame.timestamp.dt.floor("D"))]
    table = Table()
    client: Any = table
    written: list[int] = []
    indexed: list[int] = []
    read: list[int] = []
    first = 0
    known = set[str]()
    heads: list[int] = []
    with progress("replay", len(days)) as advance:
        for day, rows in days:
            file = io.BytesIO()
            rows.to_parquet(file, index=False)
            file.seek(0)
            end_ms = int(day.timestamp() * 1_000) + DAY_MS
            intake = Intake(ProfileTable(client, "profiles"), bundle, Moment(end_ms, end_ms))
            for chunk in read_file(file, "day.parquet", Rules()):
                intake.add(chunk, lambda rejections: None)
            intake.flush()
            updated = [key for key in table.written if key in known]
            first += len(table.written) - len(updated)
            known.update(table.written)
            written += [table.written[key] for key in updated]
            indexed += [table.indexed[key] for key in updated]
            read += [table.read[key] for key in updated]
            heads += [item_bytes(table.items[key, "profile"]) for key in updated]
            for counter in (table.written, table.indexed, table.read):
                counter.clear()
            advance(1, f"{day:%Y-%m-%d}")
    items = table.bytes.pop("items")
    return {
        "first writes": first,
        "updates": len(written),
        "units to write": _summary(np.array(written)),
        "of that and indexes": _summary(np.array(written) + np.array(indexed)),
        "units to read": _summary(np.array(read)),
        "bytes of a head": _summary(np.array(heads)),
        "mean bytes by attribute": {name: round(size / items, 1) for name, size in table.bytes.most_common()},
        "calls": dict(table.calls),
        "items": len(table.items),
    }


def _summary(values: Any) -> dict[str, float]:
    median, high = np.percentile(values, [50, 99], method="inverted_cdf").tolist()
    return {"median": median, "p99": high, "mean": round(float(values.mean()), 3)}


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.write_units", description=__doc__)
    parser.add_argument("events", type=Path, help="a Parquet file of events, as the contract has them")
    parser.add_argument("--model", type=Path, help="a folder with a bundle; without one nobody is decided on")
    parser.add_argument("--share", type=float, default=1.0, help="of the customers, to take less time")
    given = parser.parse_args()
    bundle = Bundle.load(given.model) if given.model else None
    console.print_json(json.dumps(replay(given.events, bundle, given.share)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
