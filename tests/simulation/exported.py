"""Whether exports hold, in the end, what is stored: everybody once, every order, every move once, nothing half."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pyarrow.parquet import read_table

from shared.destinations.deliveries import PARTITION, ROW
from shared.exports.tables import TABLES
from shared.features import PURCHASE, REFUND, encode, until
from shared.features.columns import CAMPAIGN_EXPOSURE
from shared.identity.keys import customer_id, customer_key, is_visitor
from shared.insight.layout import DRIFT, report_key
from shared.ledger import audience_rows, rows
from shared.ledger.rows import RECORDED
from shared.profiles.histories import histories
from shared.profiles.members import MOVES
from shared.profiles.stored_profile import StoredProfile

if TYPE_CHECKING:
    from tests.simulation.cloud import Cloud
    from tests.simulation.truth import Truth

type Row = dict[str, Any]


def exported(cloud: Cloud, profiles: Mapping[str, StoredProfile], truth: Truth) -> Iterator[str]:
    """What is wrong with what was exported, the last time when the world had come to rest."""
    written = cloud.objects.keys("exports/snapshots/")
    days = sorted(key.split("date=")[1].split("/")[0] for key in written if key.endswith("/_manifest.json"))
    if not days:
        yield "no date is whole"
        return
    for day in days:
        yield from _whole(cloud, day)
    yield from _customers(cloud, days[-1], profiles)
    yield from _moves(cloud, truth)
    yield from _measured(cloud, days[-1])
    drift = json.loads(cloud.objects.latest(report_key(DRIFT)) or b"{}")
    if drift.get("date") != days[-1]:
        yield f"drift was looked for on {drift.get('date')}, where {days[-1]} is the last whole date"


def _whole(cloud: Cloud, day: str) -> Iterator[str]:
    counted = {row["table_name"]: row for row in _rows(cloud, "snapshots", day)}
    if counted.keys() != {table.name for table in TABLES} - {"snapshots"}:
        yield f"{day} is whole, but lacks tables: it has {sorted(counted)}"
    for table, row in counted.items():
        number = len(_rows(cloud, table, day))
        # Who was erased since is counted, and there no more.
        if number > row["row_count"] or (number < row["row_count"] and not cloud.asked):
            yield f"{table} has {number} rows of {day}, and says {row['row_count']}"
        manifest = json.loads(cloud.objects.latest(f"exports/{table}/date={day}/_manifest.json") or b"{}")
        named = {one["key"] for one in manifest.get("objects", ())}
        there = {key for key in cloud.objects.keys(f"exports/{table}/date={day}/") if key.endswith(".parquet")}
        if named != there:
            yield f"{table} of {day} has {sorted(there - named)} too many and {sorted(named - there)} too few"


def _customers(cloud: Cloud, day: str, profiles: Mapping[str, StoredProfile]) -> Iterator[str]:
    customers = _rows(cloud, "customers", day)
    stored = {customer_id(key): profile for key, profile in profiles.items() if not is_visitor(key)}
    if sorted(row["customer_id"] for row in customers) != sorted(stored):
        yield f"{day} has the customers {sorted(row['customer_id'] for row in customers)}, not {sorted(stored)}"
        return
    as_of_ms = _ms(_rows(cloud, "snapshots", day)[0]["snapshot_at"])
    lines = Counter(row["customer_id"] for row in _rows(cloud, "orders", day))
    exposures = Counter(row["customer_id"] for row in _rows(cloud, "exposures", day))
    states = {row["customer_id"]: row["state"] for row in _rows(cloud, "states", day)}
    for row in customers:
        name = row["customer_id"]
        profile = stored[name]
        decided = profile.decision
        held = (row["segment_id"], row["action"], row["model_version"], row["audiences"])
        wanted = decided and (decided.segment, decided.action, decided.model_version, sorted(decided.audiences))
        if held != (wanted or (None, None, None, None)):
            yield f"{name} is exported with {held}, not {wanted}"
        before = until(histories([profile]), as_of_ms)
        if states.get(name) != next(iter(encode(before)), None):
            yield f"{name} is exported with another state than is stored"
        known = before.rows.kind
        happened = (int(((known == PURCHASE) | (known == REFUND)).sum()), int((known == CAMPAIGN_EXPOSURE).sum()))
        if (lines[name], exposures[name]) != happened or row["events"] != len(known):
            yield f"{name} is exported with {lines[name]} orders and {exposures[name]} exposures, not {happened}"


def _moves(cloud: Cloud, truth: Truth) -> Iterator[str]:
    until_ms = max(_ms(row["recorded_until"]) for row in _rows(cloud, "snapshots") if row["recorded_until"])
    counts = Counter(row["transition_id"] for row in _rows(cloud, "moves"))
    if twice := [one for one, times in counts.items() if times > 1]:
        yield f"{len(twice)} moves are exported twice"
    sent = Counter((row["customer_id"], row["transition_id"], row["updated_at"]) for row in _rows(cloud, "deliveries"))
    if any(times > 1 for times in sent.values()):
        yield "deliveries are exported twice"
    for (pk, sk), item in cloud.table.items.items():
        # Whoever asked to be erased and came back has lost rows of both lives.
        if not pk.startswith(MOVES) or pk.removeprefix(MOVES) in cloud.asked or RECORDED not in item:
            continue
        one = audience_rows.decode_move if sk.startswith(audience_rows.PREFIX) else rows.decode_transition
        move = one(item)
        if (int(item[RECORDED]["N"]) <= until_ms) != bool(counts[move.id]):
            yield f"the move of {move.key} recorded at {item[RECORDED]['N']} is exported {counts[move.id]} times"
    known = {customer_key(row["customer_id"]) for row in _rows(cloud, "deliveries")}
    for pk, sk in cloud.table.items:
        key = pk.removeprefix(PARTITION)
        item = cloud.table.items[pk, sk]
        is_row = pk.startswith(PARTITION) and sk.startswith(ROW) and int(item["updated_ms"]["N"]) <= until_ms
        if is_row and key not in known and key not in cloud.asked:
            yield f"what was sent of {key} is not exported"
    yield from (f"{key} was erased, and is exported" for key in known if truth.is_erased(key))


def _measured(cloud: Cloud, day: str) -> Iterator[str]:
    results = json.loads(cloud.objects.latest("reports/results/latest.json") or b"{}")
    if results.get("date") != day:
        yield f"results are of {results.get('date')}, where {day} is the last whole date"
        return
    people: dict[str, set[str]] = {}
    for row in _rows(cloud, "exposures", day):
        people.setdefault(row["campaign"], set()).add(row["customer_id"])
    counted = {
        result["campaign"]: sum(result["customers"][kind] for kind in ("treatment", "control", "waiting"))
        for result in results["results"]
    }
    # Who was erased since is counted, and there no more; who was exposed under another plan is not counted.
    if counted.keys() != people.keys() and not cloud.asked:
        yield f"results are of {sorted(counted)}, where customers were exposed to {sorted(people)}"
    many = {name for name, number in counted.items() if number > len(people.get(name, ()))}
    if many and not cloud.asked:
        yield f"more customers are counted than were exposed to {sorted(many)}"


def _rows(cloud: Cloud, table: str, day: str = "") -> list[Row]:
    keys = [key for key in cloud.objects.keys(f"exports/{table}/date={day}") if key.endswith(".parquet")]
    return [row for key in keys for row in read_table(io.BytesIO(cloud.objects.latest(key) or b"")).to_pylist()]


def _ms(at: datetime) -> int:
    return round(at.replace(tzinfo=UTC).timestamp() * 1_000)
