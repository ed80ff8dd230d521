"""The parsers that read what others wrote, good inputs of each, and what each may answer to a bad one."""

import base64
import csv
import gzip
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import msgspec
import numpy as np

from shared.api.cursors import Cursors, InvalidCursor
from shared.destinations.destination_file import InvalidDestination, read_destination
from shared.destinations.messages import ENTERED, NoMessage, read
from shared.drift.comparing import compare
from shared.drift.reference import FORMAT, BrokenReference, Measure, Reference, from_bytes, to_bytes
from shared.events import Rules, UnreadableFile, read_file, read_lines
from shared.events.mapping import InvalidMapping, MappingFile, read_mapping
from shared.events.pieces import START, Position, text_pieces
from shared.events.row_groups import parquet_pieces
from shared.events.translator import Translator
from shared.features import BrokenState, Rows, UnknownStateVersion, decode, encode, fold
from shared.intake.live_events import TakenIn, messages, refusals
from shared.journeys.journey import NotJourneys, Publication, decode_publication, encode_publication
from shared.models.bundle import BundleMismatch
from shared.models.labels import labelled, parse_labels
from shared.models.live_bundle import _bundle_id
from shared.recommending import layout as recommenders
from shared.recommending.recommender import NoRecommender, Recommender
from shared.recommending.recommending import recommendations
from tests.destinations.worlds import HUBSPOT, message, queued, step
from tests.events.records import ORDER, PURCHASE
from tests.fuzz.vendors import answered_by_all, answers_of_vendors
from tests.journeys.test_journey import SHOP
from tests.support.event_files import Event, csv_file, ndjson, parquet, purchase
from tests.support.recommenders import AS_OF_MS, event, rows_of, small_recommender
from training.recommending.catalogue_file import entries_of

RULES = Rules(now_ms=1_800_000_000_000)
PERSON = "jane@example.com"
"""Planted in every good input: what is said of a bad one must not repeat it."""


@dataclass(frozen=True)
class Parser:
    """`read` takes any bytes, and raises nothing but `refusals`."""

    bases: Callable[[], Sequence[bytes]]
    read: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...] = ()
    share: int = 10
    """How often it is its turn."""
    packed: bool = False
    """Whether mutated inputs are gzipped, half of them before they are mutated."""


def _events() -> list[Event]:
    odd = {"anonymous_id": "v", "session_id": "s", "brand": "Größe", "extra": 1, "device": "mobile", "consent": True}
    return [purchase(PERSON, n, price=9.5 + n, **(odd if n % 2 else dict.fromkeys(odd))) for n in range(6)]


@cache
def _lines() -> tuple[bytes, ...]:
    records = [*_events(), {**ORDER, "userId": PERSON}, {**PURCHASE, "user_id": PERSON}]
    lines = [json.dumps(record).encode() for record in records]
    return (b"\n".join(lines), lines[0], lines[6], lines[7], b"\r\n".join(lines[6:] * 2))


@cache
def _csv() -> tuple[bytes, ...]:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(_events()[0]))
    writer.writeheader()
    writer.writerows(_events())
    segment = f'type,userId,timestamp,properties\ntrack,{PERSON},2023-05-01,"{{""a"":1}}"\n'
    return (out.getvalue().encode(), out.getvalue().replace(",", ";").encode(), segment.encode())


@cache
def _parquet() -> tuple[bytes, ...]:
    import pyarrow
    from pyarrow.parquet import write_table

    nested = [{**PURCHASE, "user_id": PERSON}, {**PURCHASE, "event_name": "page_view"}]
    contents = [parquet(_events()), parquet(nested)]
    for compression, version in (("zstd", "2.0"), ("gzip", "1.0"), ("none", "2.0")):
        out = io.BytesIO()
        table = pyarrow.Table.from_pylist(_events() * 40)
        options = {"row_group_size": 60, "compression": compression, "data_page_version": version}
        write_table(table, out, **options)
        contents.append(out.getvalue())
    return tuple(contents)


def _file(name: str) -> Callable[[bytes], object]:
    return lambda content: [fold(chunk.events) for chunk in read_file(io.BytesIO(content), name, RULES)]


def _pieces(name: str) -> Callable[[bytes], object]:
    """Each piece found anew from where the one before says that it begins."""

    def read(content: bytes) -> object:
        def fetch(begin: int, end: int | None = None) -> io.BytesIO:
            return io.BytesIO(content[begin:end])

        begin: Position | None = START
        read = []
        while begin:
            if name.endswith(".parquet"):
                pieces = parquet_pieces(fetch, len(content), None, begin, 1_000)
            else:
                pieces = text_pieces(fetch, name, None, begin, 100)
            piece = next(pieces, None)
            read += [fold(chunk.events) for chunk in piece.chunks(RULES)] if piece else []
            begin = piece.end if piece else None
        return read

    return read


