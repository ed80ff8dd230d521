"""Labels as a shop writes them: what differs, and what its catalogue of actions must hold."""

import tomllib
from pathlib import Path

import pytest

from shared.models.labels import ACTIONS
from shared.recommending.lists import LISTS
from tests.support.bundles import make_bundle
from training.base.errors import InputError
from training.segmentation.labels import ACTIONS_FILE, as_toml, labels_for, read_actions, read_labels

MANIFEST = make_bundle()[1]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "labels.toml"


def test_only_what_was_changed_becomes_a_label(file: Path) -> None:
    manifest = {**MANIFEST, "actions": read_actions()}
    file.write_text(as_toml(manifest))
    assert labels_for(manifest, read_labels(file)) == {}


def test_a_segment_may_have_actions_of_its_own(file: Path) -> None:
    file.write_text('[segments.1.actions.loyal]\nkey = "dinner"\ntitle = "Dinner"')
    labels = labels_for(MANIFEST, read_labels(file))
    assert labels["segments"]["1"]["actions"]["loyal"]["key"] == "dinner"


def test_the_shops_catalogue_has_an_action_for_every_intent_and_the_defaults_keys() -> None:
    assert {intent: action["key"] for intent, action in read_actions().items()} == dict(ACTIONS)


def test_an_action_recommends_from_a_list_that_there_is(file: Path) -> None:
    for name in LISTS:
        file.write_text(f'[actions.loyal]\nkey = "a"\nrecommend = "{name}"')
        assert labels_for(MANIFEST, read_labels(file))["actions"]["loyal"]["recommend"] == name
    file.write_text('[actions.loyal]\nkey = "a"\nrecommend = "all"')
    with pytest.raises(InputError, match="recommend"):
        read_labels(file)


def test_a_catalogue_that_lacks_an_intent_is_refused(file: Path) -> None:
    actions = tomllib.loads(ACTIONS_FILE.read_text())["actions"]
    file.write_text("\n".join(f'[actions.{i}]\nkey = "{a["key"]}"' for i, a in actions.items() if i != "loyal"))
    with pytest.raises(InputError, match="has no action for loyal"):
        read_actions(file)


def test_a_name_with_any_character_is_shown_as_it_is() -> None:
    first, *others = MANIFEST["segments"]
    manifest = {**MANIFEST, "segments": [{**first, "name": 'a "b"\\\n\x7f é'}, *others]}
    assert tomllib.loads(as_toml(manifest))["segments"][str(first["id"])]["name"] == 'a "b"\\\n\x7f é'
