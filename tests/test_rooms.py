"""Every module of shared and training has a test of its own name, or it is said here what tests it."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTED_BY = {
    "shared/durations": "features/test_delivery.py",
    "shared/audiences/terms": "audiences/test_reading.py",
    "shared/decisions/grounds": "decisions/test_audience_moves.py",
    "shared/decisions/carrying": "decisions/test_foreseeing.py",
    "shared/destinations/open_jobs": "destinations/test_newest_after_jobs.py",
    "shared/exports/schema": "exports/test_tables.py",
    "shared/recommending/lists": "recommending/test_recommending.py",
    "shared/drift/watching": "functions/test_measure_drift.py",
    "shared/insight/fetching": "insight/test_measuring.py",
    "shared/features/released": "models/test_bundle_features.py",
    "shared/events/dialects": "events/test_dialects.py",
    "training/check_reasons": "tessera/test_commands.py",
    "training/inspect": "training/inspection/test_inspect.py",
    "training/inspection": "training/inspection/test_inspect.py",
    "training/report": "training/report/test_report.py",
    "training/shop": "training/test_simulator.py",
    "training/base/errors": "training/base/test_command.py",
    "training/data/naive_features": "features/test_delivery.py",
    "training/adopt": "training/adoption/test_adopting.py",
    "training/discovery/synthesis": "training/discovery/test_synthesised.py",
    "training/data/naive_targets": "training/prediction/test_happenings.py",
    "training/prediction/models": "training/bundle/test_export.py",
    "training/engines/stored": "training/engines/test_spark.py",
    "training/registry/jobs": "training/test_learn_elsewhere.py",
    "training/bundle/fitted": "training/test_train.py",
    "training/bundle/gate": "training/test_publish.py",
    "training/bundle/graph": "training/bundle/test_export.py",
    "training/bundle/manifest": "training/test_train.py",
    "training/bundle/model_graph": "training/bundle/test_export.py",
    "training/bundle/segment_graph": "training/segmentation/test_segments.py",
}
"""Modules, and whole rooms, that are tested by what they make: a graph as it is run, a report as it is read, events as
files of every format become them, features as a slow and obvious oracle has them."""


def test_every_module_is_tested_by_its_name_or_where_it_is_said() -> None:
    modules = [path for house in ("shared", "training") for path in ROOT.glob(f"{house}/**/*.py")]
    names = {path.relative_to(ROOT).with_suffix("") for path in modules if not path.name.startswith("__")}
    tests = {path.relative_to(ROOT / "tests") for path in ROOT.glob("tests/**/test_*.py")}
    own = {name for name in names if _test_of(name) in tests}
    said = {name for name in names if {str(name), *map(str, name.parents)} & TESTED_BY.keys()}
    assert {str(name) for name in names - own - said} == set()
    assert [test for test in TESTED_BY.values() if Path(test) not in tests] == []


def _test_of(module: Path) -> Path:
    mirrored = module.relative_to("shared") if module.parts[0] == "shared" else module
    return mirrored.with_name(f"test_{module.name}.py")
