"""A feature whose values change is another feature, and says so by its revision."""

import json

import pytest

from shared.features import KNOWN_DEFINITIONS
from shared.features.definitions import Definition
from shared.features.released import RELEASED
from tests.features.golden_values import FILE, differs, label, values

GOLDEN = json.loads(FILE.read_text())
NOW = values(GOLDEN["events"])


@pytest.mark.parametrize("definition", KNOWN_DEFINITIONS, ids=map(label, KNOWN_DEFINITIONS))
def test_a_feature_gives_what_its_definition_gave_when_it_was_written_down(definition: Definition) -> None:
    name = label(definition)
    known = GOLDEN["features"].get(name)
    assert known and known["hash"] == definition.hash, "run python -m tests.features.golden_values"
    changed = differs(known["values"], NOW[name])
    assert not changed, f"{name} gives other values: raise its revision, so that bundles trained on the old are refused"


def test_the_fixed_customers_tell_every_feature_from_every_other() -> None:
    columns = [tuple(known["values"]) for known in GOLDEN["features"].values()]
    assert len(set(columns)) == len(columns)
    assert all(len(set(column) - {None}) > 1 for column in columns)
    assert set(GOLDEN["features"]) == {*map(label, KNOWN_DEFINITIONS)}


def test_a_feature_of_the_release_before_has_its_first_revision() -> None:
    assert {definition.revision for definition in RELEASED} == {1}
