"""docs/training.md says what the code does."""

import dataclasses
import json
from pathlib import Path

from shared.decisions.intent import ACTIONS
from training.base.config import OPTIONS, Config
from training.base.options import may_be

PAGE = (Path(__file__).parents[2] / "docs/training.md").read_text()


def test_every_option_is_documented_with_its_default_and_what_it_may_be() -> None:
    documented = [line.split(" | ")[:3] for line in PAGE.split("## Options")[1].splitlines() if line.startswith("| `")]
    defaults = {field.name: field.default for field in dataclasses.fields(Config)}
    assert documented == [
        [f"| `{name}`", f"`{json.dumps(default)}`", may_be(OPTIONS[name])] for name, default in defaults.items()
    ]


def test_every_intent_is_documented_with_its_action_in_the_order_of_the_rules() -> None:
    rows = [
        line.strip("| ").split(" | ") for line in PAGE.split("## Intents")[1].splitlines() if line.startswith("| `")
    ]
    assert [(row[0], row[-1]) for row in rows[: len(ACTIONS)]] == [(f"`{i}`", f"`{a}`") for i, a in ACTIONS.items()]
