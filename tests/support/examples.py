"""Examples of properties: how many of one that is dear to try, and values that are cheap to draw."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

WHOLE = 200
"""Examples of every other property under `make test`."""
FEWEST = 3


def at_most(examples: int) -> int:
    """So many, or as many as the profile has where that is fewer; of `make check`, which has a tenth, a tenth."""
    allowed = settings.default.max_examples if settings.default else WHOLE
    return min(examples, allowed) if allowed >= WHOLE else max(FEWEST, examples * allowed // WHOLE)


_made: dict[Any, Any] = {}


def sampled[T: str | bytes | tuple[str, ...] | None](values: tuple[T, ...]) -> st.SearchStrategy[T]:
    """One of the values, by a strategy made once: made anew for every draw they took most of the time of drawing."""
    if values not in _made:
        _made[values] = st.sampled_from(values)
    made: st.SearchStrategy[T] = _made[values]
    return made
