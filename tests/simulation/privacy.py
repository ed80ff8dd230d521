"""Markers of people, searched for wherever words may stand and people may not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.simulation.people import MARKER

if TYPE_CHECKING:
    from tests.simulation.world import World


def leaks(world: World, written: str) -> Iterator[str]:
    """Where a marker stands: logs and metrics, what functions raised, and the reasons beside whole files.

    The reason of a single line may quote it: it lies beside the line itself, and goes with it.
    """
    for line in written.splitlines():
        if MARKER in line:
            yield f"a log tells of people: {_around(line)}"
    for function, error in world.errors:
        if MARKER in repr(error):
            yield f"{function} raised what tells of people: {_around(repr(error))}"
    for key in world.cloud.objects.keys("quarantine/"):
        if key.endswith("reason.json"):
            reason = str(json.loads(world.cloud.objects.latest(key) or b"{}").get("reason"))
            if MARKER in reason:
                yield f"a reason tells of people: {_around(reason)}"


def _around(text: str) -> str:
    match = re.search(f".{{0,80}}{MARKER}.{{0,40}}", text, re.DOTALL)
    return match[0] if match else ""
