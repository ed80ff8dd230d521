"""Candidates: the line that is printed declares the feature that was judged."""

import numpy as np
import pytest

from shared.features import Feature, catalogue, category_hash
from shared.features.columns import SEARCH
from shared.features.history import History
from tests.support.event_files import profiles, purchase
from training.discovery.candidates import KINDS, SINCE, Candidate

NAMES = {category_hash(name): name for name in ("Bakery", 'a"); import os; ("', "‮evil\n", "12 months", "日本")}
AS_OF_MS = 1_509_500_000_000
WHERE = ((None, 0), ("kind", SEARCH), ("category", category_hash("Bakery")), ("brand", 7))


def declared(line: str) -> list[Feature]:
    """The features that a line of the catalogue declares."""
    made = eval(f"[{line}]", vars(catalogue))
    return list(made)


def history() -> History:
    events = [purchase(name, n, day=1 + n, brand="Acme", product_id=f"p{n % 2}") for name in "ab" for n in range(3)]
    events += [{**purchase("a", 50 + n, day=9), "event_type": "search", "order_id": None} for n in range(2)]
    return History(profiles(*events), AS_OF_MS)


@pytest.mark.parametrize("measure", [*KINDS, SINCE])
@pytest.mark.parametrize(("column", "value"), WHERE)
def test_the_line_declares_what_was_judged(measure: str, column: str | None, value: int) -> None:
    days = None if measure == SINCE else 90
    candidate = Candidate(measure, column, value, days)
    ours = candidate.feature(NAMES)
    (feature,) = declared(candidate.line(NAMES))
    assert (feature.name, feature.unit, feature.window_days) == (ours.name, ours.unit, ours.window_days)
    assert feature.description.startswith(ours.description)
    assert feature.name.isidentifier()
    known = history()
    np.testing.assert_array_equal(feature.formula(known, days), ours.formula(known, days))


@pytest.mark.parametrize("name", NAMES.values())
def test_what_a_shop_calls_its_categories_stays_text(name: str) -> None:
    candidate = Candidate("count", "category", category_hash(name), 30)
    line = candidate.line(NAMES)
    assert line.isprintable()
    (feature,) = declared(line)
    assert feature.name.isidentifier() and feature.name.isascii()
    known = history()
    np.testing.assert_array_equal(feature.formula(known, 30), candidate.feature(NAMES).formula(known, 30))


def test_a_category_whose_name_is_not_known_is_told_by_its_code() -> None:
    candidate = Candidate("count", "category", 12, 30)
    assert "f.matching(h, category=12)" in candidate.line({12: "two names of one code"})
    assert candidate.name({}) == "category_12_events_30d"
