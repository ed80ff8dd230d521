from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.audiences.evaluating import Customers, Histories
from shared.audiences.reading import Names, read_rule
from shared.events.columns import product_code
from shared.features import FEATURE_NAMES, Profiles, features
from shared.identity.keys import customer_id
from shared.insight.rule_sizes import NotExported, rule_size
from tests.audiences.random_rules import NAMES, rules
from tests.features.histories import LEAP_DAY, folded, histories
from tests.insight.exported import exposures, orders, write
from tests.support.examples import at_most

AS_OF_MS = round(LEAP_DAY.timestamp() * 1_000)
MADE = {"snapshot_at": AS_OF_MS, "segment_id": 0, "attributes": "{}"}
RULES_AT_ONCE = 6


def _size(folder: Path, text: str, customers: list[dict[str, Any]], names: Names = NAMES, **tables: Any) -> Any:
    rows = [{**MADE, "customer_id": f"c{i}", **row} for i, row in enumerate(customers)]
    return rule_size(write(folder, customers=rows, **tables), read_rule(text, names))


@settings(max_examples=at_most(12), deadline=None)  # what a condition says is held by tests/audiences/test_sql.py
@given(
    history=histories(),
    texts=st.lists(rules, min_size=RULES_AT_ONCE, max_size=RULES_AT_ONCE),
    days=st.integers(0, 400),
    churn=st.sampled_from([0.0, 0.5, 0.6, 1.0]),
)
def test_exports_are_counted_as_functions_decide(history: Any, texts: list[str], days: int, churn: float) -> None:
    profiles = folded(history)
    at_ms = round((LEAP_DAY + timedelta(days=days)).timestamp() * 1_000)
    n = len(profiles)
    decided: dict[str, np.ndarray[Any, Any]] = {
        "segment": np.arange(n) % 3,
        "churn_probability": np.full(n, churn, np.float32),
        "expected_ltv": np.full(n, 199.99, np.float32),
        "intent": np.full(n, "loyal", object),
    }
    customers = Customers(features(profiles, at_ms), decided, Histories(profiles), np.arange(n), at_ms)
    with TemporaryDirectory() as folder:
        tables = write(
            Path(folder),
            customers=_rows(profiles, customers, at_ms),
            orders=_before(orders(profiles), at_ms),
            exposures=_before(exposures(profiles), at_ms),
        )
        for rule in (read_rule(text, NAMES) for text in texts):
            try:
                size = rule_size(tables, rule)
            except NotExported:
                continue
            holds = customers.holds(rule)
            assert (size.inside, size.everybody) == (int(holds.sum()), n)
            assert {*size.examples} <= {customer_id(profiles.keys[i]) for i in np.flatnonzero(holds)}


def _rows(profiles: Profiles, customers: Customers, at_ms: int) -> list[dict[str, Any]]:
    said = [dict[str, str]() for _ in profiles.keys]
    for owner, name, time_ms, value in profiles.attributes.entries():
        if time_ms < at_ms:
            said[owner][name] = value
    return [
        {
            **MADE,
            "customer_id": customer_id(key),
            "snapshot_at": at_ms,
            "attributes": "{" + ", ".join(f"{_json(name)}: {value}" for name, value in said[i].items()) + "}",
            "segment_id": int(customers.decided["segment"][i]),
            **{name: customers.decided[name][i] for name in ("churn_probability", "expected_ltv", "intent")},
            **{
                name: None if np.isnan(value) else float(value)
                for name, value in zip(FEATURE_NAMES, customers.features[i], strict=True)
            },
        }
        for i, key in enumerate(profiles.keys)
    ]


def _json(name: str) -> str:
    return '"' + name + '"'


def _before(rows: list[dict[str, Any]], at_ms: int) -> list[dict[str, Any]]:
    return [row for row in rows if row["happened_at"] < at_ms]


def test_a_size_says_of_whom_and_as_of_when(tmp_path: Path) -> None:
    size = _size(tmp_path, "churn_probability > 0.5", [{"churn_probability": p} for p in (0.1, 0.6, 0.9, None)])
    assert (size.inside, size.everybody, size.examples) == (2, 4, ["c1", "c2"])
    assert size.as_of == datetime.fromtimestamp(AS_OF_MS / 1_000, UTC).replace(tzinfo=None)


def test_who_is_not_decided_on_is_in_no_audience(tmp_path: Path) -> None:
    size = _size(tmp_path, "orders(30) = 0", [{"segment_id": None}, {}])
    assert (size.inside, size.everybody, size.examples) == (1, 1, ["c1"])


def test_predictions_of_a_shop_s_own_are_found(tmp_path: Path) -> None:
    own = [{"own_predictions": said} for said in ('{"uses_coupon": 0.2}', '{"uses_coupon": 0.8}', None)]
    size = _size(tmp_path, "uses_coupon > 0.5", own, Names.of(["uses_coupon"], ()))
    assert size.examples == ["c1"]


def test_attributes_of_any_name_are_text(tmp_path: Path) -> None:
    rows = [{"attributes": '{"a/b~c\'d": 7}'}, {"attributes": '{"a": {"b~c\'d": 7}}'}]
    assert _size(tmp_path, "attribute('a/b~c''d') >= 7", rows).examples == ["c0"]


@pytest.mark.parametrize(
    ("rule", "inside"),
    [
        ("orders('brand: Acme', 30) = 1", ["c0"]),
        ("orders('p1', 30) = 1", ["c1"]),
        ("orders('Shoes', 30) = 2", ["c0"]),
        ("orders(30) = 1", ["c1"]),
        ("events('refund', 30) = 1", ["c1"]),
        ("events('campaign: spring', 30) = 1", ["c1"]),
    ],
)
def test_orders_and_exposures_are_counted_by_what_they_were_of(tmp_path: Path, rule: str, inside: list[str]) -> None:
    line = {"happened_at": AS_OF_MS - 1, "type": "purchase", "category": "Shoes"}
    lines = [
        {**line, "customer_id": "c0", "line_id": 1, "order_code": 1, "brand_code": product_code("Acme")},
        {**line, "customer_id": "c0", "line_id": 2, "order_code": 1},
        {**line, "customer_id": "c0", "line_id": 3},
        {**line, "customer_id": "c1", "line_id": 4, "product_code": product_code("p1")},
        {**line, "customer_id": "c1", "line_id": 5, "type": "refund"},
    ]
    sent = [{"customer_id": "c1", "exposure_id": 1, "happened_at": AS_OF_MS - 1, "campaign": "spring"}]
    assert _size(tmp_path, rule, [{}, {}], orders=lines, exposures=sent).examples == inside


@pytest.mark.parametrize("rule", ["views(7) = 0", "carts('Shoes', 7) > 1", "events(30) > 5", "events('search', 7) = 0"])
def test_what_exports_do_not_hold_is_said(tmp_path: Path, rule: str) -> None:
    with pytest.raises(NotExported, match="exports hold orders and exposures"):
        _size(tmp_path, rule, [{}])
