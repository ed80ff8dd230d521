"""Tests in an order of chance, as none may hang on another: `-p tests.support.shuffled`, with the seed in SHUFFLE.

The files come in another order, and so do the tests of a file. Those of tests/e2e keep theirs within a file: each of
these tells one story of a stack.
"""

import os
import random
from collections import defaultdict

import pytest

STORIES = "tests/e2e/"


def pytest_configure() -> None:
    """Chooses a seed that is the same in every process, where none is given."""
    os.environ.setdefault("SHUFFLE", str(random.randrange(10**6)))


def pytest_report_header() -> str:
    """Says how to have the same order again."""
    return f"shuffled by SHUFFLE={os.environ['SHUFFLE']}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Shuffles them, after the marks have left some out."""
    chance = random.Random(os.environ["SHUFFLE"])
    files: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        files[item.nodeid.partition("::")[0]].append(item)
    names = [*files]
    chance.shuffle(names)
    for name, tests in files.items():
        if not name.startswith(STORIES):
            chance.shuffle(tests)
    items[:] = [item for name in names for item in files[name]]
