"""What `make check` leaves to `make test`, so that it ends within 90 seconds on two cores; `-p tests.support.check`.

Left out is what trains a model, what plays many seeds, and what else takes long: more than two seconds of processor
time for a test, or many tests of one kind.
Of the properties it tries 20 examples, by the profile `check` of `tests/conftest.py`.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

TRAINED = "shop"
"""The fixture of `tests/training/conftest.py` behind all that trains."""
LEFT_OUT = (
    "tests/bench/",
    "tests/bulk/test_partitions.py",
    "tests/bulk/test_refresh.py::test_after_any_time_everyone_is_where_scoring_everyone_puts_them",
    "tests/bulk/test_refresh.py::test_whoever_a_writer_without_a_model_stored_is_decided_on_by_the_next_tick",
    "tests/dashboard/test_bundle.py::test_the_lock_makes_it_again",
    "tests/dashboard/test_pages.py",
    "tests/dashboard/test_snapshot.py",
    "tests/e2e/",
    "tests/drift/test_simulation.py",
    "tests/erasure/test_erasure_memory.py",
    "tests/events/test_bounds.py::test_a_file_is_read_in_bounded_memory_and_time",
    "tests/events/test_columns.py::test_fingerprints_of_ids_that_count_up_collide_no_more_than_random_ones",
    "tests/experiments/test_assignment.py::test_arms_dealt_as_planned_are_seldom_ever_blocked_and_others_soon_are",
    "tests/experiments/test_histories.py::test_the_published_effects_of_the_email_test_come_out",
    "tests/experiments/test_simulation.py",
    "tests/exports/test_export_memory.py",
    "tests/features/test_delivery.py::test_a_million_events_of_one_customer_stay_small_and_are_called_automated",
    "tests/functions/erasure/",
    "tests/functions/test_everywhere.py",
    "tests/functions/test_live_failures.py",
    "tests/functions/test_privacy.py",
    "tests/functions/test_publish_transitions.py::test_the_same_records_again_change_nothing_and_repeat_the_ids",
    "tests/functions/test_published_ledger.py",
    "tests/functions/test_refresh_segments.py",
    "tests/functions/test_restore.py",
    "tests/functions/test_measure_drift.py",
    "tests/functions/test_measure_results.py",
    "tests/insight/test_tables.py::test_what_memory_does_not_hold_goes_to_the_disk_and_is_refused_beyond",
    "tests/insight/test_trials.py::test_exports_tell_what_histories_tell",
    "tests/intake/test_claims.py::test_a_crash_after_any_request_is_made_good_by_the_next_delivery",
    "tests/intake/test_unlinking.py",
    "tests/operations/test_tableau.py::test_tableau_finds_every_table_of_the_last_whole_date",
    "tests/operations/test_warehouse.py::test_the_views_say_what_the_shop_did[bigquery]",
    "tests/operations/test_warehouse.py::test_the_views_say_what_the_shop_did[snowflake]",
    "tests/profiles/test_hot_customer.py",
    "tests/reasons/test_acting.py::test_doing_it_does_what_it_says_on_each_of_the_days",
    "tests/reasons/test_acting.py::test_least_acts_come_first_and_each_kind_once",
    "tests/simulation/test_bugs.py",
    "tests/simulation/test_replay.py",
    "tests/simulation/test_simulation.py",
    "tests/test_state_machines.py",
    "tests/training/bundle/test_export.py",
    "tests/training/bundle/test_gain.py",
    "tests/training/data/test_preparation.py::test_no_group_of_features_outvotes_another",
    "tests/training/discovery/test_judging.py",
    "tests/training/discovery/test_synthesised.py::test_its_values_are_those_of_our_formulas",
    "tests/training/inspection/test_inspect.py",
    "tests/training/test_bring_your_own.py::test_a_foreign_file_becomes_a_model",
    "tests/training/segmentation/test_naming.py",
    "tests/training/segmentation/test_segments.py",
    "tests/training/test_simulator.py",
)
"""Files and tests, by how their names begin."""
NOT_LEFT_OUT = ("tests/simulation/test_simulation.py::test_whatever_goes_wrong_the_end_is_what_was_sent[0]",)
"""Five seeds of the simulation are played all the same."""

WHOLE = tuple(name for name in LEFT_OUT if "::" not in name)
ROOT = Path(__file__).parents[2]

_left: dict[str, int] = {}


def is_left_out(name: str, fixtures: Iterable[str] = ()) -> bool:
    """Whether `make check` leaves a test to `make test`: by its name in full, and the fixtures that it takes."""
    trains = TRAINED in fixtures and name.startswith("tests/training/")
    return (trains or name.startswith(LEFT_OUT)) and name not in NOT_LEFT_OUT


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Does not as much as import what is left out whole, unless it was asked for by name."""
    name = collection_path.relative_to(ROOT).as_posix() if collection_path.is_relative_to(ROOT) else ""
    return f"{name}/".startswith(WHOLE) or None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves them out, after the marks have."""
    left = [item for item in items if is_left_out(item.nodeid, getattr(item, "fixturenames", ()))]
    _left.update(Counter(item.nodeid.partition("::")[0] for item in left))
    items[:] = [item for item in items if item not in left]
    config.hook.pytest_deselected(items=left)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Sends what this process of several left out to the one that reports."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["left"] = _left


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object | None) -> None:
    """Takes it; all of them left out the same."""
    _left.update(getattr(node, "workeroutput", {}).get("left", {}))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Says what is left to do."""
    parts = ", ".join(f"{file.removeprefix('tests/')} ({count})" for file, count in sorted(_left.items()))
    terminalreporter.section("left to make test")
    terminalreporter.write_line(f"whole: {', '.join(name.removeprefix('tests/') for name in WHOLE)}")
    terminalreporter.write_line(f"in part, {sum(_left.values())} tests: {parts}")
    terminalreporter.write_line("all but 20 examples of each property")
    terminalreporter.write_line("left to make lint: links, sam validate, the scans")
