"""A shop's own columns and words become events, or are refused by the names of its columns."""

import pickle
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events.dialects import LineBroken
from shared.events.event import Event, parse_timestamp
from shared.events.mapping import read_mapping
from shared.events.translator import Translator, number

INVOICES = """
[columns]
timestamp = "InvoiceDate"
customer_id = ["Customer ID", "CustomerID"]
order_id = "Invoice"
product_id = "StockCode"
quantity = "Quantity"
price = "Price"
[constants]
event_type = "purchase"
[times]
formats = ["%d/%m/%Y %H:%M"]
zone = "Europe/London"
"""
ROW = {
    "Invoice": "536365",
    "StockCode": "85123A",
    "Quantity": "6",
    "InvoiceDate": "01/07/2010 08:26",
    "Price": "£2.55",
    "Customer ID": "17850.0",
}


KNOWN = """
[attributes]
tier = "level"
born = ["customer.born", "birth"]
"""


def translator(document: str) -> Translator:
    return Translator(read_mapping(document.encode()))


def only(document: str, row: Mapping[str, object]) -> Event:
    [event] = translator(document).events(row)
    return event


def test_a_row_of_an_invoice_is_a_purchase() -> None:
    event = only(INVOICES, ROW)
    assert (event.event_type, event.customer_id, event.order_id, event.product_id) == (
        *("purchase", "17850", "536365"),
        "85123A",
    )
    assert (event.quantity, event.price) == (6, 2.55)


def test_sent_to_another_process_it_says_the_same() -> None:
    sent = pickle.loads(pickle.dumps(translator(INVOICES)))  # our own bytes
    assert sent.events(ROW) == translator(INVOICES).events(ROW)


def test_times_without_an_offset_are_the_shops_own() -> None:
    assert only(INVOICES, ROW).timestamp == 1_277_969_160_000  # 07:26 UTC, an hour before London's summer time


def test_the_first_column_that_is_filled_counts() -> None:
    assert only(INVOICES, {**ROW, "Customer ID": "", "CustomerID": 12}).customer_id == "12"


@pytest.mark.parametrize("changed", [{"Quantity": "-6"}, {"Quantity": "-6", "Price": "2.55"}])
def test_a_negative_quantity_is_a_refund(changed: dict[str, str]) -> None:
    event = only(INVOICES, {**ROW, **changed})
    assert (event.event_type, event.quantity) == ("refund", 6)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"Customer ID": "NULL"}, "Customer ID and CustomerID are missing"),
        ({"InvoiceDate": ""}, "InvoiceDate is missing"),
        ({"InvoiceDate": "Alice"}, "InvoiceDate must be a time in ISO 8601, or in seconds or milliseconds since 1970"),
        ({"Price": "free"}, "Price must be a number from 0 to 1,000,000,000"),
        ({"StockCode": "x" * 2_000}, "StockCode must be text of at most 1,024 characters"),
        ({"Quantity": "0"}, "Quantity must be a number above 0 and at most 1,000,000"),
    ],
)
def test_a_row_that_breaks_a_rule_is_refused_by_its_column_and_without_its_value(
    changed: dict[str, str], reason: str
) -> None:
    with pytest.raises(LineBroken) as refusal:
        translator(INVOICES).events({**ROW, **changed})
    assert str(refusal.value) == reason


def test_their_words_are_ours() -> None:
    mapping = """
        columns = {timestamp = "at", anonymous_id = "who", event_type = "what"}
        event_types = {view = "view_item", transaction = "purchase"}
    """
    kinds = [only(mapping, {"at": 1e9, "who": 7, "what": what}).event_type for what in ("view", "transaction", "odd")]
    assert kinds == ["view_item", "purchase", "odd"]