def _mapped(name: str) -> Callable[[bytes], object]:
    theirs = {
        "timestamp": "timestamp",
        "customer_id": "customer_id",
        "price": "price",
        "category": ["note.kind", "extra"],
    }
    types = {"event_type": "purchase"}
    mapping = {"columns": theirs, "constants": types, "encoding": "cp1252" if name == "b.csv" else "utf-8"}
    if name == "lists.ndjson":
        listed = {"category": "note[].kind", "brand": "extra[].2", "anonymous_id": "whoever"}
        joined = {"whoever": ["customer_id", "timestamp"]}
        parts = [{"columns": listed, "where": {"event_type": ["*a*", "?"]}}, {"where": {"note[].kind": ""}}]
        mapping |= {"events": parts, "lists": {"extra": [",", ";"]}, "joined": joined, "prices": "before_discount"}
    translator = Translator(msgspec.convert(mapping, MappingFile))
    return lambda content: [fold(chunk.events) for chunk in read_file(io.BytesIO(content), name, RULES, translator)]


def _live(content: bytes) -> object:
    text = content.decode(errors="replace")
    queued = {"Records": [{"messageId": "m", "eventSource": "aws:sqs", "body": text}]}
    data = base64.b64encode(content).decode()
    kinesis = {"sequenceNumber": "1", "data": data}
    streamed = {"Records": [{"eventSource": "aws:kinesis", "eventID": "1", "kinesis": kinesis}]}
    kafka = {"records": {"t-0": [{"topic": "t", "partition": 0, "offset": 1, "value": data}]}}
    translator = Translator(read_mapping(_MAPPING))
    delivered = [
        message.read_by(lambda name: translator if name == "shop" else None)
        for event in (queued, streamed, kafka)
        for message in messages(event)
    ]
    taken = [TakenIn(message, message.read(RULES), 0) for message in delivered]
    return [(fold(each.chunk.events), [*each.valid()], refusals(each.message, "why")) for each in taken]


def _bodies() -> tuple[bytes, ...]:
    first, *_ = _lines()
    batch = b"[" + first.replace(b"\n", b",") + b"]"
    mapped = b'{"mapping":"shop","events":[{"at":"01.02.2023 10:00","who":7,"kind":"2","products":"a;b,c;d"}]}'
    return (
        first,
        batch,
        b'{"source":"api","events":' + batch + b"}",
        b'{"detail-type":"x","detail":' + batch + b"}",
        mapped,
    )


@cache
def _states() -> tuple[bytes, ...]:
    chunk = read_lines([json.dumps(event).encode() for event in _events() * 3], RULES)
    many = read_lines([json.dumps(purchase("c", n)).encode() for n in range(1_100)], RULES)
    return (*encode(fold(chunk.events)), *encode(fold(many.events)))


_MAPPING = b"""
files = "*.csv"
cents = ["price"]
missing = ["-"]
[columns]
timestamp = "at"
customer_id = ["who", "mail"]
[constants]
event_type = "purchase"
[times]
formats = ["%d.%m.%Y %H:%M"]
zone = "Europe/Berlin"
[lists]
products = [",", ";"]
[[events]]
columns = {product_id = "products[].2"}
where = {kind = ["2", ""]}
"""
_PRODUCTS = [{"product_id": "p-1", "name": PERSON, "category": "Größe", "price": 2.5, "available": True}] * 3


def _catalogues() -> tuple[bytes, ...]:
    return csv_file(_PRODUCTS), ndjson(_PRODUCTS)


def _distributions() -> tuple[bytes, ...]:
    days = [*range(0, 40, 5)]
    numbers = Measure(days, [[40, 30, 20, day] for day in days], edges=[1.0, 2.5])
    kinds = Measure(days, [[40, 30] for _ in days], labels=[PERSON, "others"])
    return (to_bytes(Reference(FORMAT, "b-1", AS_OF_MS, {"feature/x": numbers, "events/types": kinds})),)


def _distribution(content: bytes) -> object:
    known = from_bytes(content)
    night = {name: np.full(one.bins, 25) for name, one in known.measures.items()}
    return compare(known, night, AS_OF_MS)


def _recommenders() -> tuple[bytes, ...]:
    live = recommenders.Publication(1, "20171001-ab", "0" * 64)
    return small_recommender().to_bytes(), recommenders.encode_publication(live)


