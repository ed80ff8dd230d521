"""Objects of every odd kind are searched: what is theirs goes, what is others' stays as it was, and doubts are told."""

import codecs
import gzip
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from shared.erasure.objects import Searched, SearchedObjects
from shared.erasure.streams import OutOfTime
from shared.events import Rejection
from shared.intake.quarantine import Quarantine
from shared.profiles.places import Places
from tests.conftest import BUCKET
from tests.erasure.searching import HEADER, PEOPLE, memory_places, memory_s3, versions

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def s3() -> Any:
    return memory_s3()


@pytest.fixture
def places() -> Places:
    return memory_places()


@pytest.fixture
def objects(s3: "S3Client", places: Places) -> SearchedObjects:
    return SearchedObjects(s3, BUCKET, places, PEOPLE)


TAKEN_OUT: dict[str, tuple[str, bytes, list[bytes]]] = {
    "a byte order mark": (
        "a.csv",
        codecs.BOM_UTF8 + b"customer_id,n\n889,1\n890,1\n",
        [b"\xef\xbb\xbfcustomer_id,n\n890,1\n"],
    ),
    "semicolons": ("a.csv", b"segment;customer_id\r\n2;889\r\n2;890\r\n", [b"segment;customer_id\r\n2;890\r\n"]),
    "tabs": ("a.tsv", b"segment\tCustomer ID\n2\t889\n2\t890\n", [b"segment\tCustomer ID\n2\t890\n"]),
    "quotes that others chose": (
        "a.csv",
        b'customer_id,n\n"890","a ""b"""\n"889",1\n',
        [b'customer_id,n\n"890","a ""b"""\n'],
    ),
    "a line end in a cell": ("a.csv", b'customer_id,n\n889,"x\ny"\n890,"x\ny"\n', [b'customer_id,n\n890,"x\ny"\n']),
    "a blank last line": ("a.csv", b"customer_id,n\n889,1\n890,1\n\n", [b"customer_id,n\n890,1\n\n"]),
    "a ragged row": ("a.csv", b"customer_id,n\n890\n889,1\n", [b"customer_id,n\n890\n"]),
    "Latin-1": (
        "a.csv",
        "customer_id,n\nZoë Ünal,1\nÉlan,1\n".encode("latin-1"),
        ["customer_id,n\nÉlan,1\n".encode("latin-1")],
    ),
    "UTF-16": (
        "a.csv",
        codecs.BOM_UTF16_LE + "customer_id\tn\n889\t1\n890\tਊ\n".encode("utf-16-le"),
        [codecs.BOM_UTF16_LE + "customer_id\tn\n890\tਊ\n".encode("utf-16-le")],
    ),
    "CR alone": ("a.csv", b"customer_id,n\r889,1\r890,1\r", [b"customer_id,n\r890,1\r"]),
    "numbers made of ids": ("a.csv", b'customer_id,n\n889.0,1\n"=""889""",1\n890.0,1\n', [b"customer_id,n\n890.0,1\n"]),
    "a visitor's row": ("a.csv", b"anonymous_id\nphone of 889\nphone of 890\n", [b"anonymous_id\nphone of 890\n"]),
    "a blank line of JSON": (
        "a.ndjson",
        b'\n{"customer_id":"890"}\n \n{"customer_id":889}\n',
        [b'\n{"customer_id":"890"}\n \n'],
    ),
    "JSON with escapes": (
        "a.jsonl",
        b'{"userId":"\\u0038\\u0038\\u0039"}\n{"userId":"890"}\n',
        [b'{"userId":"890"}\n'],
    ),
    "nothing but theirs": ("a.ndjson", b'{"customer_id":"889"}\n', []),
}


@pytest.mark.parametrize(("name", "body", "left"), TAKEN_OUT.values(), ids=TAKEN_OUT.keys())
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "zipped"])
def test_rows_of_theirs_go_and_all_other_bytes_stay(
    s3: "S3Client", objects: SearchedObjects, name: str, body: bytes, left: list[bytes], zipped: bool
) -> None:
    key = f"exports/{name}{'.gz' if zipped else ''}"
    s3.put_object(Bucket=BUCKET, Key=key, Body=gzip.compress(body) if zipped else body)
    searched = objects.search(key)
    assert searched.lines >= 1 and searched.doubt is None
    assert [gzip.decompress(one) if zipped else one for one in versions(s3, key)] == left
    assert objects.search(key) == Searched()


