"""What tasks are given and what they give."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Inputs:
    """What tasks work on."""

    purchases: Path
    """A Parquet file of purchases."""
    customers: int = 100_000
    """Customers of the made-up shop."""
    megabytes: int = 50
    """Length of the stream of events."""


@dataclass(frozen=True)
class Work:
    """Something to be timed."""

    run: Callable[[], object]
    units: int
    """Events or customers in one run."""
    facts: dict[str, float] = field(default_factory=dict)
    """What else is worth knowing."""


type Task = Callable[[Inputs], Work]