def test_paths_lead_into_objects_and_into_json_that_a_column_holds() -> None:
    mapping = """
        columns = {timestamp = "hit.time", customer_id = "user.id", device = "device.deviceCategory"}
        constants = {event_type = "page_view"}
        times = {unit = "microseconds"}
    """
    row = {"hit": {"time": 1e15}, "user": {"id": 5}, "device": '{"deviceCategory": "mobile"}'}
    event = only(mapping, row)
    assert (event.timestamp, event.customer_id, event.device) == (1e12, "5", "mobile")


@pytest.mark.parametrize(
    "odd", [10**400, [1], {"a": 1}, True, -1, 1e300], ids=["huge", "list", "object", "true", "negative", "large"]
)
@pytest.mark.parametrize("field", ["at", "who", "what", "kind"])
def test_whatever_json_can_say_is_an_event_or_refused(field: str, odd: object) -> None:
    mapping = """
        columns = {timestamp = "at", customer_id = "who", event_type = "what", category = "kind"}
        event_types = {view = "view_item"}
    """
    row = {"at": 1e9, "who": "1", "what": "view", "kind": "Hats", field: odd}
    with suppress(LineBroken):
        translator(mapping).events(row)
    assert all(person.startswith("customer#") for person in translator(mapping).people(row))


@pytest.mark.parametrize("day", ["1970-01-02", "1972-05-01", "1999-12-31", "1969-12-31"])
def test_days_of_long_ago_are_those_days(day: str) -> None:
    timestamp = only(INVOICES.replace("%d/%m/%Y %H:%M", "%Y-%m-%d"), {**ROW, "InvoiceDate": day}).timestamp
    at = datetime.fromtimestamp(parse_timestamp(timestamp) / 1_000, ZoneInfo("Europe/London"))
    assert at.date().isoformat() == day


def test_orders_with_long_numbers_are_told_apart() -> None:
    orders = [{**ROW, "Invoice": "x" * 200 + end} for end in "ab"]
    assert len({only(f'price_of = "order"\n{INVOICES}', order).event_id for order in orders}) == 2


def test_all_whom_a_wide_row_names_are_known() -> None:
    mapping = """
        columns = {timestamp = "at"}
        constants = {event_type = "gift"}
        events = [{columns = {customer_id = "from"}}, {columns = {customer_id = "to"}}]
    """
    assert translator(mapping).people({"from": "1.0", "to": 2}) == ("customer#1", "customer#2")


def test_a_wide_row_tells_the_events_that_happened() -> None:
    mapping = """
        columns = {customer_id = "id"}
        [[events]]
        columns = {timestamp = "signed_up"}
        constants = {event_type = "sign_up"}
        [[events]]
        columns = {timestamp = "bought", price = "spent"}
        constants = {event_type = "purchase"}
    """
    both = translator(mapping).events({"id": "1", "signed_up": "2020-01-01", "bought": "2020-01-02", "spent": "5"})
    one = translator(mapping).events({"id": "1", "signed_up": "2020-01-01", "bought": ""})
    assert [[event.event_type for event in events] for events in (both, one)] == [["sign_up", "purchase"], ["sign_up"]]


@pytest.mark.parametrize(("price_of", "price", "quantity"), [("unit", 12, 4), ("line", 3, 4), ("order", 12, None)])
def test_prices_are_of_a_piece_of_a_line_or_of_an_order(price_of: str, price: float, quantity: float | None) -> None:
    event = only(f'price_of = "{price_of}"\n{INVOICES}', {**ROW, "Price": "12", "Quantity": "4"})
    assert (event.price, event.quantity) == (price, quantity)


def test_rows_that_repeat_an_order_are_one_event() -> None:
    ids = {only(f'price_of = "order"\n{INVOICES}', {**ROW, "StockCode": code}).event_id for code in ("a", "b")}
    assert len(ids) == 1 and None not in ids


