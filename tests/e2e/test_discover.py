"""A feature that the catalogue lacks is found in what a stack has taken in: files that were dropped, and live events
that it archived."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC
from itertools import batched
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from local.observe import read_profiles
from local.stack import Stack, local_stack
from tests.e2e.conftest import wait_until
from tests.training.discovery.test_synthesised import needs_featuretools
from tests.training.test_discover import WISHES
from training.simulator import write

pytestmark = [pytest.mark.e2e, pytest.mark.drill]

CUSTOMERS = 400
CLOCK = "2025-02-02T00:00:00Z"
SECONDS = 180
A_CALL = 500


@pytest.fixture(scope="module")
def wishes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop's folder of event files, one of which has only what customers wished for."""
    needs_featuretools()
    folder = tmp_path_factory.mktemp("wishes")
    write(folder, CUSTOMERS, wishes=0.4)
    (folder / "config.toml").write_text(WISHES)
    return folder


@pytest.fixture(scope="module")
def stack(wishes: Path) -> Iterator[Stack]:
    """Which got all wishes live, and all else as files."""
    with local_stack(clock=CLOCK) as deployed:
        live = _events(wishes / "events/wishes-0.parquet")
        files = [file for file in wishes.glob("events/*.parquet") if not file.name.startswith("wishes")]
        for file in files:
            deployed.s3.upload_file(str(file), deployed.bucket, f"events/{file.name}")
        for some in batched(live, A_CALL, strict=False):
            status, answer = deployed.api("POST", "/events", {"events": some})
            assert (status, answer["rejected"]) == (202, 0)
        sent = len(live) + sum(pq.read_metadata(file).num_rows for file in files)
        wait_until(lambda: sum(profile.events for profile in read_profiles(deployed).values()) == sent, SECONDS)
        yield deployed


def test_a_habit_is_found_in_the_events_of_its_bucket(stack: Stack, wishes: Path) -> None:
    places = [f"s3://{stack.bucket}/{prefix}/" for prefix in ("events", "archive")]
    command = [sys.executable, "-m", "training.discover", "--events", *places, "--config", str(wishes / "config.toml")]
    command += ["--target", "wish", "--customers", "100", "--judge", "2"]
    done = subprocess.run(command, env=stack.emulator.environment, check=True, stdout=subprocess.PIPE, text=True)
    declared = [line for line in done.stdout.splitlines() if line.startswith("    _") or line.startswith("    *_")]
    assert any("f.matching(h, category='Toys')" in line for line in declared), done.stdout


def _events(file: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(file).to_pylist()
    return [row | {"timestamp": row["timestamp"].replace(tzinfo=UTC).isoformat()} for row in rows]
