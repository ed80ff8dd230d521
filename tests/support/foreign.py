"""Files of other tools' shapes, made up of a small shop's events after the tools' public documentation."""

import csv
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from tests.support.shop import Event, shop_events

WORDS = {"view_item": "view", "add_to_cart": "cart", "purchase": "transaction", "refund": "return"}
COUNTRIES = ("United Kingdom", "France", "Germany")
NOBODY_EVERY = 25
"""Of so many lines of invoices, one names no customer."""
RENAMED = "2024-06-01"
"""From when on web analytics call visitors otherwise."""


def invoices(folder: Path) -> Path:
    """A wholesaler's list of invoices, as UCI's Online Retail is one: cancellations, and lines of nobody."""
    header = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]
    sold = [event for event in shop_events() if event["event_type"] in ("purchase", "refund")]
    rows = []
    for number, event in enumerate(sold):
        cancelled = event["event_type"] == "refund"
        customer = int(event["customer_id"])
        rows.append([
            f"{'C' * cancelled}{536_365 + number}", f"{22_000 + number % 90}", "CAFÉ SET, BLUE", -1 if cancelled else 1,
            f"{_at(event):%d/%m/%Y %H:%M}", event["price"],
            f"{12_346 + customer}.0" if number % NOBODY_EVERY else "", COUNTRIES[customer % 3],
        ])  # fmt: skip
    return _table(folder / "invoices.csv", header, rows, "cp1252")


def hits(folder: Path) -> Path:
    """Hits of web analytics with JSON in a column, as exports of them have it, in a file for each half of the year; in
    the second, the id of visitors is called otherwise."""
    folder = folder / "analytics"
    folder.mkdir()
    header = ["hitTime", "fullVisitorId", "action", "device", "ecommerce"]
    halves: tuple[list[Sequence[object]], list[Sequence[object]]] = ([], [])
    for event in shop_events():
        device = json.dumps({"deviceCategory": event["device"], "isMobile": event["device"] == "mobile"})
        bought = {"transactionId": event.get("order_id"), "value": event.get("price")}
        ecommerce = json.dumps({name: value for name, value in bought.items() if value})
        time = f"{_at(event):%Y-%m-%d %H:%M:%S} UTC"
        row = [time, f"GA1.{event['customer_id']}", WORDS[event["event_type"]], device, ecommerce]
        halves[time >= RENAMED].append(row)
    for half in halves:
        half.sort(key=lambda row: str(row[0]))
    _table(folder / "hits-1.csv", header, halves[0])
    _table(folder / "hits-2.csv", ["hitTime", "clientId", *header[2:]], halves[1])
    return folder


def orders(folder: Path) -> Path:
    """A shop system's export of orders: Shopify's, whose further lines of an order leave most columns empty."""
    header = [
        *("Name", "Email", "Financial Status", "Paid at", "Currency", "Subtotal", "Total", "Discount Code"),
        *("Discount Amount", "Created at", "Lineitem quantity", "Lineitem name", "Lineitem price", "Lineitem sku"),
        *("Billing Country", "Shipping Country", "Cancelled at", "Refunded Amount", "Vendor", "Id"),
        "Lineitem discount",
    ]
    refunded = {event["order_id"]: event for event in shop_events() if event["event_type"] == "refund"}
    rows = []
    for number, event in enumerate(event for event in shop_events() if event["event_type"] == "purchase"):
        who, at = f"c{event['customer_id']}@example.com", f"{_at(event):%Y-%m-%d %H:%M:%S} +0000"
        refund = refunded.get(event["order_id"])
        status = ["refunded", f"{_at(refund):%Y-%m-%d %H:%M:%S} +0000", event["price"]] if refund else ["paid", "", 0]
        price = event["price"] + event["discount"]
        rows.append([
            f"#{1_001 + number}", who, status[0], at, "USD", price, event["price"], "", event["discount"], at, 1,
            "Fern, framed", price, f"FERN-{number % 40}", "US", "US", status[1], status[2], "Leaf", 5_000 + number,
            event["discount"],
        ])  # fmt: skip
        if number % 5 == 0:
            rows.append([rows[-1][0], who, *[""] * 7, at, 1, "Tote", 5, "TOTE", *[""] * 4, "Leaf", "", 0])
    return _table(folder / "orders_export.csv", header, rows)


def _at(event: Event) -> datetime:
    return datetime.fromisoformat(event["timestamp"])


def _table(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]], encoding: str = "utf-8") -> Path:
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path