@pytest.mark.parametrize(
    ("text", "decimal", "amount"),
    [
        ("£1,234.50", ".", 1234.5),
        ("1.234,50 €", ",", 1234.5),
        ("(3.00)", ".", -3),
        ("\u22123", ".", -3),
        ("USD 12", ".", 12),
        ("1e3", ".", 1000),
        (7, ".", 7),
    ],
)
def test_amounts_are_read_as_shops_write_them(text: object, decimal: str, amount: float) -> None:
    assert number(text, decimal) == amount


@given(st.text() | st.floats() | st.integers() | st.booleans() | st.none())
def test_whatever_stands_there_is_a_number_or_refused(value: object) -> None:
    with suppress(ValueError, TypeError, OverflowError):
        assert isinstance(number(value), float)


@given(st.dictionaries(st.sampled_from([*ROW, "other"]), st.text() | st.floats() | st.integers(), max_size=7))
def test_any_row_gives_events_or_is_refused(row: dict[str, object]) -> None:
    try:
        events = translator(INVOICES).events(row)
    except LineBroken:
        return
    assert [msgspec.convert(msgspec.structs.asdict(event), Event) for event in events] == events


def test_names_with_quotes_and_semicolons_are_names() -> None:
    mapping = """columns = {timestamp = 'size 5"; DROP', customer_id = "a.b"}\nconstants = {event_type = "purchase"}"""
    assert only(mapping, {'size 5"; DROP': "2020-01-01", "a.b": "1"}).customer_id == "1"


def test_a_number_in_a_path_is_an_entry_of_a_list() -> None:
    document = INVOICES.replace('"Invoice"', '"sales.0.id"')
    assert only(document, {**ROW, "sales": [{"id": "x"}]}).order_id == "x"
    assert only(document, {**ROW, "sales": []}).order_id is None


def test_columns_of_optional_fields_may_be_absent() -> None:
    assert translator(INVOICES).absent([*ROW][:-1]) == ["Customer ID"]
    assert translator('optional = ["customer_id"]' + INVOICES).absent([*ROW][:-1]) == []


def test_attributes_come_from_several_columns_and_from_one_that_holds_them_all() -> None:
    row = {**ROW, "level": " gold ", "birth": 1987, "customer": '{"born": null}'}
    assert only(INVOICES + KNOWN, row).attributes == {"tier": "gold", "born": 1987}
    assert only(INVOICES + KNOWN, ROW).attributes is None
    all_of_them = INVOICES.replace("[constants]", 'attributes = "traits"\n[constants]') + KNOWN
    both = {**row, "traits": '{"tier": "silver", "vip": true}'}
    assert only(all_of_them, both).attributes == {"tier": "gold", "born": 1987, "vip": True}
    with pytest.raises(LineBroken, match="traits must be an object of at most 30 entries"):
        only(all_of_them, {**row, "traits": "silver"})
    assert translator(INVOICES + KNOWN).absent([*ROW]) == []


@pytest.mark.parametrize(
    ("options", "discount"),
    [
        ("", "-$1.50"),
        ("", "1.50"),
        ('cents = ["discount"]', "-150"),
        ('millionths = ["discount"]', 1.5e6),
    ],
)
def test_a_discount_is_taken_off_however_it_is_written(options: str, discount: object) -> None:
    mapping = options + INVOICES.replace("[columns]", '[columns]\ndiscount = "off"')
    event = only(mapping, {**ROW, "off": discount})
    assert event.discount == 1.5


@pytest.mark.parametrize(("written", "read"), [("eur", "EUR"), ("EUR", "EUR"), ("Euro", None), (978, None)])
def test_a_currency_may_be_in_small_letters(written: object, read: str | None) -> None:
    mapping = INVOICES.replace("[columns]", '[columns]\ncurrency = "Currency"')
    if read is None:
        with pytest.raises(LineBroken, match="Currency must be a currency code of ISO 4217"):
            only(mapping, {**ROW, "Currency": written})
    else:
        assert only(mapping, {**ROW, "Currency": written}).currency == read
