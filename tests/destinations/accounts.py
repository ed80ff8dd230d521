"""Accounts at the vendors of tests/support/vendors, and records to send."""

from typing import Any

from shared.destinations.contract import Account, Answer, Outcome, Record, Vendor

NOW_MS = 1_767_225_600_000  # 2026-01-01


def record(customer: str, version: int = 1, **fields: Any) -> Record:
    return Record(f"customer#{customer}", customer, fields, f"{customer}-{version}", version, NOW_MS)


def account(vendor: Vendor, identify_by: str, secret: dict[str, str], **options: str) -> Account:
    defaults = {name: default or "" for name, default in vendor.options.items()}
    base_url = vendor.base_url or "https://vendor.example"
    return Account({**defaults, "base_url": base_url, **options}, secret, identify_by)


def said(vendor: Vendor, records: list[Record], answer: Answer) -> list[tuple[str, str]]:
    """What an answer says of each record."""
    outcomes: list[Outcome] = [*vendor.outcomes(records, answer)]
    assert len(outcomes) == len(records)
    return [(outcome.state, outcome.reason) for outcome in outcomes]
