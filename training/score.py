"""Offline decisions for every customer, by the same features and the same bundle as the functions use.

python -m training.score --events PATH [PATH …] --model DIR --as-of TIMESTAMP --out FILE.parquet
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from shared.decisions.decision import iso
from shared.decisions.intent import intents
from shared.decisions.outside import outside_training
from shared.features import Profiles
from shared.identity.keys import customer_key
from shared.models.bundle import Bundle, Decisions
from shared.models.labels import action
from shared.models.manifests import TARGETS, outputs
from training.base import command
from training.base.errors import InputError
from training.data.events import read_events
from training.prediction.targets import known_at

SCHEMA = pa.schema(
    {
        "customer_id": pa.string(),
        "segment_id": pa.int64(),
        "segment_name": pa.string(),
        "micro_segment_id": pa.int64(),
        "churn_probability": pa.float32(),
        "conversion_probability": pa.float32(),
        "expected_ltv": pa.float32(),
        "intent": pa.string(),
        "action": pa.string(),
        "model_version": pa.string(),
        "outside_training": pa.list_(pa.string()),
    }
)
CUSTOMER = customer_key("")


def score(profiles: Profiles, bundle: Bundle, as_of_ms: int) -> pa.Table:
    """A row for every customer with an event before `as_of_ms`, with a column for each prediction of the shop's own
    after those of SCHEMA; columns that the bundle cannot fill are null.

    Visitors whom nobody has identified yet are no customers and are left out.
    """
    at = np.flatnonzero(known_at(profiles, as_of_ms) & np.array([key.startswith(CUSTOMER) for key in profiles.keys]))
    customers = profiles.take(at)
    if not len(customers):
        raise InputError(f"no customer has an event before {iso(as_of_ms)}")
    X = bundle.features_at(customers, as_of_ms)
    decisions = bundle.decide(X)
    intent_of = intents(decisions, X, bundle.manifest)
    names = {segment["id"]: segment["name"] for segment in bundle.manifest["segments"]}
    columns = {
        "customer_id": [key.removeprefix(CUSTOMER) for key in customers.keys],
        "segment_id": decisions.segment,
        "segment_name": [names[segment] for segment in decisions.segment.tolist()],
        "micro_segment_id": _column(decisions, "micro_segment"),
        **{name: _column(decisions, name) for name in TARGETS},
        "intent": intent_of,
        "action": [
            action(bundle.manifest, intent, segment)["key"]
            for intent, segment in zip(intent_of, decisions.segment.tolist(), strict=True)
        ],
        "model_version": [bundle.bundle_id] * len(customers),
        "outside_training": [list(outside) for outside in outside_training(X, bundle.manifest)],
    }
    own = [name for name in outputs(bundle.manifest) if name not in TARGETS]
    schema = pa.schema([*SCHEMA, *(pa.field(name, pa.float32()) for name in own)])
    values = {name: decisions.own.get(name) for name in own}
    missing = pa.nulls(len(customers), pa.float32())
    return pa.table(columns | {name: missing if v is None else v for name, v in values.items()}, schema=schema)


def _column(decisions: Decisions, name: str) -> pa.Array:
    values = getattr(decisions, name)
    kind = SCHEMA.field(name if name in SCHEMA.names else f"{name}_id").type
    return pa.nulls(len(decisions), kind) if values is None else pa.array(values, kind)


def main(arguments: Sequence[str] | None = None, prog: str = "python -m training.score") -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog=prog, description="Decide for every customer offline.")
    parser.add_argument("--events", nargs="+", type=Path, required=True, metavar="PATH", help="event files or folders")
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="folder that training wrote")
    parser.add_argument("--as-of", required=True, metavar="TIMESTAMP", help="only events before it count")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.parquet")
    command.add_mapping(parser)
    return command.run(parser, _run, arguments)


def _run(arguments: argparse.Namespace) -> None:
    as_of_ms = command.timestamp(arguments.as_of)
    bundle = Bundle.load(arguments.model)
    files = read_events(arguments.events, bundle.manifest["currency"] or "", as_of_ms, command.translator(arguments))
    command.say(*files.summary())
    table = score(files.profiles, bundle, as_of_ms)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, arguments.out)
    sizes = Counter(table["segment_name"].to_pylist())
    command.say(f"{len(table):,} customers as of {iso(as_of_ms)} by bundle {bundle.bundle_id}, in {arguments.out}:")
    command.say(*(f"  {name:<28} {size:>8,}" for name, size in sizes.most_common()))


if __name__ == "__main__":
    sys.exit(main())
