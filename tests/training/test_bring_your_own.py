"""Three foreign files go from how they are to a trained model, as docs/bring-your-own.md shows it."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.foreign import hits, invoices, orders
from tests.training.conftest import CONFIG
from training import inspect
from training.train import main

_, _, PAGE = (Path(__file__).parents[2] / "docs" / "bring-your-own.md").read_text().partition("## Three files")
EDIT = ('anonymous_id = "fullVisitorId"', 'anonymous_id = ["fullVisitorId", "clientId"]')
"""Of web analytics, the one line that a person changes."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.toml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")


def shown(of: str) -> list[str]:
    """What the page says that a command prints which looks at a file or trains on it, cut lines left out."""
    block = next(block for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL) if f"$ {of}" in block)
    _, _, after = block.partition(f"$ {of}")
    printed = after.partition("\n")[2].partition("\n$ ")[0]
    return [line for line in printed.splitlines() if line and line != "…"]


def squeezed(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("make", "mapping", "customers", "shares"),
    [(invoices, "mapping.toml", 235, 0.04), (hits, "mapping.toml", 254, 0.0), (orders, "shopify", 237, 0.0)],
    ids=["invoices", "hits", "orders"],
)
def test_a_foreign_file_becomes_a_model(
    make: Callable[[Path], Path], mapping: str, customers: int, shares: float, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make(Path()).name
    assert inspect.main([path, "--out", "mapping.toml"]) == 0
    inspected = squeezed(capsys.readouterr().out)
    assert [line for line in shown(f"uv run tessera inspect {path}") if squeezed(line) not in inspected] == []
    if make is hits:
        proposed = Path("mapping.toml").read_text()
        assert EDIT[0] in proposed
        Path("mapping.toml").write_text(proposed.replace(*EDIT))
        assert EDIT[1] in PAGE
    training = ["--mapping", mapping, "--events", path, "--out", "model", "--config", "config.toml"]
    assert main(training) == 0
    printed = capsys.readouterr()
    trained = squeezed(printed.out + printed.err)
    lines = shown(f"uv run tessera train --mapping {mapping} --events {path}")
    assert [line for line in lines if squeezed(line) not in trained] == []
    manifest = json.loads(Path("model", "manifest.json").read_text())
    assert sum(segment["size"] for segment in manifest["segments"]) == customers
    assert [target for target in ("churn", "conversion", "ltv") if f"{target}:" not in trained] == []


def test_a_half_that_cannot_be_read_trains_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    path = hits(Path()).name
    assert inspect.main([path, "--out", "mapping.toml"]) == 0
    assert main(["--mapping", "mapping.toml", "--events", path, "--out", "model"]) == 2
    printed = capsys.readouterr()
    said = squeezed(printed.out + printed.err)
    assert "hits-2.csv: it has no column fullVisitorId, which the mapping names" in said
    assert "WARNING: 1 of 2 files, with 48% of all bytes, could not be read" in said
    assert "error: 1 of 2 files could not be read, 48% of all bytes and more than most_refused allows (25%)" in said
