"""The code under test, apart from the code that judges it: `shared` and `functions` in modules of their own.

What they import of the outside world is replaced where it would reach it: clocks, chance, boto3's clients. Edits of the
source, by module, make another release of it; patches of a loaded one plant bugs.
"""

from __future__ import annotations

import builtins
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

ROOT = Path(__file__).parents[2]
OURS = ("shared", "functions")

type Edits = Mapping[str, Sequence[tuple[str, str]]]


class Release:
    """One version of the project's code. `outside` names what its modules get instead of the real thing."""

    def __init__(self, name: str, outside: Mapping[str, Any], edits: Edits | None = None) -> None:
        self.name = name
        self._outside = outside
        self._edits = edits or {}
        self.modules: dict[str, ModuleType] = {}
        self._builtins = {**vars(builtins), "__import__": self._import}
        self._containers = 0

    def module(self, name: str) -> ModuleType:
        """A module that all containers of the release share, such as `shared.profiles.update`."""
        parent, _, last = name.rpartition(".")
        package = self.module(parent) if parent else None  # first, as Python does; it may load the module itself
        if name not in self.modules:
            module = self._new(name, f"{self.name}.{name}")
            self.modules[name] = module
            exec(self._code(name), module.__dict__)
            if package:
                setattr(package, last, module)
        return self.modules[name]

    def forget(self, name: str) -> None:
        """A module is loaded anew when it is asked for next."""
        del self.modules[name]
        parent, _, last = name.rpartition(".")
        if parent in self.modules:
            vars(self.modules[parent]).pop(last, None)

    def container(self, function: str) -> ModuleType:
        """The function's module anew, as a container starts with it."""
        self._containers += 1
        name = f"functions.{function}.app"
        module = self._new(name, f"{self.name}.{name}.{self._containers}")
        exec(self._code(name), module.__dict__)
        return module

    def _new(self, name: str, alias: str) -> ModuleType:
        module = ModuleType(alias)
        module.__dict__["__builtins__"] = self._builtins
        module.__file__ = str(_path(name))
        if _path(name).name == "__init__.py":
            module.__path__ = [str(_path(name).parent)]
        # Structs look up the types of their fields there.
        sys.modules[alias] = module
        return module

    def _code(self, name: str) -> CodeType:
        if edits := self._edits.get(name):
            source = _path(name).read_text()
            for old, new in edits:
                assert old in source, f"{name} has no {old!r} any more"
                source = source.replace(old, new)
            return compile(source, _path(name), "exec")
        if name not in _CODE:
            spec = importlib.util.spec_from_file_location(name, _path(name))
            assert spec and spec.loader
            _CODE[name] = spec.loader.get_code(name)  # type: ignore[attr-defined]
        return _CODE[name]

    def _import(
        self, name: str, globals_: Any = None, locals_: Any = None, names: Sequence[str] = (), level: int = 0
    ) -> Any:
        if name in self._outside:
            return self._outside[name]
        if name.split(".")[0] not in OURS:
            return builtins.__import__(name, globals_, locals_, names, level)
        module = self.module(name)
        for one in names or ():
            if not hasattr(module, one):
                self.module(f"{name}.{one}")
        return module if names else self.module(name.split(".")[0])


_CODE: dict[str, CodeType] = {}


def _path(name: str) -> Path:
    folder = ROOT.joinpath(*name.split("."))
    return folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")


class Outside(ModuleType):
    """A module with some of its names replaced; whatever else is asked for is the real one's."""

    def __init__(self, real: ModuleType, **replaced: Any) -> None:
        super().__init__(real.__name__)
        self._real = real
        self.__dict__.update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)
