"""The run because of a changed rule beside the one because of a new model."""

import json
from pathlib import Path

from bench.rule_change import MODEL, RULE, measure_rule_change, rule_change_rows
from shared.models.layout import MANIFEST_FILE, ONNX_FILE
from tests.support.bundles import make_bundle


def test_both_decide_on_everybody_once_and_write_as_much(tmp_path: Path) -> None:
    graph, manifest = make_bundle(feature="visits_30d", centroids=(0.0, 1.0, 3.0))
    (tmp_path / ONNX_FILE).write_bytes(graph)
    (tmp_path / MANIFEST_FILE).write_text(json.dumps(manifest))

    measured = measure_rule_change(tmp_path, 40)

    assert {name: one.units for name, one in measured.items()} == {MODEL: 40, RULE: 40}
    assert all(one.facts["write_units"] >= 40 for one in measured.values())
    assert [*rule_change_rows(measured)][1].met
