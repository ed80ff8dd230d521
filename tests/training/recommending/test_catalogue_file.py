"""Catalogues in every format, good and bad."""

from pathlib import Path
from typing import Any

import pytest

from shared.events.columns import product_code
from shared.features import category_hash
from tests.support.event_files import csv_file, ndjson, parquet
from training.base.errors import InputError
from training.recommending.building import Entry
from training.recommending.catalogue_file import MOST_BYTES, entries_of, read_catalogue

ROWS: list[dict[str, Any]] = [
    {"product_id": "a1", "name": "Bread", "category": "Bakery", "price": 2.5, "available": True},
    {"product_id": "b1", "name": "Brot, süß", "category": "", "price": None, "available": False},
]
WANTED = {
    product_code("a1"): Entry("a1", "Bread", category_hash("Bakery"), 2.5, True),
    product_code("b1"): Entry("b1", "Brot, süß", 0, None, False),
}


@pytest.mark.parametrize(("write", "name"), [(csv_file, "a.csv"), (ndjson, "a.ndjson"), (parquet, "A.PARQUET")])
def test_every_format_says_the_same(write: Any, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(write(ROWS))
    assert read_catalogue(path) == (WANTED, {category_hash("Bakery"): "Bakery"})


def test_all_but_the_id_may_be_missing_and_the_last_line_of_a_product_counts() -> None:
    entries, _, problems = entries_of(b'{"product_id": "a1"}\n\n{"product_id": "a1", "available": 0}\n', "a.jsonl")
    assert (entries, problems) == ({product_code("a1"): Entry("a1", available=False)}, [])


@pytest.mark.parametrize(
    ("content", "name", "why"),
    [
        (b"", "a.csv", "no column product_id"),
        (b"id,name\n1,x\n", "a.csv", "no column product_id"),
        (b"product_id\n\xff\n", "a.csv", "not UTF-8"),
        (b'{"product_id": ""}', "a.ndjson", "entry 1: product_id is missing"),
        (b'{"product_id": "a", "price": -1}', "a.ndjson", "price must be"),
        (b'{"product_id": "a", "price": "1e999"}', "a.ndjson", "price must be"),
        (b'{"product_id": "a", "available": "perhaps"}', "a.ndjson", "available must be"),
        (b'{"product_id": ["a"]}', "a.ndjson", "product_id must be text"),
        (b'{"product_id": "' + b"a" * 300 + b'"}', "a.ndjson", "more than 256 bytes"),
        (b"[1]", "a.ndjson", "no JSON object"),
        (b"{", "a.ndjson", "not JSON"),
        (b"PAR1", "a.parquet", "no Parquet"),
        (b"x", "a.xlsx", "ends in none of"),
    ],
)
def test_what_is_wrong_is_said(content: bytes, name: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=why):
        read_catalogue(path)


def test_a_catalogue_is_bounded_and_names_something(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"product_id\n")
    with pytest.raises(InputError, match="names no product"):
        read_catalogue(path)
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(InputError, match="a catalogue may have"):
        read_catalogue(path)