KEPT: dict[str, tuple[str, bytes]] = {
    "no content": ("a.csv", b""),
    "blank lines alone": ("a.csv", b"\n\n"),
    "nobody of theirs": ("a.csv", b"customer_id,n\n890,889\n"),
    "an export about nobody": ("a.csv", b"segment,customers\n2,1889\n"),
    "a number that is no id": ("a.ndjson", b'{"customer_id":"890","n":889}\n'),
    "another text": ("a.txt", b"1889, 8890 and phone of 8890"),
}
TOLD: dict[str, tuple[str, bytes]] = {
    "a ragged row that may be theirs": ("a.csv", b"customer_id,n\n1,2,889\n"),
    "an open quote": ("a.csv", b'customer_id,n\n890,"open\n889,1\n'),
    "no column of people": ("a.csv", b"buyer,n\n889,1\n"),
    "a JSON list": ("a.ndjson", b'[{"customer_id":"889"}]\n'),
    "a broken line of JSON": ("a.ndjson", b'{"customer_id":"889"\n'),
    "an object within an object": ("a.ndjson", b'{"user":{"id":"889"}}\n'),
    "JSON in UTF-16": ("a.ndjson", '{"customer_id":"889"}\n'.encode("utf-16")),
    "a broken gzip": ("a.csv.gz", gzip.compress(b"customer_id,n\n" + b"890,1\n" * 99)[:40]),
    "a gzip that ends early": ("a.txt", gzip.compress(b"customer_id\n889\n")[:-9]),
    "a spreadsheet": ("a.xlsx", b"PK\x03\x04" + bytes(range(256))),
    "a spreadsheet called CSV": ("a.csv", b"PK\x03\x04" + bytes(range(256))),
    "no Parquet": ("a.parquet", b"PAR1\x00 no more"),
    "a text that names them": ("a.txt", b"for 889."),
    "a text in UTF-16 that names them": ("a.txt", "for 889.".encode("utf-16")),
    "a Latin-1 text that names them": ("a.txt", "für Zoë Ünal".encode("latin-1")),
    "a gzipped text that names them": ("notes", gzip.compress(b"for 889.")),
}


@pytest.mark.parametrize("doubtful", [False, True], ids=["kept", "told"])
@pytest.mark.parametrize("place", ["exports/", "quarantine/events/lines-000000001.ndjson/e/"])
def test_what_nothing_is_taken_out_of_stays_as_it_is_and_is_told_if_it_may_name_them(
    s3: "S3Client", objects: SearchedObjects, doubtful: bool, place: str
) -> None:
    for name, (key, body) in (TOLD if doubtful else KEPT).items():
        s3.put_object(Bucket=BUCKET, Key=place + key, Body=body)
        searched = objects.search(place + key)
        assert searched.lines == 0, name
        if doubtful or place == "exports/":
            assert (searched.doubt is not None) == doubtful, (name, searched)
        assert s3.get_object(Bucket=BUCKET, Key=place + key)["Body"].read() == body, name


@pytest.mark.parametrize("name", ["lines-000000001.ndjson", "reason.json", "claims-000000001.named.ndjson"])
@pytest.mark.parametrize(
    "body", [b"", b"\n", b"889\n", b"[1]\n", b'{"people": 1}\n', b'{"original_base64": "889"}\n', b"\xff"]
)
def test_a_whole_file_that_is_called_like_ours_stops_nothing(
    s3: "S3Client", objects: SearchedObjects, name: str, body: bytes
) -> None:
    key = f"quarantine/events/{name}/e/{name}"
    s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    searched = objects.search(key)
    assert searched.lines == 0 and (searched.doubt is not None) == (b"889" in body)


def test_a_quarantined_line_that_is_not_utf8_is_looked_into(
    s3: "S3Client", objects: SearchedObjects, places: Places
) -> None:
    folder = Quarantine(s3, BUCKET, places).folder("events/a.csv", "e")
    texts = ["889,Café", "1889,Café", "Zoë Ünal", "nobody's"]
    folder.lines([Rejection(n, "not valid UTF-8", text.encode("latin-1")) for n, text in enumerate(texts, 1)])
    (key,) = objects.keys()
    assert objects.search(key).lines == 2
    assert [json.loads(line)["line"] for line in versions(s3, key)[0].splitlines()] == [2, 4]


