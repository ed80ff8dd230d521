"""The memory that a batch takes, in a process of its own. It takes a minute or more, so `make nightly` runs it."""

import os
import subprocess
import sys

import pytest

MOST = 1_000
"""Megabytes, of the 1,769 that the functions have."""


@pytest.mark.skipif(os.environ.get("HYPOTHESIS_PROFILE") != "nightly", reason="takes a minute or more")
def test_1000_customers_with_2000_events_each_stay_within_the_memory_of_a_function() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.memory", "1000", "2000"], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < MOST
