"""A mapping as a file that people read and correct: TOML with the reason of each guess beside it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

import tomli_w

from training.inspection.guess import JOINED, Guesses
from training.inspection.sample import Sample

SHOWN_WORDS = 30
OF_VISITS = frozenset({"engagement_seconds"})
OF_PURCHASES = frozenset({"price", "discount", "order_id", "engagement_seconds"})
"""What is true of the one event of a visit alone, or of the other."""


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
        elif sample.header is not True:
            yield "# The names of the columns stand further down in the file, and lines down to them are refused."
            yield _inline("header", list(sample.header))
    if sample.encoding != "utf-8":
        yield _entry("encoding", sample.encoding)
    if guesses.decimal != ".":
        yield _entry("decimal", guesses.decimal)
    for option, fields in guesses.parts.items():
        yield f"{_inline(option, fields)}  # these are amounts in {option}"
    if "price" in guesses.fields:
        yield _entry("price_of", guesses.price_of) + "  # of one piece (unit), of a line, or of the whole order"
    yield ""
    yield "[columns]"
    for guess in guesses.fields.values():
        if not (guesses.are_visits and guess.field in OF_PURCHASES):
            yield f"{_entry(guess.field, guess.column)}  # {guess.confidence:.0%}: {_plain(guess.why)}"
    for guess in guesses.unsure:
        yield f"# {_entry(guess.field, guess.column)}  # not sure, {guess.confidence:.0%}: {_plain(guess.why)}"
    if guesses.joined:
        yield from ("", "[joined]", _inline(JOINED, list(guesses.joined)))
    if guesses.constants and not guesses.are_visits:
        yield from ("", "[constants]", *(_entry(name, value) for name, value in guesses.constants.items()))
    if guesses.void:
        yield from ("", "[where]  # rows of other states tell no event")
        for column, words in guesses.void.items():
            counted = ", ".join(f"{word} {count:,}" for word, count in words.items())
            yield f"{_inline(column, [f'!{_literally(word)}' for word in words])}  # {_plain(counted)}"
    times = guesses.times
    if times.formats or times.unit:
        yield from ("", "[times]")
        if times.formats:
            more = "  # days and months could change places" if times.ambiguous else ""
            yield _inline("formats", list(times.formats)) + more
        if times.unit:
            yield _entry("unit", times.unit)
    if guesses.event_types or guesses.unknown_types:
        yield from ("", "[event_types]")
        yield from (_entry(word, event_type) for word, event_type in guesses.event_types.items())
        for word, count in [*guesses.unknown_types.items()][:SHOWN_WORDS]:
            yield f"# {_entry(word, 'other')}  # {count:,} rows; counted as other activity unless you say what it is"
    if guesses.are_visits:
        yield from _visits(guesses)


def _visits(guesses: Guesses) -> Iterator[str]:
    """Each row is a visit, and one with a price a purchase too."""
    price = guesses.fields["price"].column
    yield from ("", "[[events]]  # each row is a visit", 'constants = { event_type = "page_view" }')
    yield from _columns(guesses, OF_VISITS)
    yield from ("", "[[events]]  # and a purchase where it has a price", 'constants = { event_type = "purchase" }')
    yield from _columns(guesses, OF_PURCHASES - OF_VISITS)
    yield f"where = {{ {_inline(price, ['?*', '!0', '!0.0', '!0.00'])} }}"


def _columns(guesses: Guesses, fields: Collection[str]) -> Iterator[str]:
    chosen = [_inline(one.field, one.column) for one in guesses.fields.values() if one.field in fields]
    if chosen:
        yield f"columns = {{ {', '.join(chosen)} }}"


def _inline(name: str, value: str | Sequence[str]) -> str:
    """An entry on one line, lists too."""
    if not isinstance(value, str):
        return f"{_entry(name, '').removesuffix('""')}[{', '.join(map(_text, value))}]"
    return _entry(name, value)


def _literally(word: str) -> str:
    """The pattern of a word: what would stand for others in it stands for any character."""
    return re.sub(r"[*?\[\]]", "?", word)


def _text(value: str) -> str:
    return _entry("a", value).partition(" = ")[2]


def _entry(name: str, value: object) -> str:
    return tomli_w.dumps({name: value}).rstrip("\n")


def _plain(why: str) -> str:
    """On one line, without characters that a comment may not have."""
    return "".join(character if character.isprintable() else " " for character in why)
