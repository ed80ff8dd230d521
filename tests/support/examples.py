"""How many examples a property is tried on that is dear to try."""

from hypothesis import settings

WHOLE = 200
"""Examples of every other property under `make test`."""
FEWEST = 3


def at_most(examples: int) -> int:
    """So many, or as many as the profile has where that is fewer; of `make check`, which has a tenth, a tenth."""
    allowed = settings.default.max_examples if settings.default else WHOLE
    return min(examples, allowed) if allowed >= WHOLE else max(FEWEST, examples * allowed // WHOLE)
