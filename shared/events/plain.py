"""Lines as columns of texts, and what is counted of those that plainly keep every rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shared.events.attributes import regions
from shared.events.columns import (
    arm_codes,
    channel_codes,
    device_codes,
    event_fingerprints,
    kinds,
    name_codes,
    product_ids,
    profiles_of,
    text_codes,
    whole,
)
from shared.events.event import LARGEST_AMOUNT, LARGEST_QUANTITY, LONGEST_TEXT
from shared.events.judging import AHEAD_MS, LATEST_MS, Rules
from shared.events.texts import Texts
from shared.events.values import numbers, rounded_ms, times_ms
from shared.features.columns import CAMPAIGN_EXPOSURE, MONEY_UNITS, NO_ARM, PURCHASE, REFUND, EventColumns, Rows
from shared.identity.keys import LONGEST_ID

AMOUNTS: Mapping[str, float] = {"quantity": 1.0, "price": 0.0, "discount": 0.0, "engagement_seconds": 0.0}
"""Fields that are numbers, and what they are where they are absent."""
_LONGEST: Mapping[str, int] = {
    **dict.fromkeys(("event_id", "event_type", "customer_id", "anonymous_id"), LONGEST_ID),
    **dict.fromkeys(("session_id", "order_id", "product_id", "category", "brand"), LONGEST_TEXT),
    **dict.fromkeys(("device", "region", "channel"), LONGEST_TEXT),
    "campaign": LONGEST_ID,
}
_LONGEST_OTHER = 64
"""Bytes of a time, a number or a code, which are all shorter."""

type Truths = NDArray[np.bool_]
type Amounts = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Lines:
    """Some lines by their values [n]."""

    texts: Mapping[str, Texts]
    """By the contract's names, all of one buffer; empty where a line has no value, as have all fields not named."""
    usual: Truths
    """Lines that could be taken apart; what is said of others means nothing."""
    numeric: Truths
    """Lines whose timestamp is a number, and not a text."""

    def column(self, name: str) -> Texts:
        """The values of a field [n]."""
        return self.texts[name] if name in self.texts else Texts.none(len(self.usual))


@dataclass(frozen=True, slots=True)
class Checked:
    """Some lines by their values, and which of them plainly keep every rule [n]."""

    lines: Lines
    plain: Truths
    time_ms: NDArray[np.int64]
    kind: NDArray[np.uint8]
    amounts: Amounts


def checked(lines: Lines, rules: Rules) -> Checked:
    """Holds lines against the rules."""
    lines = _bounded(lines)
    time_ms = _times(lines)
    amounts = {name: numbers(lines.texts[name], absent) for name, absent in AMOUNTS.items() if name in lines.texts}
    latest = min(LATEST_MS - 1, LATEST_MS if rules.now_ms is None else rules.now_ms + AHEAD_MS)
    kind = kinds(lines.column("event_type"), rules.own_types)
    plain = lines.usual & (time_ms >= 0) & (time_ms <= latest)
    plain &= _has_texts(lines, rules) & _has_amounts(amounts, len(plain)) & _is_whole_exposure(lines, kind)
    return Checked(lines, plain, time_ms, kind, amounts)


def _bounded(lines: Lines) -> Lines:
    """The lines without values that are too long to keep a rule: a few of them would take the time of all others."""
    usual = lines.usual.copy()
    texts = dict(lines.texts)
    for name, column in lines.texts.items():
        # Bytes stand for characters: never fewer, so nothing too long passes.
        fits = column.sizes <= _LONGEST.get(name, _LONGEST_OTHER)
        if not fits.all():
            usual &= fits
            texts[name] = column.where(fits)
    return replace(lines, texts=texts, usual=usual)


