"""What a feature is, in a bundle's words and in this release's; bundles themselves are in tests/models."""

from dataclasses import replace

import pytest

from shared.features.definitions import Definition, FeaturesChanged, columns, needed, set_hash, to_json

VISITS = Definition("visits_7d", "Visits in the last 7 days", "visits", 7)
TENURE = Definition("tenure", "Days since the customer was first seen", "days", None)


def metadata(*definitions: Definition, names: str | None = None) -> dict[str, str]:
    listed = names or "[" + ", ".join(f'"{definition.name}"' for definition in definitions) + "]"
    return {
        "feature_names": listed,
        "feature_definitions": to_json(definitions),
        "feature_set_hash": set_hash(definitions),
    }


def test_a_definition_comes_back_with_its_hash() -> None:
    assert Definition.of(VISITS.as_dict()) == VISITS
    assert VISITS.as_dict()["hash"] == VISITS.hash != replace(VISITS, revision=2).hash


def test_a_first_revision_is_hashed_as_before_there_were_revisions() -> None:
    assert VISITS.hash == "8535d26ac299d993"


def test_what_changed_is_told_in_words() -> None:
    assert replace(VISITS, window_days=30, revision=2).changes(VISITS) == ["window", "formula"]


def test_a_bundle_says_what_it_needs() -> None:
    assert needed(metadata(TENURE, VISITS)) == (TENURE, VISITS)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"feature_names": "[]"},
        {"feature_definitions": "["},
        {"feature_definitions": '[{"name": "tenure"}]'},
        {"feature_set_hash": "0" * 16},
    ],
)
def test_a_bundle_that_contradicts_itself_is_refused(spoilt: dict[str, str]) -> None:
    with pytest.raises(FeaturesChanged):
        needed({**metadata(TENURE, VISITS), **spoilt})


def test_columns_are_found_by_name_and_every_problem_is_named() -> None:
    assert columns([VISITS], [TENURE, VISITS]) == [1]
    with pytest.raises(FeaturesChanged, match="parcels: this code does not compute it; visits_7d: its unit changed"):
        columns([replace(VISITS, name="parcels"), replace(VISITS, unit="stays")], [TENURE, VISITS])
