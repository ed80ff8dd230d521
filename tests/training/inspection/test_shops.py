"""Shapes of exports that shops have, each guessed whole: what it tells is what it was made of."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.events import Event
from shared.events.mapping import read_mapping
from shared.events.translator import Translator
from training import inspect
from training.data.events import read_events
from training.inspection.known import as_it_is
from training.inspection.sample import read_sample

BEGIN = datetime(2023, 1, 13, 8, 26, tzinfo=UTC)
NUMBER = 600
KINDS = ("view", "view", "view", "cart", "buy")


@dataclass(frozen=True)
class Action:
    """What somebody did."""

    number: int
    at: datetime
    who: int
    kind: str
    product: int
    quantity: int
    price: float

    @property
    def total(self) -> float:
        return round(self.price * self.quantity, 2)

    @property
    def seconds(self) -> int:
        return int(self.at.timestamp())


def actions() -> list[Action]:
    return [
        Action(i, BEGIN + timedelta(hours=5 * i), i * 7 % 61, KINDS[i % 5], 100 + i * 11 % 40, 1 + i % 3, 2.5 + i % 37)
        for i in range(NUMBER)
    ]


def table(rows: Iterator[Sequence[Any]], header: Sequence[str] = (), above: str = "", delimiter: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows([header, *rows] if header else [*rows])
    return above + text.getvalue()


def lines(rows: Iterator[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def clicks_without_header(done: Sequence[Action]) -> str:
    words = {"view": "pv", "cart": "cart", "buy": "buy"}
    return table((a.who + 10_000, a.product, a.product % 5, words[a.kind], a.seconds) for a in done)


def report_below_titles(done: Sequence[Action]) -> str:
    header = ("Order Date", "Order No", "Customer", "SKU", "Qty", "Unit Price")
    rows = ((a.at.strftime("%Y-%m-%d %H:%M"), a.number, f"C{a.who}", a.product, a.quantity, a.price) for a in done)
    return table(rows, header, above="Sales of 2023\nMade by the till\n\n", delimiter=";")


def receipts(done: Sequence[Action]) -> str:
    header = ("SHOP_WEEK", "SHOP_DATE", "SHOP_HOUR", "QUANTITY", "SPEND", "PROD_CODE", "CUST_CODE", "BASKET_ID")
    return table((
        (a.at.strftime("%Y%W"), a.at.strftime("%Y%m%d"), a.at.hour, a.quantity, a.total, f"P{a.product}",
         f"CUST{a.who:08d}", 90_000 + a.number) for a in done), header)  # fmt: skip


def glued_names(done: Sequence[Action]) -> str:
    header = ("id", "chain", "date", "purchasequantity", "purchaseamount")
    return table(((80_000 + a.who, 205, f"{a.at:%Y-%m-%d}", a.quantity, a.total) for a in done), header)


def amount_of_pieces(done: Sequence[Action]) -> str:
    header = ("TRANSACTION_DT", "CUSTOMER_ID", "PRODUCT_ID", "AMOUNT", "SALES_PRICE")
    return table(((f"{a.at:%d/%m/%Y}", a.who, a.product, a.quantity, round(a.total)) for a in done), header)


def shares_off(done: Sequence[Action]) -> str:
    header = ("Order ID", "Order Date", "Ship Date", "Customer ID", "Product ID", "Sales", "Quantity", "Discount")
    return table((
        (f"CA-{a.number}", f"{a.at:%Y-%m-%d}", f"{a.at:%Y-%m-%d}", f"C{a.who}", a.product, a.total, a.quantity,
         0.2 * (a.number % 2)) for a in done), header)  # fmt: skip


def charges(done: Sequence[Action]) -> str:
    header = ("id", "Created (UTC)", "Amount", "Amount Refunded", "Currency", "Status", "Customer ID")
    return table((
        (f"ch_{a.number}", f"{a.at:%Y-%m-%d %H:%M}", f"{a.total:.2f}", "0.00", "eur",
         "Failed" if a.number % 10 == 3 else "Paid", f"cus_{a.who}") for a in done), header)  # fmt: skip


def till(done: Sequence[Action]) -> str:
    header = ("Date", "Time", "Time Zone", "Item", "Qty", "Discounts", "Net Sales", "Transaction ID", "Customer ID")
    return table((
        (f"{a.at:%m/%d/%y}", f"{a.at:%H:%M:%S}", "Eastern", a.product, f"{a.quantity:.1f}", f"-${a.number % 3}.50",
         f"${a.total:,.2f}", f"tx{a.number}", f"SQ{a.who}") for a in done), header)  # fmt: skip


def visits(done: Sequence[Action]) -> str:
    """Sessions of web analytics, whose revenue is in millionths."""
    header = ("date", "fullVisitorId", "visitStartTime", "totals")
    return table((
        (f"{a.at:%Y%m%d}", f"{a.who:012d}", a.seconds, json.dumps(
            {"pageviews": "3"} | ({"transactionRevenue": str(round(a.total * 100) * 10_000)} if a.kind == "buy" else {})
        )) for a in done), header)  # fmt: skip


def words_the_other_way(done: Sequence[Action]) -> str:
    words = {"view": "View Product", "cart": "Add To Cart", "buy": "Purchase"}
    return lines({
        "event": words[a.kind],
        "properties": {"time": a.seconds, "distinct_id": f"u{a.who}", "$insert_id": f"i{a.number}",
                       "Product ID": a.product, "Revenue": a.total, "Quantity": a.quantity},
    } for a in done)  # fmt: skip


def orders_with_lines(done: Sequence[Action]) -> str:
    return lines({
        "id": a.number, "created_at": a.at.isoformat(), "currency": "eur",
        "status": "cancelled" if a.number % 10 == 3 else "complete",
        "customer": {"id": f"c{a.who}", "country": "DE"},
        "shipping_lines": [{"title": "DHL", "price": "4.90"}],
        "line_items": [{"sku": f"S{a.product}", "quantity": a.quantity, "price": f"{a.price:.2f}"}],
    } for a in done)  # fmt: skip


def sessions_of_events(done: Sequence[Action]) -> str:
    words = {"view": "clicks", "cart": "carts", "buy": "orders"}
    of = {who: [a for a in done if a.who == who] for who in range(61)}
    return lines(
        {"session": who, "events": [{"aid": a.product, "ts": a.seconds * 1_000, "type": words[a.kind]} for a in each]}
        for who, each in of.items()
    )


def sessions_as_columns(done: Sequence[Action]) -> str:
    """Nested names that were written flat, with a prefix that says again what they are."""
    header = ("visitStartTime", "fullVisitorId", "device_deviceCategory", "device_browser", "total_timeOnsite")
    return table(((a.seconds, f"{a.who:012d}", "mobile", f"b{a.who % 9}", 30) for a in done), header)


ALL = {"purchase": NUMBER}
VALID = {"purchase": NUMBER - NUMBER // 10}
BY_KIND = {"view_item": 360, "add_to_cart": 120, "purchase": 120}
SHOPS: list[tuple[Callable[[Sequence[Action]], str], str, dict[str, int], set[str]]] = [
    (clicks_without_header, "csv", {"page_view": 360, "add_to_cart": 120, "purchase": 120}, {"customer_id"}),
    (report_below_titles, "csv", ALL, {"customer_id", "order_id", "product_id", "quantity", "price"}),
    (receipts, "csv", ALL, {"customer_id", "order_id", "product_id", "quantity", "price"}),
    (glued_names, "csv", ALL, {"customer_id", "quantity", "price"}),
    (amount_of_pieces, "csv", ALL, {"customer_id", "product_id", "quantity", "price"}),
    (shares_off, "csv", ALL, {"customer_id", "order_id", "product_id", "quantity", "price"}),
    (charges, "csv", VALID, {"customer_id", "currency", "price"}),
    (till, "csv", ALL, {"customer_id", "order_id", "product_id", "quantity", "price", "discount"}),
    (visits, "csv", {"page_view": NUMBER, "purchase": 120}, {"anonymous_id", "price"}),
    (sessions_as_columns, "csv", {"page_view": NUMBER}, {"anonymous_id", "device", "engagement_seconds"}),
    (words_the_other_way, "ndjson", BY_KIND, {"anonymous_id", "event_id", "product_id", "quantity", "price"}),
    (orders_with_lines, "ndjson", VALID, {"customer_id", "product_id", "quantity", "price", "currency", "region"}),
    (sessions_of_events, "jsonl", BY_KIND, {"anonymous_id", "product_id"}),
]


@pytest.mark.parametrize(("make", "ending", "counts", "fields"), SHOPS, ids=[make.__name__ for make, *_ in SHOPS])
def test_what_it_tells_is_what_it_was_made_of(
    make: Callable[[Sequence[Action]], str], ending: str, counts: dict[str, int], fields: set[str], tmp_path: Path
) -> None:
    done = actions()
    path, out = tmp_path / f"shop.{ending}", tmp_path / "mapping.toml"
    path.write_text(make(done))
    assert inspect.main([str(path), "--out", str(out)]) == 0
    translator = Translator(read_mapping(out.read_bytes()))
    mapping = translator.mapping
    assert {*mapping.columns} | {f for part in mapping.events for f in part.columns} >= {"timestamp", *fields}
    assert ("discount" in mapping.columns) == (make is till)
    read = read_events([path], translator=translator)
    assert sum(read.rejected.values()) == (3 if make is report_below_titles else 0)
    assert read.accepted == sum(counts.values())
    events = [e for record in read_sample(path, mapping=mapping).records for e in _told(translator, record)]
    assert Counter(event.event_type for event in events) == counts
    if "price" in fields:
        assert sum(map(_paid, events)) == pytest.approx(_expected(make, done), rel=0.001)
    if make is sessions_as_columns:
        assert mapping.columns["device"] == "device_deviceCategory" and "category" not in mapping.columns
    if make in (till, visits, sessions_of_events):
        assert {_hour(event) for event in events} == {a.at.hour for a in done}
    assert len({event.customer_id or event.anonymous_id for event in events}) == 61


def _told(translator: Translator, record: Any) -> list[Event]:
    try:
        return translator.events(record)
    except ValueError:
        return []


def _paid(event: Event) -> float:
    return (event.price or 0.0) * (event.quantity or 1.0) if event.event_type == "purchase" else 0.0


def _hour(event: Event) -> int:
    at = float(event.timestamp)
    return datetime.fromtimestamp(at / 1_000 if at > 1e11 else at, UTC).hour


def _expected(make: Callable[[Sequence[Action]], str], done: Sequence[Action]) -> float:
    bought = [a for a in done if a.kind == "buy"] if make in (visits, words_the_other_way) else done
    if make in (charges, orders_with_lines):
        bought = [a for a in bought if a.number % 10 != 3]
    return sum(round(a.total) if make is amount_of_pieces else a.total for a in bought)


def test_a_header_is_one_where_a_column_has_no_name(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        ",event,user_id,date\n" + "".join(f"{i},view,u{i % 9},2023-01-{i % 28 + 1:02d}\n" for i in range(90))
    )
    assert read_sample(path).header is True


def test_names_and_words_of_theirs_are_nothing_but_text(tmp_path: Path) -> None:
    path, out = tmp_path / "a.csv", tmp_path / "mapping.toml"
    states = ('failed [x] "now" = 1', "voided *", "fine")
    rows = ((f"u{i % 9}", f"2023-01-{i % 28 + 1:02d}", f"{i}.50", states[i % 3]) for i in range(90))
    path.write_text(table(rows, ("user_id", "date", "price", 'status = "a" [x]\x1b')))
    assert inspect.main([str(path), "--out", str(out)]) == 0
    translator = Translator(read_mapping(out.read_bytes()))
    assert translator.mapping.where == {'status = "a" [x]\x1b': ['!failed ?x? "now" = 1', "!voided ?"]}
    assert sum(len(translator.events(record)) for record in read_sample(path).records) == 30


@pytest.mark.parametrize("odd", ["[{}]", "[{" * 9_000, '{"a":' * 9_000, "[{},1]", '[{"sku": [{"sku": 1}]}]'])
def test_lists_of_anything_end_no_look_at_a_file(odd: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(table(((f"u{i % 9}", "2023-01-02", odd) for i in range(30)), ("user_id", "date", "items")))
    assert inspect.main([str(path), "--out", str(tmp_path / "mapping.toml")]) == 0


def test_tesseras_own_columns_below_a_title_are_not_read_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = ((f"u{i % 9}", "2023-01-02", "page_view") for i in range(30))
    path.write_text(table(rows, ("customer_id", "timestamp", "event_type"), above="Title\n"))
    sample = read_sample(path)
    assert (sample.header, as_it_is(sample)) == (["customer_id", "timestamp", "event_type"], None)
