"""Exports are known by their columns, and files that are read as they are need no mapping."""

from pathlib import Path

import pytest

from shared.events import mappings
from tests.events.test_mappings import SAMPLES
from training.inspection.known import as_it_is, known_exports
from training.inspection.sample import read_sample


@pytest.mark.parametrize("name", mappings.NAMES)
def test_an_export_is_known_by_its_columns(name: str) -> None:
    exports = known_exports(SAMPLES[name], read_sample(SAMPLES[name]))
    assert [export.name for export in exports] == [name]
    assert exports[0].share > 0.9


@pytest.mark.parametrize(
    ("content", "title"),
    [
        ("event_type,timestamp,customer_id\npurchase,2024-01-01,a\n", "Tessera's own columns"),
        (
            "type,event,userId,timestamp\ntrack,Order Completed,a,2024-01-01\n",
            "the payloads of Segment and RudderStack",
        ),
        ("event_type;timestamp;customer_id\npurchase;2024-01-01;a\n", None),
        ("when,who\n2024-01-01,a\n", None),
    ],
)
def test_what_is_read_as_it_is_needs_no_mapping(content: str, title: str | None, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(content)
    sample = read_sample(tmp_path / "a.csv")
    assert as_it_is(sample) == title
    assert known_exports(tmp_path / "a.csv", sample) == []
