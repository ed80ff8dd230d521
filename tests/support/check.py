"""What `make check` leaves to `make test`, so that it ends within 90 seconds on two cores; `-p tests.support.check`.

Left out is what trains a model, what plays many seeds, and what else takes long: about a second of processor time for
a test, or many tests of one kind. Of a test with many cases the first few are tried, in the rooms of FAMILIES.
Of the properties it tries 20 examples, by the profile `check` of `tests/conftest.py`, and fewer of dear ones.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

TRAINED = "shop"
"""The fixture of `tests/training/conftest.py` behind all that trains."""
LEFT_OUT = (
    "tests/audiences/test_warehouses.py",
    "tests/bench/",
    "tests/bulk/test_partitions.py",
    "tests/bulk/test_refresh.py::test_after_any_time_everyone_is_where_scoring_everyone_puts_them",
    "tests/bulk/test_refresh.py::test_whoever_a_writer_without_a_model_stored_is_decided_on_by_the_next_tick",
    "tests/dashboard/test_bundle.py::test_the_lock_makes_it_again",
    "tests/dashboard/test_pages.py",
    "tests/dashboard/test_snapshot.py",
    "tests/destinations/test_loading_faults.py::test_these_stories_have_jobs_that_end_each_way",
    "tests/drift/test_simulation.py",
    "tests/e2e/",
    "tests/erasure/test_erasure_memory.py",
    "tests/erasure/test_steps.py::test_killed_between_any_two_calls_it_ends_the_same",
    "tests/events/test_bounds.py::test_a_file_is_read_in_bounded_memory_and_time",
    "tests/events/test_checkpoints.py::test_blocks_of_a_byte_each_bring_few_checkpoints",
    "tests/events/test_checkpoints.py::test_what_expands_beyond_all_proportion_is_refused",
    "tests/events/test_columns.py::test_fingerprints_of_ids_that_count_up_collide_no_more_than_random_ones",
    "tests/events/test_parquet.py::test_a_million_rows_with_long_ids_in_one_group_are_read",
    "tests/events/test_parquet_sql.py::test_an_error_tells_nothing_of_what_is_in_the_file",
    "tests/events/test_pieces.py::test_gzip_of_many_members_and_levels",
    "tests/experiments/test_assignment.py::test_arms_dealt_as_planned_are_seldom_ever_blocked_and_others_soon_are",
    "tests/experiments/test_histories.py::test_the_published_effects_of_the_email_test_come_out",
    "tests/experiments/test_simulation.py",
    "tests/exports/test_export_memory.py",
    "tests/exports/test_finishing.py::test_who_was_replaced_says_so_and_leaves_nothing",
    "tests/features/test_delivery.py::test_a_million_events_of_one_customer_stay_small_and_are_called_automated",
    "tests/functions/erasure/",
    "tests/functions/test_contract.py",
    "tests/functions/test_deliver.py::test_what_is_gathered_comes_again_where_the_vendor_is_down",
    "tests/functions/test_deliver.py::test_where_few_wait_nothing_is_gathered",
    "tests/functions/test_deliver.py::test_where_many_wait_more_are_taken_than_a_batch_brings_and_go_by_one_job",
    "tests/functions/test_everywhere.py",
    "tests/functions/test_export_tables.py::test_a_date_that_is_run_again_is_replaced_and_not_whole_meanwhile",
    "tests/functions/test_export_tables.py::test_a_part_that_broke_off_before_it_was_kept_writes_the_same_objects_again",
    "tests/functions/test_export_tables.py::test_a_profile_that_cannot_be_read_is_counted_and_keeps_nobody_out",
    "tests/functions/test_export_tables.py::test_a_run_that_did_not_go_on_for_hours_is_replaced_and_takes_its_objects_away",
    "tests/functions/test_export_tables.py::test_moves_are_rows_as_the_ledger_has_them_and_come_once",
    "tests/functions/test_export_tables.py::test_of_two_runs_of_a_date_the_second_gives_way",
    "tests/functions/test_export_tables.py::test_orders_and_exposures_are_rows_of_the_events_kept",
    "tests/functions/test_export_tables.py::test_progress_and_reports_name_nobody",
    "tests/functions/test_export_tables.py::test_the_next_day_holds_what_was_recorded_since_and_nothing_twice",
    "tests/functions/test_ingest_quarantine.py::test_what_came_before_the_break_in_a_file_counts",
    "tests/functions/test_large_files.py::test_a_history_begins_again_with_a_file_that_was_replaced",
    "tests/functions/test_large_files.py::test_a_history_goes_on_where_it_was_in_a_large_file",
    "tests/functions/test_large_files.py::test_a_large_file_is_counted_exactly_once",
    "tests/functions/test_large_files.py::test_groups_of_rows_are_parts_of_parquet",
    "tests/functions/test_large_files.py::test_quarantine_of_all_parts_is_bounded_as_that_of_a_file",
    "tests/functions/test_live_failures.py",
    "tests/functions/test_measure_drift.py",
    "tests/functions/test_measure_results.py",
    "tests/functions/test_privacy.py",
    "tests/functions/test_publish_transitions.py::test_the_same_records_again_change_nothing_and_repeat_the_ids",
    "tests/functions/test_published_ledger.py",
    "tests/functions/test_refresh_segments.py",
    "tests/functions/test_restore.py",
    "tests/insight/test_measuring.py::test_the_return_on_cost_is_of_the_action_of_the_audience",
    "tests/insight/test_tables.py::test_what_memory_does_not_hold_goes_to_the_disk_and_is_refused_beyond",
    "tests/insight/test_trials.py::test_exports_tell_what_histories_tell",
    "tests/intake/test_claims.py::test_a_crash_after_any_request_is_made_good_by_the_next_delivery",
    "tests/intake/test_claims.py::test_a_link_and_a_visitors_events_may_meet_at_any_request",
    "tests/intake/test_unlinking.py",
    "tests/models/test_switching.py::test_empty_notes_are_left_out_and_old_switches_forgotten",
    "tests/operations/test_audiences.py::test_everybody_of_the_last_export_is_counted_where_that_is_asked_for",
    "tests/operations/test_tableau.py::test_tableau_finds_every_table_of_the_last_whole_date",
    "tests/operations/test_tableau.py::test_without_tableaus_library_it_says_how_to_have_it",
    "tests/operations/test_warehouse.py::test_the_views_say_what_the_shop_did",
    "tests/profiles/test_hot_customer.py",
    "tests/profiles/test_sealing.py::test_a_full_profile_seals_no_end_of_volumes",
    "tests/profiles/test_sealing.py::test_a_sealed_volume_that_is_full_is_not_written_any_more",
    "tests/profiles/test_sealing.py::test_two_who_seal_at_once_may_meet_at_any_request",
    "tests/profiles/test_unwritten.py::test_an_account_with_160_browsers_of_120_events_fits_and_is_decided_on_as_all_of_them_together",
    "tests/reasons/test_acting.py::test_doing_it_does_what_it_says_on_each_of_the_days",
    "tests/reasons/test_acting.py::test_least_acts_come_first_and_each_kind_once",
    "tests/simulation/test_bugs.py",
    "tests/simulation/test_replay.py",
    "tests/simulation/test_simulation.py",
    "tests/test_state_machines.py",
    "tests/training/adoption/test_margins.py::test_trees_that_ask_for_too_much_on_a_way_are_sampled",
    "tests/training/bundle/test_contest.py",
    "tests/training/bundle/test_export.py",
    "tests/training/bundle/test_gain.py",
    "tests/training/data/test_preparation.py",
    "tests/training/discovery/test_judging.py",
    "tests/training/discovery/test_synthesised.py",
    "tests/training/engines/test_disk.py::test_what_memory_does_not_hold_is_sorted_on_the_disk",
    "tests/training/inspection/test_inspect.py",
    "tests/training/prediction/test_balance.py::test_a_lot_passes_with_two_hundred_seeds",
    "tests/training/prediction/test_uplift.py",
    "tests/training/prediction/test_window.py",
    "tests/training/recommending/test_evaluation.py::test_an_interval_holds_the_truth_about_as_often_as_it_says",
    "tests/training/recommending/test_training.py",
    "tests/training/registry/test_packed.py::test_the_program_begins_where_python_finds_the_project",
    "tests/training/segmentation/test_clustering.py::test_the_stand_in_for_ward_is_as_faithful_as_it_says",
    "tests/training/segmentation/test_micro.py::test_every_micro_segment_lies_in_its_segment_and_holds_the_minimum",
    "tests/training/segmentation/test_naming.py",
    "tests/training/segmentation/test_segments.py",
    "tests/training/test_bring_your_own.py",
    "tests/training/test_recommend.py",
    "tests/training/test_simulator.py",
)
"""Files and tests, by how their names begin."""
NOT_LEFT_OUT = ("tests/simulation/test_simulation.py::test_whatever_goes_wrong_the_end_is_what_was_sent[0]",)
"""Two seeds of the simulation are played all the same."""
FAMILIES = tuple(
    f"tests/{room}/"
    for room in (
        *("api", "destinations", "events", "functions", "insight", "journeys", "operations"),
        *("profiles", "reasons", "recommending", "training"),
    )
)
FEW = 3
"""Of a test of these rooms with many cases, whose set-up takes most of the time, so many are tried, the first ones."""

WHOLE = tuple(
    name for name in LEFT_OUT if "::" not in name and name not in {one.partition("::")[0] for one in NOT_LEFT_OUT}
)
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
    tried: Counter[str] = Counter()
    left = []
    for item in items:
        family = item.nodeid.partition("[")[0]
        many = tried[family] >= FEW and family.startswith(FAMILIES)
        if many or is_left_out(item.nodeid, getattr(item, "fixturenames", ())):
            left.append(item)
        else:
            tried[family] += 1
    _left.update(Counter(item.nodeid.partition("::")[0] for item in left))
    left_out = set(left)
    items[:] = [item for item in items if item not in left_out]
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
    terminalreporter.write_line(f"all but 20 examples of each property, and all but {FEW} cases of most tests")
    terminalreporter.write_line("left to make lint: links, sam validate, the scans")
