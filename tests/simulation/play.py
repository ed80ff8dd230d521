"""One seed from its beginning to the auditor's last word."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from tests.simulation.auditor import Auditor
from tests.simulation.privacy import leaks
from tests.simulation.release import Release
from tests.simulation.story import Story
from tests.simulation.workers import Surroundings
from tests.simulation.world import Restless, World

SERVICE = "simulation"
ENVIRONMENT = {"POWERTOOLS_SERVICE_NAME": SERVICE, "SETTLE_SECONDS": "960"}
"""Of the functions, where it is not that of the other tests: the template's, as timeouts are the template's too."""


@dataclass(frozen=True)
class Played:
    """What came of a seed."""

    seed: int
    findings: list[str]
    digest: str
    calls: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    invocations: Counter[str] = field(default_factory=Counter)
    written: str = ""
    """What functions wrote to their logs, metrics included."""


OLDER = {
    "shared.features.stored_columns": [
        ('    StoredColumn("product", since=3, dictionary="products", less=NEWEST),\n', ""),
        ('    StoredColumn("campaign", since=3, dictionary="categories"),\n', ""),
        ('    StoredColumn("arm", since=3),\n', ""),
        (
            "Rows(fingerprint=fingerprint, ",
            'Rows(fingerprint=fingerprint, product=(none := np.zeros(len(owner), "u4")), campaign=none,'
            ' arm=none.astype("u1"), ',
        ),
    ],
    "shared.features.codec": [
        ('struct.Struct(f"<BB5{size}")', 'struct.Struct("<BB4I")'),
        ("flags = width << _WIDTH_SHIFT", "flags = 0 * width"),
        ("    written = write_packed(bodies)", "    return write_varints(bodies)"),
        ("attributes_of(profiles)", "attributes_of(replace(profiles, attributes=type(profiles.attributes).none()))"),
        ("import struct\n", "import struct\nfrom dataclasses import replace\n"),
    ],
}
"""What makes the code one that neither writes nor reads the present encoding of histories, but the one before."""


@cache
def stage() -> tuple[Surroundings, Release, Release]:
    """What every world of this process stands on, each loaded once: the code under test, and the code before it."""
    surroundings = Surroundings()
    outside = surroundings.modules()
    return surroundings, Release("release", outside), Release("older", outside, OLDER)


def play(seed: int, trace: Callable[[str], None] | None = None, *, private: bool = True) -> Played:
    """Plays one seed."""
    surroundings, release, older = stage()
    # In half of the worlds most files are larger than one message should stand for.
    with _written({**ENVIRONMENT, "PART_BYTES": str((1_024, 64 << 20)[seed % 2])}) as written:
        world = World(seed, surroundings, release, older)
        for code in (release, older):
            _seal_soon(code, seed)
            _check_often(code)
            _load_few(code)
        if trace:
            world.trace = trace
        story = Story(world)
        if trace:
            trace(str(story.weather))
        try:
            findings = _audited(story)
        except Restless as restless:
            findings = [*world.findings, str(restless)]
            world.end()
        findings += [*leaks(world, written.getvalue())] if private else []
    return Played(seed, findings, world.digest, world.calls, world.faults.counts, world.invocations, written.getvalue())


SEALED_FROM = (0, 0, 60, 450)
"""Bytes of a profile's state from which on what is stored is sealed: in most worlds after an event or two."""


def _seal_soon(code: Release, seed: int) -> None:
    sealing: Any = code.module("shared.profiles.sealing")
    sealing.HEAD_BYTES = sealing.OPEN_BYTES = SEALED_FROM[seed % len(SEALED_FROM)]
    sealing.LEAST_EVENTS = 1
    sealing.VOLUME_BYTES = 4 * sealing.HEAD_BYTES + 150


def _check_often(code: Release) -> None:
    """Lets files as short as these be gone on with in their middle, too."""
    checkpoints: Any = code.module("shared.events.checkpoints")
    checkpoints.RUN = 1


def _load_few(code: Release) -> None:
    """Lets jobs be made of whoever is sent."""
    salesforce: Any = code.module("shared.destinations.vendors.salesforce")
    vendors: Any = code.module("shared.destinations.vendors")
    loading: Any = code.module("shared.destinations.loading")
    few = replace(salesforce.VENDOR, load=replace(salesforce.LOAD, fewest=1, most=6))
    vendors.VENDORS = {**vendors.VENDORS, "salesforce": few}
    loading.BATCH_OF_MANY = 1


def _audited(story: Story) -> list[str]:
    story.play()
    story.settle()
    findings = [*story.world.findings, *Auditor(story).findings(redelivered=False)]
    if findings:
        return findings
    story.redeliver()
    return [*story.world.findings, *Auditor(story).findings(redelivered=True)]


@contextlib.contextmanager
def _written(environment: Mapping[str, str]) -> Iterator[io.StringIO]:
    """Where logs and metrics go while a world is played."""
    output = io.StringIO()
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    logger = logging.getLogger(SERVICE)
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(output)
    # Pytest would format every record for itself, tracebacks and all, though all of it is read here.
    logger.propagate = False
    try:
        with contextlib.redirect_stdout(output):
            yield output
    finally:
        logger.propagate = True
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def play_aloud(seed: int) -> Played:
    """Plays one seed of many, and says at once what was found."""
    played = play(seed)
    for finding in played.findings[:5]:
        say(f"seed {seed}: {finding}")
    # What was written was searched by now, and is long.
    return replace(played, written="")


def say(line: str) -> None:
    """Tells whoever plays, whatever is listened to in place of standard output."""
    sys.__stdout__.write(line + "\n")  # type: ignore[union-attr]
    sys.__stdout__.flush()  # type: ignore[union-attr]
