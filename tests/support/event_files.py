"""Events as shops send them, and files of them."""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from shared.events import Chunk, Rules, read_file
from shared.features import Profiles, fold

type Event = dict[str, Any]


def purchase(customer: str, number: int = 0, day: int = 1, **fields: Any) -> Event:
    """One order line; `number` makes it another one."""
    event = {
        "event_id": f"{customer}-{number}",
        "event_type": "purchase",
        "timestamp": f"2017-10-{day:02d}T12:00:00Z",
        "customer_id": customer,
        "order_id": f"{customer}-{number}",
        "price": 9.99,
        "category": "Bakery",
    }
    return {**event, **fields}


def ndjson(events: Iterable[Event]) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def ndjson_gz(events: Iterable[Event]) -> bytes:
    return gzip.compress(ndjson(events))


def csv_file(events: Iterable[Event]) -> bytes:
    rows = list(events)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows([{name: as_cell(value) for name, value in row.items()} for row in rows])
    return text.getvalue().encode()


def as_cell(value: Any) -> Any:
    """A value as a table of texts has it: objects as JSON."""
    return json.dumps(value) if isinstance(value, dict) else value


def parquet(events: Iterable[Event]) -> bytes:
    import pyarrow
    from pyarrow.parquet import write_table

    buffer = io.BytesIO()
    write_table(pyarrow.Table.from_pylist(list(events)), buffer)
    return buffer.getvalue()


def chunks(events: Iterable[Event]) -> Iterator[Chunk]:
    return read_file(io.BytesIO(ndjson(events)), "events.ndjson", Rules())


def profiles(*events: Event) -> Profiles:
    """The state after `events`, as ingesting them from one file folds it."""
    read = list(chunks(events))
    assert not any(chunk.rejections for chunk in read)
    return fold(*(chunk.events for chunk in read))
