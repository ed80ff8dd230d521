"""Columns of texts are held against the rules."""

import numpy as np
import pytest

from shared.events import Rules
from shared.events.plain import Lines, checked, event_columns
from shared.events.texts import Texts
from shared.features.columns import PURCHASE
from tests.events.lines import GOOD, NOW_MS


def lines_of(**values: str) -> Lines:
    """A line that keeps all rules but for these values, and one that does."""
    names = [*GOOD, *(name for name in values if name not in GOOD)]
    good = {name: str(GOOD.get(name, "")) for name in names}
    cells = [text for name in names for text in (values.get(name, good[name]), good[name])]
    all_texts = Texts.of(cells)
    texts = {name: all_texts.take(np.array([2 * at, 2 * at + 1])) for at, name in enumerate(names)}
    return Lines(texts, np.ones(2, np.bool_), np.zeros(2, np.bool_))


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("event_id", ""), ("event_id", "x" * 129), ("event_type", ""), ("customer_id", ""), ("anonymous_id", "v"),
        ("timestamp", ""), ("timestamp", "soon"), ("timestamp", "2019-01-01"), ("timestamp", "1969-01-01"),
        ("price", "-1"), ("price", "1000000001"), ("price", "x"), ("quantity", "0"), ("quantity", "1000001"),
        ("currency", "EUR"), ("consent", "true"), ("category", "x" * 1_025), ("discount", "NaN"),
        ("attributes", "{}"), ("event_type", "campaign_exposure"),
    ],
)  # fmt: skip
def test_a_line_that_breaks_a_rule_or_needs_care_is_not_plain(field: str, text: str) -> None:
    assert checked(lines_of(**{field: text}), Rules(now_ms=NOW_MS)).plain.tolist() == [False, True]


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("price", ""),
        ("quantity", ""),
        ("currency", ""),
        ("brand", "x" * 1_024),
        ("timestamp", "1506852000"),
        ("price", "1E2"),
    ],
)
def test_a_line_that_keeps_them_is_plain(field: str, text: str) -> None:
    assert checked(lines_of(**{field: text}), Rules(now_ms=NOW_MS)).plain.all()


@pytest.mark.parametrize("field", [*GOOD, "quantity", "discount", "currency", "campaign", "arm", "channel"])
def test_no_value_is_looked_at_that_is_longer_than_any_that_keeps_the_rules(field: str) -> None:
    checked_lines = checked(lines_of(**{field: "7" * 100_000}), Rules(currency=None, now_ms=NOW_MS))
    assert checked_lines.plain.tolist() == [False, True]
    assert max(texts.sizes.max() for texts in checked_lines.lines.texts.values()) <= 1_024


def test_any_code_is_a_currency_where_no_one_is_counted() -> None:
    for code, is_plain in (("EUR", True), ("eur", False), ("EURO", False), ("ÄÖÜ", False)):
        assert checked(lines_of(currency=code), Rules(currency=None)).plain.tolist() == [is_plain, True]


def test_quantity_times_price_has_a_bound_too() -> None:
    assert checked(lines_of(price="1e9", quantity="2"), Rules()).plain.tolist() == [False, True]


def test_what_is_plain_becomes_columns() -> None:
    events = event_columns(checked(lines_of(event_id="", category="Hats"), Rules()), Rules())
    assert (len(events), events.keys, events.rows.kind.tolist()) == (1, ["customer#889"], [PURCHASE])
    assert events.rows.net.tolist() == [50_000]
