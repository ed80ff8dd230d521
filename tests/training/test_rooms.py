"""Every module of training has a test of its own name, or it is said here what tests it."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTED_BY = {
    "check_features": "tessera/test_commands.py",
    "check_reasons": "tessera/test_commands.py",
    "inspect": "training/inspection/test_inspect.py",
    "inspection": "training/inspection/test_inspect.py",
    "report": "training/report/test_report.py",
    "shop": "training/test_simulator.py",
    "base/errors": "training/base/test_command.py",
    "data/naive_features": "features/test_delivery.py",
    "prediction/models": "training/bundle/test_export.py",
    "bundle/fitted": "training/test_train.py",
    "bundle/gate": "training/test_publish.py",
    "bundle/graph": "training/bundle/test_export.py",
    "bundle/manifest": "training/test_train.py",
    "bundle/model_graph": "training/bundle/test_export.py",
    "bundle/segment_graph": "training/segmentation/test_segments.py",
}
"""Modules, and whole rooms, that are tested by what they make: a graph as it is run, a report as it is read."""


def test_every_module_is_tested_by_its_name_or_where_it_is_said() -> None:
    modules = {path.relative_to(ROOT / "training").with_suffix("") for path in ROOT.glob("training/**/*.py")}
    own = {m for m in modules if (ROOT / "tests/training" / m.with_name(f"test_{m.name}.py")).exists()}
    others = {m for m in modules - own if m.name != "__init__"}
    assert {str(m) for m in others if str(m) not in TESTED_BY and m.parts[0] not in TESTED_BY} == set()
    assert [test for test in TESTED_BY.values() if not (ROOT / "tests" / test).exists()] == []