def _has_texts(lines: Lines, rules: Rules) -> Truths:
    sizes = {name: texts.sizes for name, texts in lines.texts.items()}
    none = np.zeros(len(lines.usual), np.int64)
    plain = (sizes.get("event_id", none) > 0) & (sizes.get("event_type", none) > 0)
    plain &= (sizes.get("customer_id", none) > 0) != (sizes.get("anonymous_id", none) > 0)
    plain &= (sizes.get("consent", none) == 0) & (sizes.get("attributes", none) == 0)
    if "currency" in lines.texts:
        plain &= lines.texts["currency"].each(lambda code: _is_counted(code, rules))
    return plain


def _is_whole_exposure(lines: Lines, kind: NDArray[np.uint8]) -> Truths:
    """Whether a line is no exposure, or says to what and whether it was held back [n]."""
    whole: Truths = kind != CAMPAIGN_EXPOSURE
    if not whole.all():
        campaigns = lines.column("campaign").sizes
        whole |= (campaigns > 0) & (arm_codes(lines.column("arm")) != NO_ARM)
    return whole


def _is_counted(currency: str, rules: Rules) -> bool:
    if not currency or rules.currency is not None:
        return currency in ("", rules.currency)
    return len(currency) == 3 and currency.isascii() and currency.isalpha() and currency.isupper()


def _has_amounts(amounts: Amounts, count: int) -> Truths:
    """Whether all numbers are within their bounds; what is no number is NaN, and within none [n]."""
    plain = np.ones(count, np.bool_)
    for name, amount in amounts.items():
        if name == "quantity":
            plain &= (amount > 0) & (amount <= LARGEST_QUANTITY)
        else:
            plain &= (amount >= 0) & (amount <= LARGEST_AMOUNT)
    if "price" in amounts and "quantity" in amounts:
        with np.errstate(invalid="ignore"):
            plain &= amounts["price"] * amounts["quantity"] <= LARGEST_AMOUNT
    return plain


def _times(lines: Lines) -> NDArray[np.int64]:
    texts = lines.column("timestamp")
    at = np.flatnonzero(lines.numeric)
    if len(at) == len(texts):
        return rounded_ms(numbers(texts, np.nan))
    times = times_ms(texts)
    times[at] = rounded_ms(numbers(texts.take(at), np.nan))
    return times


def event_columns(checked_lines: Checked, rules: Rules) -> EventColumns:
    """The lines that are plain."""
    at = np.flatnonzero(checked_lines.plain)

    def texts(name: str) -> Texts:
        column = checked_lines.lines.column(name)
        return column if len(at) == len(column) else column.take(at)

    def amounts(name: str) -> NDArray[np.float64]:
        return checked_lines.amounts[name][at] if name in checked_lines.amounts else np.full(len(at), AMOUNTS[name])

    customers, visitors = texts("customer_id"), texts("anonymous_id")
    keys, profile = profiles_of(customers.filled(visitors), (customers.sizes == 0).astype(np.uint8))
    names: dict[int, str] = {}
    category = name_codes(names, texts("category"))
    kind = checked_lines.kind[at]
    time_ms = checked_lines.time_ms[at]
    net = amounts("price") * amounts("quantity")
    rows = Rows(
        time_ms=time_ms,
        kind=kind,
        fingerprint=event_fingerprints(texts("event_id")),
        session=text_codes(texts("session_id")),
        order=text_codes(texts("order_id")),
        category=category,
        brand=text_codes(texts("brand")),
        net=whole(np.where((kind == PURCHASE) | (kind == REFUND), net, 0), MONEY_UNITS),
        discount=whole(np.where(kind == PURCHASE, amounts("discount"), 0), MONEY_UNITS),
        engagement_ms=whole(amounts("engagement_seconds"), 1_000),
        device=device_codes(texts("device")),
        channel=channel_codes(texts("channel")),
        product=text_codes(texts("product_id")),
        campaign=name_codes(names, texts("campaign").where(kind == CAMPAIGN_EXPOSURE)),
        arm=np.where(kind == CAMPAIGN_EXPOSURE, arm_codes(texts("arm")), NO_ARM).astype(np.uint8),
    )
    said = regions(profile, time_ms, texts("region"))
    return EventColumns(keys, profile, rows, names, said, product_ids(texts("product_id"), rules))
