"""One line of what was measured: ours, the usual way beside it, the limit that neither passes, and the aim."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

_MORE_IS_BETTER = ("/s", "Qini")
"""How the units end of which more is better; of all others, such as seconds and bytes, less is."""


@dataclass(frozen=True)
class Row:
    """A measurement by a name of its own, in one unit with what it is held against."""

    name: str
    what: str
    """In words."""
    value: float
    unit: str
    peer: str = ""
    """What one would otherwise do."""
    peer_value: float | None = None
    limit: str = ""
    """What is left when all that could be spared is: a scan, a bare request, the part that cannot be avoided."""
    limit_value: float | None = None
    aim: str = ""
    met: bool | None = None
    """Of several aims, whether all are."""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times as good as the peer."""
        return None if self.peer_value is None else self._times(self.value, self.peer_value)

    @property
    def of_limit(self) -> float | None:
        """How many times as good the limit is."""
        return None if self.limit_value is None else self._times(self.limit_value, self.value)

    def times_peer(self, least: float) -> Row:
        """With the aim to be so many times as good as the peer."""
        assert self.ratio is not None
        return self._aims(f"≥ {least:g}x the usual way", self.ratio >= least)

    def of_peer(self, most: float) -> Row:
        """With the aim to take no more than so many times what the peer takes."""
        assert self.ratio is not None
        return self._aims(f"≤ {most:g}x of the usual way", 1 / self.ratio <= most)

    def near_limit(self, most: float) -> Row:
        """With the aim to stay within so many times of the limit."""
        assert self.of_limit is not None
        return self._aims(f"≤ {most:g}x the limit", self.of_limit <= most)

    def at_least(self, least: float) -> Row:
        """With an aim for the value itself, of which more is better."""
        return self._aims(f"≥ {shown(least, self.unit)}", self.value >= least)

    def at_most(self, most: float) -> Row:
        """With an aim for the value itself, of which less is better."""
        return self._aims(f"≤ {shown(most, self.unit)}", self.value <= most)

    def held(self, aim: str, met: bool) -> Row:
        """With an aim of another kind."""
        return self._aims(aim, met)

    def recorded(self) -> dict[str, Any]:
        """For results.json."""
        return {**asdict(self), "ratio": self.ratio, "of_limit": self.of_limit}

    @classmethod
    def of(cls, recorded: dict[str, Any]) -> Row:
        """What was recorded."""
        return cls(**{field.name: recorded[field.name] for field in fields(cls)})

    def cells(self) -> tuple[str, ...]:
        """For a table, in the order of HEADINGS."""
        ours = shown(self.value, self.unit)
        peer = "" if self.peer_value is None else f"{self.peer}: {shown(self.peer_value, self.unit)}"
        ratio = "" if self.ratio is None else f"{self.ratio:.3g}x"
        limit = "" if self.limit_value is None else f"{self.limit}: {shown(self.limit_value, self.unit)}"
        times = "" if self.of_limit is None else f" ({self.of_limit:.3g}x)"
        mark = {None: "", True: ": met", False: ": not met"}[self.met]
        return self.what, ours, peer, ratio, f"{limit}{times}", f"{self.aim}{mark}", self.note

    def _times(self, good: float, than: float) -> float | None:
        """How many times as good the first value is as the second; None where one of them is nothing or less."""
        better, worse = (good, than) if self.unit.endswith(_MORE_IS_BETTER) else (than, good)
        return better / worse if min(better, worse) > 0 else None

    def _aims(self, aim: str, met: bool) -> Row:
        return replace(self, aim=f"{self.aim}, {aim}" if self.aim else aim, met=met and self.met is not False)


HEADINGS = ("what", "ours", "the usual way", "as good", "limit", "aim", "note")


def shown(value: float, unit: str) -> str:
    """A figure to three digits, with its unit."""
    for prefix, size in (("M", 1e6), ("k", 1e3)):
        if abs(value) >= size and unit.endswith("/s"):
            return f"{value / size:.3g} {prefix} {unit}"
    digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{digits} {unit}".rstrip()