def test_lines_that_say_whom_they_name_are_found_by_that(
    s3: "S3Client", objects: SearchedObjects, places: Places
) -> None:
    folder = Quarantine(s3, BUCKET, places).folder("events/a.csv", "e")
    folder.lines([Rejection(1, "r", b"890", ("customer#890",)), Rejection(2, "r", b"", ("customer#889", "visitor#v"))])
    Quarantine(s3, BUCKET, places).folder("events/b.csv", "e").lines([Rejection(1, "r", b"889", ("customer#890",))])
    (key,) = objects.keys()
    assert "a.csv" in key
    assert objects.search(key) == Searched(1, frozenset({"visitor#v"}))
    assert [json.loads(line)["line"] for line in versions(s3, key)[0].splitlines()] == [1]


def test_a_reason_that_names_them_goes_and_the_fact_stays(s3: "S3Client", objects: SearchedObjects) -> None:
    key, body = "quarantine/events/a.csv/e/reason.json", {"source_key": "events/a.csv", "line": None}
    s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps({**body, "reason": "it reads ['889']"}))
    assert objects.search(key).lines == 1
    (left,) = versions(s3, key)
    assert json.loads(left).items() > body.items() and b"889" not in left
    assert objects.search(key) == Searched()


def parquet(rows: list[dict[str, Any]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("hers", ["889", 889, 889.0])
def test_rows_of_parquet_go_whatever_its_columns_are_called(
    s3: "S3Client", objects: SearchedObjects, hers: Any
) -> None:
    import pyarrow.parquet as pq

    other = type(hers)(890)
    odd = """x" FROM y; COPY (SELECT 1) TO 'z'; --"""
    rows = [{"Customer ID": one, odd: n, "file": [n]} for n, one in enumerate([hers, other, hers, None])]
    s3.put_object(Bucket=BUCKET, Key="exports/a.parquet", Body=parquet(rows))
    assert objects.search("exports/a.parquet") == Searched(2)
    (left,) = versions(s3, "exports/a.parquet")
    assert pq.read_table(io.BytesIO(left)).to_pylist() == [rows[1], rows[3]]
    assert objects.search("exports/a.parquet") == Searched()


def test_parquet_without_a_column_of_people_is_told_if_it_mentions_them(
    s3: "S3Client", objects: SearchedObjects
) -> None:
    for name, who in (("theirs", "889"), ("others", "890")):
        s3.put_object(Bucket=BUCKET, Key=f"exports/{name}.parquet", Body=parquet([{"user": {"id": who}}]))
    assert objects.search("exports/theirs.parquet").doubt
    assert objects.search("exports/others.parquet") == Searched()


def test_a_second_search_reads_what_was_written_since_and_what_the_index_names(
    s3: "S3Client", objects: SearchedObjects, places: Places
) -> None:
    from datetime import UTC, datetime, timedelta

    s3.put_object(Bucket=BUCKET, Key="exports/a.csv", Body=b"")
    s3.put_object(Bucket=BUCKET, Key="quarantine/a/e/lines-000000001.ndjson", Body=b"")
    s3.put_object(Bucket=BUCKET, Key="quarantine/a/e/lines-000000001.named.ndjson", Body=b"")
    places.note("quarantine/b/e/lines-000000001.named.ndjson", ["customer#889", "customer#890"])
    everything = [
        "exports/a.csv",
        "quarantine/a/e/lines-000000001.ndjson",
        "quarantine/b/e/lines-000000001.named.ndjson",
    ]
    assert [*objects.keys()] == everything
    assert [*objects.keys(after="exports/b")] == everything[1:]
    assert [*objects.keys(since=datetime.now(UTC) - timedelta(minutes=1))] == everything
    assert [*objects.keys(since=datetime.now(UTC) + timedelta(minutes=1))] == everything[2:]


def test_an_object_that_takes_too_long_is_left_as_it_is(s3: "S3Client", places: Places) -> None:
    body = (HEADER + "889,1\n" * 1_000_000).encode()
    s3.put_object(Bucket=BUCKET, Key="exports/a.csv", Body=body)
    turns = iter([True, True])
    objects = SearchedObjects(s3, BUCKET, places, PEOPLE, go_on=lambda: next(turns, False))
    with pytest.raises(OutOfTime):
        objects.search("exports/a.csv")
    assert versions(s3, "exports/a.csv") == [body]
