"""The ids of products, which states do not keep, where somebody asks for them."""

import io
from collections.abc import Callable
from typing import Any

import pytest

from shared.events import Rules, read_file
from shared.events.columns import add_product_ids, concatenated, product_code, product_ids
from shared.events.texts import Texts
from tests.support.event_files import csv_file, ndjson, ndjson_gz, parquet, purchase

EVENTS = [
    purchase("a", 1, product_id="p-1"),
    purchase("a", 2, product_id="p-1", consent=True),
    purchase("b", 1, product_id="Größe", consent=True),
    purchase("b", 2, product_id=None),
    purchase("b", 3, product_id="refused", price=-1),
]
WANTED = {product_code(one): one for one in ("p-1", "Größe")}


@pytest.mark.parametrize(
    ("write", "name"),
    [(ndjson, "a.ndjson"), (ndjson_gz, "a.ndjson.gz"), (csv_file, "a.csv"), (parquet, "a.parquet")],
)
def test_every_format_tells_them_and_only_where_asked(write: Callable[[Any], bytes], name: str) -> None:
    def told(rules: Rules) -> dict[int, str]:
        chunks = [*read_file(io.BytesIO(write([{**{"consent": None}, **one} for one in EVENTS])), name, rules)]
        return concatenated([chunk.events for chunk in chunks]).product_ids

    assert told(Rules(product_ids=True)) == WANTED
    assert told(Rules()) == {}


def test_of_two_products_with_one_code_neither_is_known() -> None:
    ids = {1: "a", 2: "b"}
    add_product_ids(ids, {1: "a", 2: "c", 3: "d"})
    add_product_ids(ids, {2: "b"})
    assert ids == {1: "a", 2: "", 3: "d"}
    assert product_ids(Texts.of(["", "x", "x"]), Rules(product_ids=True)) == {product_code("x"): "x"}
