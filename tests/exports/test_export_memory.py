"""What an export holds at once, measured in a process of its own; and that an erasure has memory for what it writes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shared.erasure.parquet import ParquetFile
from shared.erasure.wanted import Wanted
from shared.exports.parquet import bytes_of, parquet
from shared.exports.partitions import BYTES_AT_ONCE
from shared.exports.rows import Rows, texts
from shared.exports.schema import Kind
from shared.exports.tables import CUSTOMERS

EXPORT = """
import json, sys
from pathlib import Path
from shared.events import Rules, read_lines
from shared.exports.partitions import Exporter, PartitionProgress
from shared.exports.plan import Plan
from shared.exports.reading import Reader
from shared.features import encode, fold
from shared.features.time_zone import UTC_TIME
from shared.profiles.item import encode_profile
from tests.support.stored_profiles import decision, profile

customers, events = int(sys.argv[1]), int(sys.argv[2])
lines = [
    json.dumps({"event_id": str(i), "event_type": "purchase" if i % 3 == 0 else "view_item", "customer_id": "x",
                "timestamp": 1.5e9 + i * 3600, "price": 9.5, "order_id": f"o{i}", "category": f"c{i % 7}"}).encode()
    for i in range(events)
]
(state,) = encode(fold(read_lines(lines, Rules()).events))
item = encode_profile(profile("customer#x", state=state, decision=decision(scored_at_ms=1)))
a_page = 1_000_000 // (len(state) + 700)

class Everybody:
    def complete(self, heads):
        return {head.key: head for head in heads}
    def load(self, keys):
        return {}
    def put(self, key, body):
        print(key, file=sys.stderr)

def scan(after):
    begin = int(after[1]) if after else 0
    end = min(begin + a_page, customers)
    items = [{**item, "pk": {"S": f"customer#{number:07d}"}} for number in range(begin, end)]
    return items, ("", str(end)) if end < customers else None

def peak():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) // 1024

plan = Plan("r", "2026-01-01", 1_600_000_000_000, 2**60)
everybody = Everybody()
exporter = Exporter(
    plan, scan, lambda counts: Reader(everybody, everybody, lambda *_: "a name", UTC_TIME, plan, counts), everybody,
    lambda: False, lambda: 1, lambda: True,
)
progress, _ = exporter.export(PartitionProgress.begin(0, 1, 1), lambda _: None)
assert progress.read == customers
print(peak())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel says there what was held")
@pytest.mark.parametrize(("customers", "events"), [(60_000, 5), (1_500, 1_500)])
def test_an_export_holds_some_of_a_partition_however_large_that_is(customers: int, events: int) -> None:
    command = [sys.executable, "-W", "ignore", "-c", EXPORT, str(customers), str(events)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(ended.stdout) < 450
    assert ended.stderr.count("/orders/") > 1


def widest(count: int) -> Rows:
    """Customers whose numbers are all different, which takes most room."""
    chance = np.random.default_rng(0)
    rows = {}
    for column in CUSTOMERS.columns:
        match column.kind:
            case Kind.TEXT:
                rows[column.name] = texts(f"{column.name[:3]} {number}" for number in range(count))
            case Kind.TEXTS:
                rows[column.name] = texts('["gold", "win_back"]' for _ in range(count))
            case Kind.FLOAT:
                rows[column.name] = chance.random(count).astype(np.float32)
            case _:
                rows[column.name] = np.floor(chance.random(count) * 1e9)
    return {**rows, "customer_id": texts(map(str, range(count)))}


def test_an_erasure_has_memory_for_the_largest_object(tmp_path: Path) -> None:
    rows = widest(80_000)
    assert bytes_of(rows) > BYTES_AT_ONCE
    written = tmp_path / "written.parquet"
    written.write_bytes(parquet(CUSTOMERS, [rows])[0])
    assert ParquetFile(written, tmp_path / "kept.parquet", Wanted(["customer#77"])).rewrite() == 1
