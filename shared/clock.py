"""The clock, which handlers alone read: everything behind them is told what time it is."""

import os
import time
from dataclasses import dataclass

from shared.events.event import parse_timestamp


@dataclass(frozen=True, slots=True)
class Moment:
    """When decisions are made, in UTC milliseconds."""

    as_of_ms: int
    """Only events before it count; the clock's time, unless past data is replayed."""
    scored_at_ms: int
    """The clock's time."""
    horizon_days: int = 90
    """How many days ahead it is looked for when a decision changes if nothing happens; 0 for not at all."""


def read_clock() -> Moment:
    """Now; where the variable FROZEN_TIME (ISO 8601) is set, decisions are made as of that instant instead."""
    clock_ms = time.time_ns() // 1_000_000
    frozen = os.environ.get("FROZEN_TIME")
    return Moment(as_of_ms=parse_timestamp(frozen) if frozen else clock_ms, scored_at_ms=clock_ms)


def now_ms() -> int:
    """The clock's time in UTC milliseconds."""
    return read_clock().scored_at_ms


def keep_days(object_key: str) -> int | None:
    """How many days S3 keeps an object of ours; None for ever."""
    name = "ARCHIVE_RETENTION_DAYS" if object_key.startswith("archive/") else "QUARANTINE_RETENTION_DAYS"
    return int(os.environ[name]) or None
