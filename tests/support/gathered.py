"""What every engine has to come to: histories with all that makes them hard to gather, and questions about them."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.features import Profiles, encode, features
from tests.support.event_files import Event, ndjson, parquet
from tests.support.visitors import deliveries, shuffled_with_repeats
from training.base.errors import InputError
from training.data.events import Source
from training.engines.engine import Engine, Memory, Open, Part

AS_OF_MS = 1_583_000_000_000
"""In the middle of what `deliveries` tells of."""


def everyone(profiles: Profiles) -> NDArray[np.bool_]:
    return np.ones(len(profiles), bool)


def customers(profiles: Profiles) -> NDArray[np.bool_]:
    return np.array([key.startswith("customer#") for key in profiles.keys], bool)


def states(profiles: Profiles) -> NDArray[np.uint8]:
    """Of everything that is kept of each profile a digest."""
    digests = [hashlib.sha256(state).digest() for state in encode(profiles)]
    return np.frombuffer(b"".join(digests), np.uint8).reshape(len(profiles), 32)


def features_then(profiles: Profiles) -> NDArray[np.float32]:
    return features(profiles, AS_OF_MS)


@st.composite
def event_files(draw: st.DrawFn, max_size: int = 25) -> list[list[Event]]:
    """Of customers and visitors, some of whom refuse and agree; in several files, with repeats and what is no event."""
    events = draw(deliveries(max_size))
    for event in events:
        event["consent"] = draw(st.sampled_from([None, None, None, False, True]))
    if draw(st.booleans()):
        events.append({"event_type": "page_view"})
    files = shuffled_with_repeats(draw(st.data()), events)
    return [file for file in files if file]


def written(folder: Path, files: Sequence[Sequence[Event]]) -> list[Path]:
    """The files, of which every third is Parquet."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for number, events in enumerate(files):
        write, ending = (parquet, "parquet") if number % 3 == 2 else (ndjson, "ndjson")
        (folder / f"{number}.{ending}").write_bytes(write(events))
    return [folder]


def told(engine: Engine) -> dict[str, Any]:
    """All that an engine says of everyone and of customers, and of what it read."""
    answers: dict[str, Any] = {}
    for whom, question in ((everyone, states), (customers, features_then)):
        parts = [*engine.ask(whom, [question])]
        answers[question.__name__] = _answered(parts)
    return answers | {"summary": sorted([*engine.reading.summary()][1:]), "accepted": engine.reading.accepted}


def _answered(parts: Sequence[Part]) -> tuple[Any, ...]:
    """Whose answers there are, and which; of nobody there may be a part without anybody, or none."""
    if not keys_of(parts):
        return ()
    answer = np.concatenate([part.answers[0] for part in parts])
    return keys_of(parts), answer.dtype, answer.shape, answer.tobytes()


def told_in_memory(source: Source) -> dict[str, Any]:
    """The same of memory; nothing where nobody's events count, which memory refuses at once."""
    try:
        with Memory.open(source) as engine:
            memory = told(engine)
    except InputError as error:
        assert "are of people who refused" in str(error)
        return {}
    # It knows more of what it read, and says so first.
    memory["summary"] = [line for line in memory["summary"] if "turned out to be" not in line]
    return memory


def differences(engine: Open, source: Source) -> list[str]:
    """What an engine says otherwise than memory does."""
    ours = told_in_memory(source)
    with engine(source) as other:
        if not ours:
            return keys_of([*other.ask(everyone, [states])])
        theirs = told(other)
    return [name for name in ours if ours[name] != theirs[name]]


def keys_of(parts: Sequence[Part]) -> list[str]:
    return [key for part in parts for key in part.keys]
