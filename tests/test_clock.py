"""What time it is, as handlers read it."""

import time

import pytest

from shared.clock import keep_days, now_ms, read_clock


def test_the_clock_counts_for_decisions_unless_time_is_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FROZEN_TIME", raising=False)
    before = time.time_ns() // 1_000_000
    moment = read_clock()
    assert before <= moment.as_of_ms == moment.scored_at_ms <= now_ms()


def test_past_data_is_decided_on_as_of_the_frozen_time_but_stamped_by_the_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FROZEN_TIME", "2017-12-31T00:00:00Z")
    assert read_clock().as_of_ms == 1_514_678_400_000
    assert read_clock().scored_at_ms > 1_600_000_000_000


@pytest.mark.parametrize(("key", "days"), [("archive/2017/a.ndjson", 400), ("quarantine/events/a/reason.json", 30)])
def test_objects_are_kept_for_as_long_as_their_folder_is(key: str, days: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHIVE_RETENTION_DAYS", "400")
    monkeypatch.setenv("QUARANTINE_RETENTION_DAYS", "30")
    assert keep_days(key) == days
    monkeypatch.setenv("QUARANTINE_RETENTION_DAYS", "0")
    assert keep_days("quarantine/a") is None
