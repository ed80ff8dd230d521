"""A mapping as a file that people read and correct: TOML with the reason of each guess beside it."""

from __future__ import annotations

from collections.abc import Iterator

import tomli_w

from training.inspection.guess import Guesses
from training.inspection.sample import Sample

SHOWN_WORDS = 30


def mapping_text(sample: Sample, guesses: Guesses, files: str = "*") -> str:
    """The mapping's TOML, which `shared.events.mapping.read_mapping` takes."""
    return "\n".join([*_lines(sample, guesses, files)]) + "\n"


def _lines(sample: Sample, guesses: Guesses, files: str) -> Iterator[str]:
    yield "# What the columns of these files say in the words of events; docs/bring-your-own.md has every option."
    yield _entry("format", 1)
    yield _entry("files", files)
    if sample.format == "csv":
        yield _entry("delimiter", sample.delimiter)
        if not sample.header:
            yield "header = false"
    if sample.encoding != "utf-8":
        yield _entry("encoding", sample.encoding)
    if guesses.decimal != ".":
        yield _entry("decimal", guesses.decimal)
    if "price" in guesses.fields:
        yield _entry("price_of", guesses.price_of) + "  # of one piece (unit), of a line, or of the whole order"
    yield ""
    yield "[columns]"
    for guess in guesses.fields.values():
        yield f"{_entry(guess.field, guess.column)}  # {guess.confidence:.0%}: {_plain(guess.why)}"
    for guess in guesses.unsure:
        yield f"# {_entry(guess.field, guess.column)}  # not sure, {guess.confidence:.0%}: {_plain(guess.why)}"
    if guesses.constants:
        yield from ("", "[constants]", *(_entry(name, value) for name, value in guesses.constants.items()))
    times = guesses.times
    if times.formats or times.unit:
        yield from ("", "[times]")
        if times.formats:
            more = "  # days and months could change places" if times.ambiguous else ""
            yield _entry("formats", list(times.formats)).replace("\n", "").replace("    ", "") + more
        if times.unit:
            yield _entry("unit", times.unit)
    if guesses.event_types or guesses.unknown_types:
        yield from ("", "[event_types]")
        yield from (_entry(word, event_type) for word, event_type in guesses.event_types.items())
        for word, count in [*guesses.unknown_types.items()][:SHOWN_WORDS]:
            yield f"# {_entry(word, 'other')}  # {count:,} rows; counted as other activity unless you say what it is"


def _entry(name: str, value: object) -> str:
    return tomli_w.dumps({name: value}).rstrip("\n")


def _plain(why: str) -> str:
    """On one line, without characters that a comment may not have."""
    return "".join(character if character.isprintable() else " " for character in why)
