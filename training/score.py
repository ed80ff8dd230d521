"""Offline decisions for every customer, by the same features and the same bundle as the functions use.

python -m training.score --events PATH [PATH …] --model DIR --as-of TIMESTAMP --out FILE.parquet
    [--engine memory|disk|spark]
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shared.decisions.decision import iso
from shared.decisions.intent import intents
from shared.decisions.outside import outside_training
from shared.features import Profiles, features
from shared.identity.keys import customer_key
from shared.models.bundle import ROWS_AT_ONCE, Bundle, Decisions, Floats
from shared.models.labels import action
from shared.models.manifests import TARGETS, outputs
from training.base import command
from training.base.errors import InputError
from training.data.events import Source
from training.data.writing import blocks, write_tables
from training.engines import options
from training.engines.engine import Engine
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
BLOCK = 100 * ROWS_AT_ONCE
"""Customers who are decided on at a time: whole runs of a bundle, in whose sums the last digit hangs on how many rows
it runs on, so that every engine comes to the same."""


@dataclass(frozen=True)
class Scored:
    """Picks customers with an event before `as_of_ms`. Visitors whom nobody has identified yet are no customers."""

    as_of_ms: int

    def __call__(self, profiles: Profiles) -> NDArray[np.bool_]:
        """Which of the profiles they are [n_profiles]."""
        customers = np.fromiter((key.startswith(CUSTOMER) for key in profiles.keys), bool, len(profiles))
        return known_at(profiles, self.as_of_ms) & customers


def score(profiles: Profiles, bundle: Bundle, as_of_ms: int) -> pa.Table:
    """A row for every customer whom `Scored` picks, with a column for each prediction of the shop's own after those of
    SCHEMA; columns that the bundle cannot fill are null. Raises InputError where there is nobody."""
    customers = profiles.take(np.flatnonzero(Scored(as_of_ms)(profiles)))
    if not len(customers):
        raise _nobody(as_of_ms)
    return decided(customers.keys, bundle.features_at(customers, as_of_ms), bundle)


def scores(engine: Engine, bundle: Bundle, as_of_ms: int) -> Iterator[pa.Table]:
    """The same of an engine's events, in tables of at most BLOCK rows. Raises InputError where there is nobody."""
    question = partial(features, as_of_ms=as_of_ms, zone=bundle.zone, of=bundle.computed)
    parts = engine.ask(Scored(as_of_ms), [question])
    empty = True
    for keys, X in blocks(((part.keys, part.answers[0]) for part in parts), BLOCK):
        empty = False
        yield decided(keys, X, bundle)
    if empty:
        raise _nobody(as_of_ms)


def decided(keys: Sequence[str], X: Floats, bundle: Bundle) -> pa.Table:
    """The decisions on customers with these keys and features, as `Bundle.features_at` has them, a row each."""
    decisions = bundle.decide(X)
    intent_of = intents(decisions, X, bundle.manifest)
    names = {segment["id"]: segment["name"] for segment in bundle.manifest["segments"]}
    columns = {
        "customer_id": [key.removeprefix(CUSTOMER) for key in keys],
        "segment_id": decisions.segment,
        "segment_name": [names[segment] for segment in decisions.segment.tolist()],
        "micro_segment_id": _column(decisions, "micro_segment"),
        **{name: _column(decisions, name) for name in TARGETS},
        "intent": intent_of,
        "action": [
            action(bundle.manifest, intent, segment)["key"]
            for intent, segment in zip(intent_of, decisions.segment.tolist(), strict=True)
        ],
        "model_version": [bundle.bundle_id] * len(keys),
        "outside_training": [list(outside) for outside in outside_training(X, bundle.manifest)],
    }
    own = [name for name in outputs(bundle.manifest) if name not in TARGETS]
    schema = pa.schema([*SCHEMA, *(pa.field(name, pa.float32()) for name in own)])
    values = {name: decisions.own.get(name) for name in own}
    missing = pa.nulls(len(keys), pa.float32())
    return pa.table(columns | {name: missing if v is None else v for name, v in values.items()}, schema=schema)


def _nobody(as_of_ms: int) -> InputError:
    return InputError(f"no customer has an event before {iso(as_of_ms)}")


def _column(decisions: Decisions, name: str) -> pa.Array:
    values = getattr(decisions, name)
    kind = SCHEMA.field(name if name in SCHEMA.names else f"{name}_id").type
    return pa.nulls(len(decisions), kind) if values is None else pa.array(values, kind)


def main(arguments: Sequence[str] | None = None, prog: str = "python -m training.score") -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog=prog, description="Decide for every customer offline.")
    parser.add_argument(
        "--events", nargs="+", required=True, metavar="PATH", help="event files, folders, or s3://BUCKET/PREFIX"
    )
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="folder that training wrote")
    parser.add_argument("--as-of", required=True, metavar="TIMESTAMP", help="only events before it count")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.parquet")
    command.add_mapping(parser)
    options.add_engine(parser)
    return command.run(parser, _run, arguments)


def _run(arguments: argparse.Namespace) -> None:
    as_of_ms = command.timestamp(arguments.as_of)
    bundle = Bundle.load(arguments.model)
    currency = bundle.manifest["currency"] or ""
    source = Source(arguments.events, currency, as_of_ms, command.translator(arguments))
    sizes = Counter[str]()
    with options.engine(arguments)(source) as engine:
        command.say(*engine.reading.summary())
        tables = counted(scores(engine, bundle, as_of_ms), sizes)
        write_tables(tables, arguments.out)
    command.say(f"{sizes.total():,} customers as of {iso(as_of_ms)} by bundle {bundle.bundle_id}, in {arguments.out}:")
    command.say(*(f"  {name:<28} {size:>8,}" for name, size in sizes.most_common()))


def counted(tables: Iterator[pa.Table], sizes: Counter[str]) -> Iterator[pa.Table]:
    """The same tables, whose customers are counted by segment into `sizes`."""
    for table in tables:
        sizes.update(table["segment_name"].to_pylist())
        yield table


if __name__ == "__main__":
    sys.exit(main())
