"""How many examples a property is tried on that is dear to try."""

from hypothesis import settings


def at_most(examples: int) -> int:
    """So many, or as many as the profile has it where that is fewer, as under `make check`."""
    return min(examples, settings.default.max_examples) if settings.default else examples
