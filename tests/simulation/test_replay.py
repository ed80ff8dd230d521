"""A seed is the whole story: it plays the same anywhere, and ever again."""

import os
import subprocess
import sys
from pathlib import Path

from tests.simulation.play import play

ROOT = Path(__file__).parents[2]


def test_a_seed_replays_exactly_whatever_the_order_in_sets_is() -> None:
    seed = 3
    command = [sys.executable, "-W", "ignore", "-m", "tests.simulation", "--seed", str(seed)]
    answers = [
        subprocess.run(
            command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": order}, capture_output=True, text=True, check=True
        ).stdout
        for order in ("1", "2")
    ]
    assert answers[0] == answers[1]
    digest = play(seed).digest
    assert digest in answers[0]
    assert digest == play(seed).digest != play(seed + 1).digest
