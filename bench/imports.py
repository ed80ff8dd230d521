"""How long a function's module takes to import in a new process, what a cold start waits for besides Lambda itself, and
how large what `sam build` made is; both beside the usual libraries.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import distribution
from pathlib import Path

from bench.row import Row

ROOT = Path(__file__).parents[1]
_BUILT = ROOT / ".aws-sam/build"
_LAYER = _BUILT / "SharedLayer/python"
_TIMED = "import time; began = time.perf_counter(); import {module}; {more}print(time.perf_counter() - began)"
_CLIENT = "boto3.client('dynamodb'); "
_USUAL = "boto3, joblib, pandas, sklearn.cluster, sklearn.decomposition, sklearn.ensemble, sklearn.pipeline"
_USUAL_LIBRARIES = (
    "boto3", "botocore", "jmespath", "joblib", "numpy", "pandas", "python-dateutil", "s3transfer", "scikit-learn",
    "scipy", "six", "threadpoolctl", "urllib3",
)  # fmt: skip
CLIENT, USUAL = "boto3 and a client", "boto3, pandas and scikit-learn"
"""What imports are held against: the least that a function needs, and what one of the usual make takes."""
LOOKUP = "lookup_customer"
LAMBDA_MB = 250
"""What Lambda lets a function and its layers have, unzipped."""
_CLOUD = {
    "CALLERS": "roles",
    "TIME_ZONE": "UTC",
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
    path = [_folder(function), _LAYER] if is_built(function) else [ROOT]
    return _seconds(f"functions.{function}.app", path, named, alone=is_built(function))


def peer_seconds(peer: str) -> float:
    """The same of CLIENT, from the layer as built, or of USUAL, which no layer holds; each with a client."""
    if peer == USUAL or not _LAYER.is_dir():
        return _seconds(_USUAL if peer == USUAL else "boto3", [], more=_CLIENT)
    return _seconds("boto3", [_LAYER], more=_CLIENT, alone=True)


def _seconds(
    modules: str, path: Sequence[Path], named: Mapping[str, str] | None = None, more: str = "", alone: bool = False
) -> float:
    """`alone` without the environment's own packages."""
    command = [sys.executable, *(["-S"] if alone else []), "-c", _TIMED.format(module=modules, more=more)]
    environment = os.environ | (named or {}) | _CLOUD | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    return float(subprocess.run(command, check=True, capture_output=True, text=True, env=environment, cwd="/").stdout)


def import_rows(imports: Mapping[str, Sequence[float]]) -> Iterator[Row]:
    """A row a function, of the best times in seconds by function, and by CLIENT and USUAL."""
    best = {name: 1_000 * min(seconds) for name, seconds in imports.items()}
    client, usual = best.pop(CLIENT), best.pop(USUAL)
    for function, milliseconds in best.items():
        what = f"Cold import of {function}, as {'built' if is_built(function) else 'its sources are'}"
        row = Row(f"cold_start_{function}", what, milliseconds, "ms", USUAL, usual, CLIENT, client).times_peer(5)
        yield row.near_limit(1.2) if function == LOOKUP else row


def size_rows() -> Iterator[Row]:
    """How large the layer is with the largest function, unzipped, beside the libraries of USUAL."""
    largest = max(_megabytes(_folder(function)) for function in functions())
    files = [file.locate() for name in _USUAL_LIBRARIES for file in distribution(name).files or ()]
    usual = sum(Path(str(file)).stat().st_size for file in files if Path(str(file)).is_file()) / 1e6
    value = _megabytes(_BUILT / "SharedLayer") + largest
    yield Row(
        "package_size", "The layer and the largest function", value, "MB", USUAL, usual, "Lambda's", LAMBDA_MB
    ).at_most(LAMBDA_MB)


def _megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def _folder(function: str) -> Path:
    return _BUILT / ("".join(word.title() for word in function.split("_")) + "Function")
