"""How long a function's module takes to import in a new process: what a cold start waits for besides Lambda itself."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
_BUILT = ROOT / ".aws-sam/build"
_TIMED = "import time; began = time.perf_counter(); import {module}; print(time.perf_counter() - began)"
_CLOUD = {
    "CALLERS": "roles",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
}


def functions() -> list[str]:
    """The names of all functions."""
    return sorted(app.parent.name for app in ROOT.glob("functions/*/app.py"))


def is_built(function: str) -> bool:
    """Whether `sam build` has made the function and its layer."""
    return (_BUILT / "SharedLayer").is_dir() and _folder(function).is_dir()


def import_seconds(function: str) -> float:
    """Import it once, as built and nothing else on the path; where nothing is built, from the sources."""
    app = ROOT / "functions" / function / "app.py"
    named = dict.fromkeys(re.findall(r'os\.environ\["(\w+)"\]', app.read_text()), "1")
    command = [sys.executable, "-c", _TIMED.format(module=f"functions.{function}.app")]
    path = [ROOT]
    if is_built(function):
        command.insert(1, "-S")  # without the environment's own packages
        path = [_folder(function), _BUILT / "SharedLayer/python"]
    environment = os.environ | named | _CLOUD | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, cwd="/")
    return float(done.stdout)


def _folder(function: str) -> Path:
    return _BUILT / ("".join(word.title() for word in function.split("_")) + "Function")
