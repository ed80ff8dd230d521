"""Targets of the shop's own in the config: read, held to what fits together, and refused with all that is wrong."""

from pathlib import Path
from typing import Any

import pytest

from training.base.config import Config
from training.base.errors import InputError
from training.base.target_entry import DEFAULTS, TargetEntry, own_actions, own_types

COUPON = """
[[target]]
name = "coupon"
event = "coupon_redeemed"
within_days = 14
for = "buyers"
intent = "coupon_lover"
share = 0.05
action = "send_coupon"

[[target]]
name = "pets"
output = "pets_spend"
kind = "amount"
event = ["purchase", "refund"]
category = "Pets"
within_days = 30
"""


def loaded(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return Config.load(path)


def test_the_shops_own_stand_after_the_three_in_one_table(tmp_path: Path) -> None:
    config = loaded(tmp_path, COUPON)
    assert [entry.name for entry in config.targets] == [*DEFAULTS, "coupon", "pets"]
    coupon, pets = config.target
    assert (coupon.output, coupon.whom, coupon.event) == ("coupon_probability", "buyers", ("coupon_redeemed",))
    assert (pets.output, pets.category, pets.is_of_money) == ("pets_spend", "Pets", True)
    assert own_types(config.targets) == ("coupon_redeemed",)
    assert own_actions(config.targets) == {"coupon_lover": {"key": "send_coupon"}}


def test_the_three_look_as_far_ahead_as_their_options_say() -> None:
    config = Config(churn_horizon_days=45, conversion_horizon_days=3, ltv_horizon_days=60)
    assert {entry.name: entry.within_days for entry in config.targets} == {"churn": 45, "conversion": 3, "ltv": 60}


def test_an_entry_of_a_name_that_is_there_takes_its_place(tmp_path: Path) -> None:
    text = (
        '[[target]]\nname = "conversion"\noutput = "conversion_probability"\nevent = "begin_checkout"\nwithin_days = 3'
    )
    config = loaded(tmp_path, text)
    assert [entry.name for entry in config.targets] == [*DEFAULTS]
    assert config.targets[1].event == ("begin_checkout",)


def test_what_is_asked_says_neither_what_is_done_nor_how_it_is_called() -> None:
    given = {"name": "x", "event": "search", "within_days": 3, "intent": "seeker", "action": "help", "share": 0.2}
    asked = TargetEntry.of(given).asked
    assert TargetEntry.of(asked) == TargetEntry.of({"name": "x", "event": "search", "within_days": 3})
    assert not {"intent", "action", "share"} & asked.keys()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"within_days": 0}, "1. target: Expected `int` >= 1 - at `$.within_days`"),
        ({"event": []}, "1. target: Expected `array` of length >= 1 - at `$.event`"),
        ({"events": "x"}, "1. target: Object contains unknown field `events`"),
        ({"name": "A b"}, "1. target: Expected `str` matching regex"),
        ({"for": "nobody"}, "1. target: Invalid enum value 'nobody' - at `$.for`"),
        ({"output": "coupon"}, 'target "own": output must end with "_probability"'),
        ({"kind": "amount", "output": "own_probability"}, 'output must not end with "_probability"'),
        ({"kind": "uplift", "for": "buyers"}, "uplift is of those exposed, in either arm"),
        ({"output": "own_uplift"}, 'output must not end with "_uplift"'),
        ({"output": "churn_probability"}, 'output "churn_probability" is that of the target "churn"'),
        ({"kind": "amount", "output": "orders_365d"}, 'output "orders_365d" is the name of something else'),
        ({"kind": "amount", "output": "segment"}, 'output "segment" is the name of something else'),
        ({"name": "churn", "output": "gone_probability"}, '"churn" keeps its output'),
        ({"kind": "amount", "event": ["purchase", "search"]}, "an amount is either of purchases and refunds"),
        ({"kind": "amount", "least": 2}, "least, least_spent and happens are of probabilities"),
        ({"least_spent": 5.0}, "least_spent is of purchases and refunds"),
        ({"campaign": "spring"}, "campaign is of exposures"),
        ({"intent": "loyal"}, 'intent "loyal" is there already'),
        ({"action": "call"}, "action needs an intent"),
    ],
)
def test_what_does_not_fit_together_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    table = {"name": "own", "event": "search", "within_days": 7, **change}
    with pytest.raises(InputError) as refused:
        loaded(tmp_path, "[[target]]\n" + "".join(f"{name} = {_toml(value)}\n" for name, value in table.items()))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def _toml(value: Any) -> str:
    return str(value) if isinstance(value, list | int | float) else f'"{value}"'


def test_all_mistakes_of_all_targets_are_said_at_once(tmp_path: Path) -> None:
    one = '[[target]]\nname = "own"\nevent = "search"\nwithin_days = 7\nleast_spent = 2.0\n'
    with pytest.raises(InputError) as refused:
        loaded(tmp_path, f"trees = 0\n{one}{one}[[target]]\nname = 'x'\n")
    for message in ("trees must be", "3. target: Object missing required field", 'two targets have the name "own"'):
        assert message in str(refused.value)
    assert str(refused.value).count("least_spent is of") == 2


@pytest.mark.parametrize("given", ['target = "x"', "target = [1]", "[target]\nname = 1"])
def test_what_is_no_list_of_tables_is_refused(tmp_path: Path, given: str) -> None:
    with pytest.raises(InputError, match=r"target must be a list of tables, each \[\[target\]\], not "):
        loaded(tmp_path, given)
