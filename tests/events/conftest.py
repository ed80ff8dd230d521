"""Fixtures of the readers' tests."""

import pytest

from shared.events import parquet


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parquet is decoded here rather than in a process of its own, which properties would start hundreds of times."""
    monkeypatch.setattr(parquet, "confined", lambda work: work())
