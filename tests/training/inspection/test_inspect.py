"""Files of shops that nobody prepared are recognised, shown, and read by the mapping that is written."""

import gzip
import json
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from shared.events.mapping import read_mapping
from shared.events.translator import Translator
from training import inspect
from training.data.events import read_events

ROWS = 600
BEGIN = datetime(2023, 1, 13, 8, 26)


def _moments(form: str) -> list[str]:
    return [(BEGIN + timedelta(hours=7 * i)).strftime(form) for i in range(ROWS)]


def invoices(path: Path, random: random.Random) -> Path:
    """A wholesaler's list: cancellations with a C and a negative quantity, and rows of nobody."""
    lines = ["Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country"]
    for i, at in enumerate(_moments("%d/%m/%Y %H:%M")):
        cancelled = i % 50 == 7
        customer = "" if i % 20 == 3 else f"{12_346 + random.randrange(90)}.0"
        number = f"{'C' * cancelled}{536_365 + i // 2}"
        quantity = -2 if cancelled else random.randrange(1, 25)
        price = f"{random.uniform(0.2, 12):.2f}"
        lines.append(f'{number},{10_000 + i % 70}A,"CAFÉ SET, BLUE",{quantity},{at},{price},{customer},France')
    path = path / "invoices.csv"
    path.write_bytes("\n".join(lines).encode("cp1252"))
    return path


