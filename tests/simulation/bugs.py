"""Bugs planted in the code under test, each of a kind that somebody has made: the auditor has to see every one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

from tests.simulation.export_bugs import EXPORT_BUGS
from tests.simulation.journey_bugs import JOURNEY_BUGS
from tests.simulation.ledger_bugs import LEDGER_BUGS
from tests.simulation.planting import Bug, Planting


def _history_replaced(code: Planting) -> None:
    code.set(code.module("shared.profiles.update"), "merge", lambda before, new: new if len(new) else before)


def _blind_write(code: Planting) -> None:
    table = code.module("shared.profiles.table").ProfileTable
    save = table.save

    def blind(self: Any, profiles: Any) -> set[str]:
        lost = save(self, profiles)
        if lost:
            stored = self.load(sorted(lost))
            late = [profile for profile in profiles if profile.key in lost and profile.key in stored]
            save(self, [replace(profile, version=stored[profile.key].version + 1) for profile in late])
        return set()

    code.set(table, "save", blind)


def _head_first(code: Planting) -> None:
    module = code.module("shared.profiles.table")
    table = module.ProfileTable
    volumes_of = module._volume_writes
    save = table.save

    def backwards(self: Any, profiles: Any) -> set[str]:
        code.set(module, "_volume_writes", lambda profile: ())
        lost: set[str] = save(self, profiles)
        code.set(module, "_volume_writes", volumes_of)
        writes = [write for profile in profiles if profile.key not in lost for write in volumes_of(profile)]
        self._write(writes, lost, {})
        return lost

    code.set(table, "save", backwards)


def _empty_volumes_missed(code: Planting) -> None:
    def states(self: Any) -> list[bytes]:
        return [self.state, *(volume.state for volume in (self.sealed.read if self.sealed else ()))]

    code.set(code.module("shared.profiles.stored_profile").StoredProfile, "states", property(states))


def _volumes_left(code: Planting) -> None:
    code.set(code.module("shared.profiles.table").ProfileTable, "sweep", lambda self, key, profile: None)


def _lost_race_ignored(code: Planting) -> None:
    table = code.module("shared.profiles.table").ProfileTable
    save = table.save

    def careless(self: Any, profiles: Any) -> set[str]:
        save(self, profiles)
        return set()

    code.set(table, "save", careless)


def _throttled_forgotten(code: Planting) -> None:
    code.set(code.module("shared.profiles.table"), "TRANSIENT_ERRORS", frozenset())
    code.set(code.module("shared.profiles.table"), "ProfileNotWritten", _Swallowed)
    table = code.module("shared.profiles.table").ProfileTable
    save = table.save

    def forgetful(self: Any, profiles: Any) -> set[str]:
        try:
            lost: set[str] = save(self, profiles)
        except _Swallowed:
            return set()
        return lost

    code.set(table, "save", forgetful)


class _Swallowed(Exception):
    pass


def _swallows(name: str) -> Callable[[Planting], None]:
    def plant(code: Planting) -> None:
        intake = code.module("shared.intake.gathering").Intake
        flush = intake.flush

        def careless(self: Any) -> None:
            try:
                flush(self)
            except Exception:
                self._folded.clear()
                self._claims.clear()
                self._consents.clear()

        def change(module: Any) -> None:
            module.Intake = type("Intake", (intake,), {"flush": careless})

        code.in_containers(name, change)

    return plant


def _queue_not_told(code: Planting) -> None:
    def change(module: Any) -> None:
        sqs = module.sqs
        calls = count()

        class Careless:
            def send_message(self, **request: Any) -> None:
                if next(calls):
                    sqs.send_message(**request)

        module.sqs = Careless()

    code.in_containers("accept_events", change)


def _old_model_stands(code: Planting) -> None:
    code.set(code.module("shared.bulk.partitions"), "_stands", lambda bundle, since, decision: decision is not None)


def _never_due(code: Planting) -> None:
    deciding = code.module("shared.profiles.update")
    decide = deciding.decide
    code.set(
        deciding,
        "decide",
        lambda *given: {key: replace(decision, due_ms=None) for key, decision in decide(*given).items()},
    )


def _list_not_changed(code: Planting) -> None:
    table = code.module("shared.profiles.table")
    encode = table.encode_profile

    def encoded(profile: Any, *more: Any) -> Any:
        item = encode(profile, *more)
        if profile.version > profile.born + 1:
            item.pop("member_of", None)
        return item

    code.set(table, "encode_profile", encoded)


def _one_folder(code: Planting) -> None:
    folder = code.module("shared.intake.quarantine").Folder
    lines = folder.lines
    code.set(folder, "lines", lambda self, rejections, kind="lines", **more: lines(self, rejections, **more))


def _no_marks(code: Planting) -> None:
    code.set(code.module("shared.profiles.marks").Marks, "load", lambda self, keys: {})


def _first_copy_stands(code: Planting) -> None:
    code.set(code.module("shared.profiles.incoming"), "newer", lambda known, new: known or new)


def _decision_stays(code: Planting) -> None:
    code.set(code.module("shared.profiles.item"), "OF_A_DECISION", ())


def _refusals_forgotten(code: Planting) -> None:
    code.set(code.module("shared.profiles.marks").Marks, "refuse", lambda self, key, at_ms: None)


def _everything_kept(code: Planting) -> None:
    ingest = code.module("shared.intake.gathering").Intake
    code.set(ingest, "keepable", lambda self, rejections: rejections)


def _claims_ignored(code: Planting) -> None:
    code.set(code.module("shared.intake.ingest"), "copies", lambda visitors: {})


def _one_page(code: Planting) -> None:
    def change(module: Any) -> None:
        scan = module.scan_page
        module.scan_page = lambda *given, **named: (scan(*given, **named)[0], None)

    code.in_containers("rescore_customers", change)


def _told_in_logs(code: Planting) -> None:
    def change(module: Any) -> None:
        take_in = module._take_in

        def talkative(batch: Any, *more: Any) -> Any:
            module.logger.info(f"Messages: {[line for message in batch for line in message.lines]}")
            return take_in(batch, *more)

        module._take_in = talkative

    code.in_containers("ingest_live_events", change)


def _parts_lost(code: Planting) -> None:
    module = code.module("shared.intake.dropped_file")
    parts_of = module.parts_of
    code.set(module, "parts_of", lambda opened, has_time: [*parts_of(opened, has_time)][::2])


def _passing_refusals_stand(code: Planting) -> None:
    code.set(code.module("shared.destinations.vendors.hubspot"), "PASSING", frozenset())


def _destinations_not_told(code: Planting) -> None:
    code.set(code.module("shared.destinations.deliveries").Deliveries, "names", lambda self, key: [])


def _jobs_have_the_last_word(code: Planting) -> None:
    ended = code.module("shared.destinations.loading").Ended
    really = ended.outcome
    code.set(
        ended, "outcome", lambda self, record, version: really(self, record, record.version if record else version)
    )


def _rows_of_the_erased(code: Planting) -> None:
    code.set(code.module("shared.destinations.deliveries").Deliveries, "forget", lambda self, key: None)


def _members_of_the_erased(code: Planting) -> None:
    code.set(code.module("shared.ledger.rows").Ledger, "_forget_membership", lambda self, item, version: None)


def _rules_not_looked_ahead(code: Planting) -> None:
    code.module("shared.events")  # whose rooms import each other in this order
    module = code.module("shared.decisions.next_change")
    really = module.turning
    code.set(module, "turning", lambda *given: really(*given) & False)


BUGS = (
    Bug("new events take the place of the history", _history_replaced, 83),
    Bug("who loses a race writes all the same", _blind_write, 83),
    Bug("who loses a race takes it for written", _lost_race_ignored, 83),
    Bug("a profile is written before what it leaves out is sealed", _head_first, 82),
    Bug("sealed events outlive an erasure", _volumes_left, 17),
    Bug("the ledger wants volumes that nothing was sealed into yet", _empty_volumes_missed, 83),
    Bug("a throttled write is taken for done", _throttled_forgotten, 22),
    Bug("a file is acknowledged though its write failed", _swallows("ingest_events"), 45),
    Bug("a live message is acknowledged though its write failed", _swallows("ingest_live_events"), 7),
    Bug("a back-fill goes on though its write failed", _swallows("backfill_events"), 75),
    Bug("the API says 202 though a queue was not told", _queue_not_told, 15),
    *LEDGER_BUGS,
    Bug("decisions of the model before stand", _old_model_stands, 13),
    Bug("a run reads the first page alone", _one_page, 3),
    Bug("decisions have no date to be looked at again", _never_due, 83),
    Bug("who moves stays in the list of the segment before", _list_not_changed, 78),
    Bug("refused claims overwrite refused lines", _one_folder, 78),
    Bug("marks of the erased are not read", _no_marks, 83),
    Bug("refusals are not kept", _refusals_forgotten, 83),
    Bug("broken lines of the erased are kept", _everything_kept, 73),
    Bug("the first copy of a visitor's history stands", _first_copy_stands, 78),
    Bug("a visitor's history is not handed to the customer", _claims_ignored, 83),
    Bug("a visitor who became a customer keeps a decision", _decision_stays, 78),
    Bug("what people sent stands in the log", _told_in_logs, 83),
    Bug("every other part of a large file is forgotten", _parts_lost, 8),
    Bug("who was erased stays listed in an audience", _members_of_the_erased, 59),
    Bug("a decision is not due on the day on which a rule turns", _rules_not_looked_ahead, 70),
    Bug("a destination's refusals of the moment stand", _passing_refusals_stand, 64),
    Bug("destinations are not told of erasures", _destinations_not_told, 59),
    Bug("what a job wrote stands though somebody moved meanwhile", _jobs_have_the_last_word, 14),
    Bug("what was sent of the erased stays in the table", _rows_of_the_erased, 59),
    *JOURNEY_BUGS,
    *EXPORT_BUGS,
)
