"""A target as the config names it: `[[target]]`, and the three that stand in every config's table."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

import msgspec
from msgspec import Meta, Struct

from shared.features import EVENT_TYPES, FEATURE_NAMES
from shared.models.labels import ACTIONS, NO_ACTION
from shared.models.manifests import TARGETS, is_free
from training.base.options import Days

MOST_TARGETS = 64
MOST_EVENTS = 32
ENDINGS = {"probability": "_probability", "uplift": "_uplift"}
"""What outputs of a kind end with, and no others: by it a number is known for what it is."""
MONEY = ("purchase", "refund")
"""Events that amount to something."""
COUNTED_BY = ("category", "brand", "product")
DEFAULTS = tuple(TARGETS.values())

type Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
type Text = Annotated[str, Meta(min_length=1, max_length=128)]


class TargetEntry(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, rename={"whom": "for"}):
    """What is asked of customers at a cut-off, and of whom."""

    name: Name
    within_days: Days
    event: Annotated[tuple[Text, ...], Meta(min_length=1, max_length=MOST_EVENTS)]
    """Types of events, of which any counts."""
    kind: Literal["probability", "amount", "uplift"] = "probability"
    output: Name = ""
    """Name of the prediction; made of the name where it is not given."""
    happens: bool = True
    """Whether it is to happen, or not to."""
    category: Text | None = None
    brand: Text | None = None
    product: Text | None = None
    campaign: Text | None = None
    """Of exposures: to what somebody was to be approached."""
    least: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    """How many there are to be; of purchases, orders."""
    least_spent: Annotated[float, Meta(ge=0, le=1e12)] = 0.0
    """What they are to amount to, refunds subtracted."""
    whom: Literal["everyone", "buyers", "exposed"] = "everyone"
    """Everyone known, who bought before, or who was approached by a campaign; of these, days are counted from then."""
    intent: Name | None = None
    """What those with the highest predictions are called, where no rule before fits."""
    share: Annotated[float, Meta(gt=0, le=1)] = 0.1
    """How many these are."""
    action: Annotated[str, Meta(pattern="^[a-z0-9_]{1,64}$")] | None = None
    """What is best done about it."""

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """The entry of a table of the config. Raises msgspec.ValidationError."""
        event = given.get("event")
        table = {**given, "event": [event]} if isinstance(event, str) else dict(given)
        entry = msgspec.convert(table, cls)
        if entry.kind == "uplift" and "for" not in given:
            entry = msgspec.structs.replace(entry, whom="exposed")
        named = f"expected_{entry.name}" if entry.kind == "amount" else entry.name + ENDINGS[entry.kind]
        return entry if entry.output else msgspec.structs.replace(entry, output=named)

    @property
    def asked(self) -> dict[str, Any]:
        """All that decides what is predicted, ready for JSON; not what is done about it, nor how many days ahead."""
        about: dict[str, Any] = msgspec.to_builtins(self)
        return {name: value for name, value in about.items() if name not in ("intent", "share", "action")}

    @property
    def is_of_money(self) -> bool:
        """Whether all of its events amount to something."""
        return {*self.event} <= {*MONEY}

    def mistakes(self) -> list[str]:
        """What does not fit together, in words."""
        mistakes = []
        is_amount = self.kind == "amount"
        for kind, ending in ENDINGS.items():
            if self.output.endswith(ending) != (self.kind == kind):
                mistakes.append(f'output must {"" if self.kind == kind else "not "}end with "{ending}"')
        if self.kind == "uplift" and self.whom != "exposed":
            mistakes.append('uplift is of those exposed, in either arm: leave "for" out')
        if (self.output not in TARGETS and not is_free(self.output)) or self.output in FEATURE_NAMES:
            mistakes.append(f'output "{self.output}" is the name of something else')
        if self.name not in DEFAULTS and self.output in TARGETS:
            mistakes.append(f'output "{self.output}" is that of the target "{TARGETS[self.output]}"')
        if self.name in DEFAULTS and self.output not in TARGETS:
            mistakes.append(f'"{self.name}" keeps its output')
        if is_amount and not self.is_of_money and {*self.event} & {*MONEY}:
            mistakes.append("an amount is either of purchases and refunds, or how many there are of other events")
        if is_amount and (self.least > 1 or self.least_spent or not self.happens):
            mistakes.append("least, least_spent and happens are of probabilities")
        if self.least_spent and not self.is_of_money:
            mistakes.append("least_spent is of purchases and refunds")
        if self.campaign and "campaign_exposure" not in self.event and self.whom != "exposed":
            mistakes.append('campaign is of exposures: name the event "campaign_exposure", or for = "exposed"')
        if self.intent in ACTIONS:
            mistakes.append(f'intent "{self.intent}" is there already')
        if self.action and not self.intent:
            mistakes.append("action needs an intent")
        return mistakes


def default_entries(churn_days: int, conversion_days: int, ltv_days: int) -> tuple[TargetEntry, ...]:
    """Churn, conversion and lifetime value over these horizons."""
    churn, conversion, ltv = TARGETS
    return (
        TargetEntry("churn", churn_days, ("purchase",), "probability", churn, happens=False, whom="buyers"),
        TargetEntry("conversion", conversion_days, ("purchase",), "probability", conversion),
        TargetEntry("ltv", ltv_days, MONEY, "amount", ltv),
    )


def read_entries(given: Any) -> tuple[Any, list[str]]:
    """The entries of a list of tables, and what is wrong with the others; whatever else it is, as it is."""
    if not isinstance(given, list) or not all(isinstance(table, dict) for table in given):
        return given, []
    entries, mistakes = [], []
    for number, table in enumerate(given, 1):
        try:
            entries.append(TargetEntry.of(table))
        except msgspec.ValidationError as error:
            mistakes.append(f"{number}. target: {error}")
    return tuple(entries), mistakes


def table_mistakes(entries: Sequence[TargetEntry]) -> list[str]:
    """What is wrong with each of the config's own entries, and between them."""
    mistakes = [f'target "{entry.name}": {mistake}' for entry in entries for mistake in entry.mistakes()]
    for part in ("name", "output", "intent"):
        named = [value for entry in entries if (value := getattr(entry, part))]
        twice = sorted({value for value in named if named.count(value) > 1})
        mistakes += [f'two targets have the {part} "{value}"' for value in twice]
    if len(entries) > MOST_TARGETS:
        mistakes.append(f"there are {len(entries)} targets, more than {MOST_TARGETS}")
    return mistakes


def own_types(entries: Sequence[TargetEntry]) -> tuple[str, ...]:
    """The types of events that none of ours is, of all entries."""
    return tuple(sorted({event for entry in entries for event in entry.event} - {*EVENT_TYPES}))


def own_actions(entries: Sequence[TargetEntry]) -> dict[str, dict[str, str]]:
    """What is best done about each of the shop's own intents."""
    return {entry.intent: {"key": entry.action or NO_ACTION} for entry in entries if entry.intent}
