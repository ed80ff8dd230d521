"""Commands ask for an engine by its name."""

import argparse
from pathlib import Path

import pytest

from tests.support.event_files import purchase
from tests.support.gathered import everyone, keys_of, states, written
from training.data.events import Source
from training.engines import options


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    options.add_engine(parser)
    return parser.parse_args(arguments)


@pytest.mark.parametrize("name", ["", options.MEMORY, options.DISK])
def test_each_gathers_what_is_there(tmp_path: Path, name: str) -> None:
    source = Source(written(tmp_path / "events", [[purchase("a"), purchase("b")]]))
    arguments = parsed(*(["--engine", name, "--scratch", str(tmp_path)] if name else []))
    with options.engine(arguments)(source) as engine:
        assert keys_of([*engine.ask(everyone, [states])]) == ["customer#a", "customer#b"]


def test_no_other_is_taken() -> None:
    with pytest.raises(SystemExit):
        parsed("--engine", "abacus")
