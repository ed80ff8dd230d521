"""Terms of a rule beside its conditions: texts, numbers, days and counts; and what is wrong with them, and where."""

from __future__ import annotations

from difflib import get_close_matches
from math import isfinite

from sqlglot import exp

from shared.audiences.rules import LONGEST_TEXT, MOST_DAYS, SUBJECTS, Count
from shared.features import EVENT_TYPES

LIKELY = 0.75
"""How alike a name nobody knows and one of ours are, for it to be taken for a mistake and not for an attribute."""


class Mistake(ValueError):
    """A rule cannot be read. The message is for whoever wrote it and quotes it: it belongs in answers, not in logs."""

    def __init__(self, message: str, at: int | None = None) -> None:
        super().__init__(message if at is None else f"at character {at}: {message}")
        self.at = at
        """Where the mistake is, in characters from 1; None where that is not known."""


def count(measure: str, subject: str, days: int, node: exp.Expr) -> Count:
    """`category: Shoes` says what Shoes is; of `events`, a name that is a type of events is that."""
    before, colon, after = subject.partition(":")
    if colon and before.strip().lower() in SUBJECTS:
        of: str | None = before.strip().lower()
        subject = after.strip()
    else:
        of = "type" if measure == "events" and subject in EVENT_TYPES else None
        close = get_close_matches(subject, EVENT_TYPES, n=1, cutoff=LIKELY)
        if measure == "events" and of is None and close:
            raise Mistake(
                f"no type of events is called '{subject}'; probably meant: {close[0]}. A category of that name is"
                f" written 'category: {subject}'",
                place(node),
            )
    if of == "type":
        _check_type(measure, subject, node)
    if not subject:
        raise Mistake(f"{measure} counts those of a subject without a name", place(node))
    return Count(measure, days, subject, of)


def _check_type(measure: str, subject: str, node: exp.Expr) -> None:
    if measure != "events":
        raise Mistake(f"{measure} are of one type already: events('type: {subject}', …)", place(node))
    if subject not in EVENT_TYPES:
        close = get_close_matches(subject, EVENT_TYPES, n=1)
        hint = f"; probably meant: {close[0]}" if close else ""
        raise Mistake(f"'{subject}' is kept as other activity and cannot be told apart{hint}", place(node))


def checked_text(text: str, node: exp.Expr) -> str:
    """A text that is not too long. Raises Mistake."""
    if len(text) > LONGEST_TEXT:
        raise Mistake(f"a text has more than {LONGEST_TEXT} characters", place(node))
    return text


def number(text: str, node: exp.Expr) -> float:
    """A number as it is compared with. Raises Mistake."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise Mistake(f"'{text}' is not a number that can be compared with", place(node))
    return value


def days_of(value: float, node: exp.Expr) -> int:
    """A number as days. Raises Mistake."""
    if value != int(value) or not 0 < value <= MOST_DAYS:
        raise Mistake(f"days are a whole number from 1 to {MOST_DAYS:,}", place(node))
    return int(value)


def shown(node: exp.Expr) -> str:
    """A part of a rule as it is quoted to whoever wrote it."""
    text = node.sql("duckdb")
    return text if len(text) <= 80 else f"{text[:77]}…"


def place(node: exp.Expr) -> int | None:
    """Where the first name within a node stands; sqlglot keeps the places of names alone."""
    places = [named.meta["start"] for named in node.find_all(exp.Identifier) if "start" in named.meta]
    own = node.meta.get("start")
    return min([*places, *([own] if own is not None else [])], default=-1) + 1 or None
