"""How a bug is planted in the code under test, and taken out again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.simulation.release import Release


@dataclass(frozen=True)
class Bug:
    """What is done to the code, as `plant` does it; `name` says what the code does wrong."""

    name: str
    plant: Callable[[Planting], None]
    seed: int = 0
    """One that the auditor has seen it in, which is tried first; what a seed plays changes with the code."""


class Planting:
    """Replaces names of the release's modules, and puts them back."""

    def __init__(self, release: Release) -> None:
        self._release = release
        self._loaded_before = {*release.modules}
        self._undo = list[Callable[[], None]]()

    def module(self, name: str) -> Any:
        """A module of the code under test."""
        return self._release.module(name)

    def set(self, owner: Any, name: str, value: Any) -> None:
        """Replaces a name until the planting is over."""
        before = vars(owner)[name]
        self._undo.append(lambda: setattr(owner, name, before))
        setattr(owner, name, value)

    def in_containers(self, function: str, change: Callable[[Any], None]) -> None:
        """Changes the module of every container of a function."""
        make = self._release.container

        def container(name: str) -> Any:
            module = make(name)
            if name == function:
                change(module)
            return module

        self._release.container = container  # type: ignore[method-assign, assignment]
        self._undo.append(lambda: setattr(self._release, "container", make))

    def over(self) -> None:
        """Puts everything back."""
        for undo in reversed(self._undo):
            undo()
        # What was loaded meanwhile may hold what was planted.
        for name in self._release.modules.keys() - self._loaded_before:
            self._release.forget(name)


@contextlib.contextmanager
def planted(bug: Bug, release: Release) -> Iterator[None]:
    """The release with a bug."""
    planting = Planting(release)
    try:
        bug.plant(planting)
        yield
    finally:
        planting.over()