def _recommender(content: bytes) -> object:
    if content.startswith(b"{"):
        return recommenders.decode_publication(content)
    known = Recommender.from_bytes(content)
    rows = rows_of(event("x", "purchase", "a2", "2017-09-01"), event("x", "view_item", "c1", "2017-09-02"))
    return [recommendations(known, some, AS_OF_MS, 0, 5) for some in (rows, Rows.empty())]


_CURSORS = Cursors(lambda: b"secret")
_MANIFEST: Mapping[str, object] = {"segments": [{"id": 0, "name": "a"}, {"id": 1, "name": "b"}]}
_LABELS = b'{"segments":{"0":{"name":"x","actions":{"dormant":{"key":"k"}}}},"actions":{"dormant":{"key":"k"}}}'


def _journeys() -> tuple[bytes, ...]:
    shop = replace(SHOP, all=tuple(replace(one, name=PERSON) for one in SHOP.all))
    return (encode_publication(Publication(shop, PERSON, "", PERSON, "")),)


PARSERS: Mapping[str, Parser] = {
    "ndjson": Parser(_lines, _file("a.ndjson"), (UnreadableFile,), share=25),
    "ndjson.gz": Parser(_lines, _file("a.ndjson.gz"), (UnreadableFile,), packed=True),
    "csv": Parser(_csv, _file("a.csv"), (UnreadableFile,), share=25),
    "csv.gz": Parser(_csv, _file("a.csv.gz"), (UnreadableFile,), packed=True),
    "parquet": Parser(_parquet, _file("a.parquet"), (UnreadableFile,), share=4),
    "pieces of ndjson.gz": Parser(_lines, _pieces("a.ndjson.gz"), (UnreadableFile,), packed=True),
    "pieces of csv": Parser(_csv, _pieces("a.csv"), (UnreadableFile,)),
    "pieces of parquet": Parser(_parquet, _pieces("a.parquet"), (UnreadableFile,), share=2),
    "mapped ndjson": Parser(_lines, _mapped("a.ndjson"), (UnreadableFile,)),
    "mapped lists": Parser(_lines, _mapped("lists.ndjson"), (UnreadableFile,)),
    "mapped csv": Parser(_csv, _mapped("a.csv"), (UnreadableFile,)),
    "mapped cp1252": Parser(_csv, _mapped("b.csv"), (UnreadableFile,)),
    "mapped parquet": Parser(_parquet, _mapped("a.parquet"), (UnreadableFile,), share=2),
    "mapping": Parser(lambda: (_MAPPING,), lambda body: Translator(read_mapping(body)), (InvalidMapping,), share=4),
    "live": Parser(_bodies, _live, share=15),
    "destination": Parser(lambda: (HUBSPOT,), read_destination, (InvalidDestination,), share=3),
    "queue of a destination": Parser(
        lambda: tuple(
            one.body.encode()
            for one in (message("7"), message("7", kind=ENTERED, audience="win_back"), step("7", quiet=[1_260, 480]))
        ),
        lambda text: read(queued(text.decode(errors="replace"))),
        (NoMessage,),
        share=3,
    ),
    "journeys": Parser(_journeys, decode_publication, (NotJourneys,), share=4),
    "answer of a vendor": Parser(answers_of_vendors, answered_by_all, share=4),
    "recommender": Parser(
        _recommenders,
        _recommender,
        (NoRecommender, ValueError),
        share=6,
    ),
    "catalogue.csv": Parser(_catalogues, lambda body: entries_of(body, "a.csv"), share=4),
    "catalogue.ndjson": Parser(_catalogues, lambda body: entries_of(body, "a.ndjson"), share=4),
    "catalogue.parquet": Parser(lambda: (parquet(_PRODUCTS),), lambda body: entries_of(body, "a.parquet"), share=2),
    "distribution": Parser(_distributions, _distribution, (BrokenReference,), share=4),
    "labels": Parser(lambda: (_LABELS,), lambda body: labelled(_MANIFEST, parse_labels(body)), share=5),
    "pointer": Parser(lambda: (b'{"bundle_id":"b-1"}',), _bundle_id, (BundleMismatch,), share=3),
    "state": Parser(_states, lambda blob: decode(["customer#a"], [blob]), (UnknownStateVersion, BrokenState), share=8),
    "cursor": Parser(
        lambda: (_CURSORS.seal("r", [PERSON]).encode(),),
        lambda cursor: _CURSORS.open("r", cursor.decode(errors="replace")),
        (InvalidCursor,),
        share=3,
    ),
}


def packed(content: bytes) -> bytes:
    """As a gzip file, the same for the same content."""
    return gzip.compress(content, 1, mtime=0)