def clicks(path: Path, random: random.Random) -> Path:
    """A marketplace's log of what visitors did, in milliseconds and with words of its own."""
    lines = ["timestamp,visitorid,event,itemid,transactionid"]
    for i in range(ROWS):
        event = random.choice(["view"] * 8 + ["addtocart", "transaction", "wished"])
        order = str(i) if event == "transaction" else ""
        lines.append(
            f"{1_433_221_332_117 + i * 9_000_000},{random.randrange(90)},{event},{random.randrange(900)},{order}"
        )
    path = path / "clicks.csv.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def sessions(path: Path, random: random.Random) -> Path:
    """Web analytics: nested objects, one of them as text."""
    path = path / "sessions.ndjson"
    rows = [
        {
            "fullVisitorId": str(10**18 + random.randrange(90)),
            "visitStartTime": 1_500_000_000 + 9_000 * i,
            "device": json.dumps({"deviceCategory": random.choice(["mobile", "desktop"]), "browser": "Chrome"}),
            "geoNetwork": {"country": random.choice(["Spain", "Peru"])},
            "totals": {"timeOnSite": random.randrange(900)},
            "channelGrouping": "Direct",
        }
        for i in range(ROWS)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def german(path: Path, random: random.Random) -> Path:
    """A shop system's export in German: semicolons, commas in numbers, days before months."""
    lines = ["Bestellnummer;Kundennummer;Bestelldatum;Artikel;Menge;Preis"]
    lines += [
        f"{1_000 + i};{random.randrange(90)};{at};Müsli {i % 30};{random.randrange(1, 4)};{i % 1_500},{10 + i % 90} €"
        for i, at in enumerate(_moments("%d.%m.%Y %H:%M"))
    ]
    path = path / "bestellungen.csv"
    path.write_bytes("\n".join(lines).encode("cp1252"))
    return path


def discs(path: Path, random: random.Random) -> Path:
    """A shop's purchases in columns of blanks, without a header."""
    path = path / "purchases.txt"
    rows = [
        f" {i // 5 + 1:05d} {at} {(n := random.randrange(1, 5)):2d} {n * random.uniform(9, 15):6.2f}"
        for i, at in enumerate(_moments("%Y%m%d"))
    ]
    path.write_text("\n".join(rows))
    return path


def table(path: Path, random: random.Random) -> Path:
    """Parquet, as warehouses write it."""
    path = path / "orders.parquet"
    at = [BEGIN + timedelta(hours=i) for i in range(ROWS)]
    users = [random.randrange(90) for _ in at]
    values = [random.uniform(1, 99) for _ in at]
    pq.write_table(pa.table({"order_id": range(ROWS), "user_id": users, "created_at": at, "order_total": values}), path)
    return path


def _inspected(make: Callable[[Path, random.Random], Path], folder: Path) -> tuple[Path, Translator]:
    path = make(folder, random.Random(5))
    out = folder / "mapping.toml"
    assert inspect.main([str(path), "--out", str(out), "--overwrite"]) == 0
    return path, Translator(read_mapping(out.read_bytes()))


@pytest.mark.parametrize(
    ("make", "columns"),
    [
        (invoices, {"timestamp": "InvoiceDate", "customer_id": ["CustomerID", "Customer ID"],
                    "order_id": ["InvoiceNo", "Invoice"], "price": ["UnitPrice", "Price"],
                    "product_id": "StockCode", "quantity": "Quantity", "region": "Country"}),
        (clicks, {"timestamp": "timestamp", "anonymous_id": "visitorid", "event_type": "event", "product_id": "itemid",
                  "order_id": "transactionid"}),
        (sessions, {"timestamp": "visitStartTime", "anonymous_id": "fullVisitorId", "device": "device.deviceCategory",
                    "region": "geoNetwork.country", "engagement_seconds": "totals.timeOnSite",
                    "channel": "channelGrouping"}),
        (german, {"timestamp": "Bestelldatum", "customer_id": "Kundennummer", "order_id": "Bestellnummer",
                  "product_id": "Artikel", "quantity": "Menge", "price": "Preis"}),
        (discs, {"timestamp": "column_2", "customer_id": "column_1", "quantity": "column_3", "price": "column_4"}),
        (table, {"timestamp": "created_at", "customer_id": "user_id", "order_id": "order_id", "price": "order_total"}),
    ],
    ids=["invoices", "clicks", "sessions", "german", "discs", "table"],
)  # fmt: skip
def test_a_file_as_it_is_becomes_events(
    make: Callable[[Path, random.Random], Path], columns: dict[str, str | list[str]], tmp_path: Path
) -> None:
    path, translator = _inspected(make, tmp_path)
    assert translator.mapping.columns == columns
    files = read_events([path], translator=translator)
    assert files.accepted + files.rejected.total() == ROWS
    assert files.rejected.total() == (ROWS // 20 if make is invoices else 0)
    assert not files.unreadable


def test_totals_of_lines_and_of_orders_are_told_from_prices(tmp_path: Path) -> None:
    kinds = {make: _inspected(make, tmp_path)[1].mapping.price_of for make in (invoices, german, discs, table)}
    assert kinds == {invoices: "unit", german: "unit", discs: "line", table: "order"}


def test_what_is_shown_are_rows_as_events_and_what_would_be_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _inspected(invoices, tmp_path)
    shown = " ".join(capsys.readouterr().out.split())
    assert "CSV parted by commas, cp1252; 8 columns; 600 rows were looked at" in shown
    assert "The first 10 events" in shown
    assert "30 of 600 rows would be refused (5.0%) 30: CustomerID and Customer ID are missing" in shown


def test_rows_of_parquet_are_shown_as_they_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _inspected(table, tmp_path)
    shown = " ".join(capsys.readouterr().out.split())
    assert "0 of 600 rows would be refused (0.0%) Events: purchase 600" in shown


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1" + b"x" * 99)
    assert inspect.main([str(path), "--out", str(tmp_path / "m.toml")]) == 2
    assert "is no readable Parquet file" in capsys.readouterr().err


def test_words_that_mean_nothing_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, translator = _inspected(clicks, tmp_path)
    types = {"view": "view_item", "addtocart": "add_to_cart", "transaction": "purchase"}
    assert translator.mapping.event_types == types
    assert "Words that mean nothing to Tessera, and count as other activity: wished" in " ".join(
        capsys.readouterr().out.split()
    )


def test_days_before_months_are_told_by_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    days = [datetime(2023, 1, 1) + timedelta(days=i // 3) for i in range(30)]
    path.write_text("user_id,order_date\n" + "".join(f"{i % 7},{day:%d/%m/%Y}\n" for i, day in enumerate(days)))
    assert inspect.main([str(path), "--out", str(tmp_path / "m.toml")]) == 0
    document = (tmp_path / "m.toml").read_bytes()
    assert read_mapping(document).times.formats == ["%d/%m/%Y"]
    assert b"days and months could change places" in document


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a,b\nx,y\n", "no column holds times; no column says who it was: neither customers nor visitors"),
        ("", "is empty"),
        ("[{}]", "is a JSON list"),
    ],
)
def test_a_file_that_holds_no_events_is_refused_with_all_that_is_missing(
    content: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content)
    assert inspect.main([str(path), "--out", str(tmp_path / "m.toml")]) == 2
    assert reason in capsys.readouterr().err


def test_a_mapping_that_was_corrected_is_not_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "mapping.toml"
    out.write_text("corrected")
    assert inspect.main([str(german(tmp_path, random.Random(5))), "--out", str(out)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert out.read_text() == "corrected"


def test_amounts_that_nobody_calls_a_price_are_none_where_names_tell(tmp_path: Path) -> None:
    path = tmp_path / "sessions.csv"
    rows = (f"{i % 30},2023-01-{1 + i % 28:02d},{i / 7:.2f},{i % 5}\n" for i in range(300))
    path.write_text("visitor_id,date,bounce_rate,hits\n" + "".join(rows))
    assert inspect.main([str(path), "--out", str(tmp_path / "m.toml")]) == 0
    mapping = read_mapping((tmp_path / "m.toml").read_bytes())
    assert (mapping.columns, mapping.constants) == (
        {"timestamp": "date", "anonymous_id": "visitor_id"},
        {"event_type": "page_view"},
    )


def test_a_mapping_is_for_the_files_that_it_names(tmp_path: Path) -> None:
    _, translator = _inspected(german, tmp_path)
    (tmp_path / "more.csv").write_text("event_type,timestamp,customer_id\npage_view,2023-01-01,me\n")
    mapping = replace(translator.mapping, files="best*.csv")
    paths = [tmp_path / "bestellungen.csv", tmp_path / "more.csv"]
    assert read_events(paths, translator=Translator(mapping)).accepted == ROWS + 1


def test_names_of_columns_are_no_markup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.csv"
    path.write_text("order date [red]\x1b,user id [/nothing],category\n2020-01-01,1,[/]\n2020-01-02,2,[bold]\x1b[2J\n")
    assert inspect.main([str(path), "--out", str(tmp_path / "m.toml")]) == 0
    shown = capsys.readouterr().out
    assert "user id [/nothing]" in shown and "[bold]" in shown and "\x1b" not in shown
    columns = read_mapping((tmp_path / "m.toml").read_bytes()).columns
    assert columns["timestamp"] == "order date [red]\x1b"
