"""A few hundred damaged inputs of every parser; `make nightly` tries 100,000."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from shared.events import UnreadableFile, csv_text
from shared.features import codec
from tests.fuzz import __main__ as fuzz
from tests.fuzz import parsers
from tests.fuzz.parsers import PARSERS, PERSON

INPUTS = 600
AT_ONCE = 150


@pytest.mark.parametrize("first", range(0, INPUTS, AT_ONCE))
def test_whatever_is_read_the_answer_is_one_that_the_parser_may_give(first: int) -> None:
    problems = {seed: why for seed in range(first, first + AT_ONCE) if (why := fuzz.problem(seed))}
    assert problems == {}, f"replay with: python -m tests.fuzz --only --seed {next(iter(problems))}"


def test_every_parser_has_its_turn() -> None:
    assert {fuzz.fuzzed(seed)[0] for seed in range(INPUTS)} == {*PARSERS}


def test_a_seed_makes_the_same_input_each_time() -> None:
    assert [fuzz.fuzzed(seed) for seed in range(50)] == [fuzz.fuzzed(seed) for seed in range(50)]


def test_an_answer_that_a_parser_may_not_give_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "PARSERS", {name: replace(parser, refusals=()) for name, parser in PARSERS.items()})
    assert any(fuzz.problem(seed) for seed in range(50))


def test_a_refusal_that_repeats_somebodys_address_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def repeat(_content: bytes) -> object:
        raise ValueError(f"cannot read {PERSON}")

    spoilt = {name: replace(parser, read=repeat, refusals=(ValueError,)) for name, parser in PARSERS.items()}
    monkeypatch.setattr(fuzz, "PARSERS", spoilt)
    assert "repeats" in str(fuzz.problem(0))


def _header_as_it_comes(records: Iterator[list[str]]) -> list[str]:
    return next(records, [])


def _repeating(names: Sequence[str], table: str = "it") -> None:
    raise UnreadableFile(f"{table} names {names}")


BUGS: dict[str, tuple[str, object, str, Callable[..., Any]]] = {
    "an odd header of CSV raises what Python's reader raises": ("csv", csv_text, "header_of", _header_as_it_comes),
    "a refusal repeats the header": ("csv", csv_text, "check_names", _repeating),
    "a state that is not whole raises what its parts raise": ("state", parsers, "decode", codec._decoded),
}
"""Of each: the parser that it is in, and what is put in the place of what."""


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, module, attribute, broken = BUGS[bug]
    monkeypatch.setattr(module, attribute, broken)
    why_not = next(why for seed in range(2_000) if fuzz.fuzzed(seed)[0] == name and (why := fuzz.problem(seed)))
    assert why_not.startswith(name)
