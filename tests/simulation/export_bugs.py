"""Bugs planted in what exports: each of a kind that leaves a table that does not say what is stored."""

from typing import Any

from tests.simulation.planting import Bug, Planting


def _exported_again(code: Planting) -> None:
    code.set(code.module("shared.exports.plan").Plan, "is_new", lambda self, recorded_ms: True)


def _leftovers_stay(code: Planting) -> None:
    code.set(code.module("shared.exports.finishing").Finishing, "_take_away", lambda self, manifests: None)


def _one_object_of_a_part(code: Planting) -> None:
    module = code.module("shared.exports.partitions")
    write = module.Exporter._write

    def same(self: Any, name: str, parts: Any, before: Any) -> Any:
        return write(self, name, parts, module.PartitionProgress(before.partition, before.partitions, 0, 0))

    code.set(module, "BYTES_AT_ONCE", 1)
    code.set(module.Exporter, "_write", same)


def _never_the_latest(code: Planting) -> None:
    code.set(code.module("shared.insight.measuring").Measuring, "_is_latest", lambda self, as_of_ms: False)


def _never_the_latest_drift(code: Planting) -> None:
    code.set(code.module("shared.drift.watching").Watching, "_is_latest", lambda self, as_of_ms: False)


EXPORT_BUGS = (
    Bug("what was exported before is exported again", _exported_again, 4),
    Bug("what another run left of a date stays", _leftovers_stay, 4),
    Bug("what was measured never is the latest", _never_the_latest, 11),
    Bug("what drifted never is the latest", _never_the_latest_drift, 11),
    Bug("the objects of a part all have one name", _one_object_of_a_part, 11),
)
