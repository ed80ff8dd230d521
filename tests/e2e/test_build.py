"""What `sam build` made: complete, compiled, and small enough for Lambda."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.emulator import ROOT
from tests.support.template import template

LAMBDA_LIMIT = 262_144_000
"""Bytes that a function may have, unzipped, with its layers."""

BUILT = ROOT / ".aws-sam/build"
LAYER = BUILT / "SharedLayer"
HANDLERS = {
    name: resource["Properties"]["Handler"].removesuffix(".handler")
    for name, resource in template()["Resources"].items()
    if resource["Type"] == "AWS::Serverless::Function"
}


@pytest.mark.parametrize("function", HANDLERS)
def test_a_function_and_its_layer_fit_lambda(function: str) -> None:
    files = [path for folder in (LAYER, BUILT / function) for path in folder.rglob("*") if path.is_file()]
    assert 0 < sum(path.stat().st_size for path in files) < LAMBDA_LIMIT


@pytest.mark.parametrize("function", HANDLERS)
def test_a_function_needs_nothing_but_its_layer(function: str) -> None:
    search = os.pathsep.join([str(LAYER / "python"), str(BUILT / function)])
    environment = os.environ | {"PYTHONPATH": search, "LAMBDA_TASK_ROOT": str(BUILT / function)}
    # Without -S the interpreter's own libraries would stand in for those that the layer lacks.
    command = [sys.executable, "-S", "-B", "-c", f"import {HANDLERS[function]} as app; print(app.__file__)"]
    done = subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.startswith(str(BUILT / function)), done.stderr


def test_the_layer_holds_shared_and_nothing_else_of_the_project() -> None:
    names = {path.name.partition("-")[0] for path in (LAYER / "python").iterdir()}
    assert "shared" in names
    assert names.isdisjoint({"bench", "functions", "local", "operations", "tessera", "training"})


def test_every_module_carries_bytecode_that_is_never_checked() -> None:
    modules = [*LAYER.rglob("*.py"), *(path for function in HANDLERS for path in (BUILT / function).rglob("*.py"))]
    compiled = [path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc" for path in modules]
    assert modules
    assert [path for path in compiled if not path.exists()] == []
    assert {_flags(path) for path in compiled} == {1}


def _flags(bytecode: Path) -> int:
    """PEP 552: 1 is a hash that is not checked against the source."""
    return int.from_bytes(bytecode.read_bytes()[4:8], "little")
