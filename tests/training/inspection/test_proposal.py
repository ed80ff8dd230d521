"""A known mapping is proposed as the file needs it, unless guesses read more of the file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.events.mapping import read_mapping
from tests.events.test_mappings import SAMPLES
from training import inspect
from training.inspection.guess import guess
from training.inspection.proposal import Proposal, chosen, guessed, known
from training.inspection.sample import read_sample

HEADER = "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


def invoices(path: Path, when: Callable[[int], str], text: str = "Pot") -> Path:
    path.write_bytes(
        "\n".join([HEADER, *(f"5{n},{text},1,{when(n)},2.50,1{n % 7},France" for n in range(60))]).encode("cp1252")
    )
    return path


def proposed(path: Path) -> Proposal:
    sample = read_sample(path)
    guesses = guess(sample)
    proposal = chosen(guessed(sample, guesses), known(path, sample, guesses))
    assert proposal
    return proposal


def test_it_has_the_files_own_encoding_and_way_to_write_times(tmp_path: Path) -> None:
    proposal = proposed(invoices(tmp_path / "a.csv", lambda n: f"{n % 28 + 1:02d}/03/2011 10:00", "Käse"))
    mapping = read_mapping(proposal.document.encode())
    assert proposal.known
    assert proposal.known.name == "online_retail"
    assert (mapping.encoding, mapping.times.formats) == ("cp1252", ["%d/%m/%Y %H:%M"])
    assert (len(proposal.events), proposal.refused) == (60, {})


def test_as_it_comes_it_is_left_as_it_is(tmp_path: Path) -> None:
    proposal = proposed(invoices(tmp_path / "a.csv", lambda n: f"3/{n % 28 + 1}/2011 10:00"))
    mapping = read_mapping(proposal.document.encode())
    assert (mapping.encoding, mapping.times.formats) == ("utf-8", ["%m/%d/%Y %H:%M", "%Y-%m-%d %H:%M:%S"])


def test_where_it_refuses_what_guesses_read_they_are_proposed(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["ID,Purchase Date,Customer Email,Grand Total (Base),Status", *(
        f"{n},2024-01-{n % 28 + 1:02d}T10:00:00Z,a{n % 9}@example.com,{n}.50,Complete" for n in range(60)
    )]))  # fmt: skip
    assert proposed(path).known is None


@pytest.mark.parametrize("name", SAMPLES)
def test_inspect_says_what_it_looks_like(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert inspect.main([str(SAMPLES[name]), "--out", str(tmp_path / "m.toml")]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "This looks like " in shown
    assert f"The mapping {name}, which comes with Tessera, reads it." in shown
    read_mapping((tmp_path / "m.toml").read_bytes())
