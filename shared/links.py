"""Which customer a visitor is: the rules, pure, for the functions and for training alike."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """An event that carries both ids, and so says that `visitor` is `customer`."""

    visitor: str
    """The profile key of its anonymous id."""
    customer: str
    """The profile key of its customer id."""
    time_ms: int
    """When it happened, UTC milliseconds."""
    line: int
    original: bytes
