"""What can be set about training: every option with its default and what it means.

A config file is TOML with any of these names at its top level, for example `churn_horizon_days = 45`.
"""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from msgspec import Meta, convert

from shared.features.time_zone import TimeZone, UnknownTimeZone
from training.base.errors import InputError
from training.base.options import (
    Count,
    Currency,
    Days,
    Groups,
    Share,
    Zone,
    accepts,
    may_be,
    number,
    one_of,
    shown,
    whole,
)
from training.base.target_entry import TargetEntry, default_entries, read_entries, table_mistakes


@dataclass(frozen=True)
class Config:
    """Options of `training.train`."""

    seed: Annotated[int, whole(0, 2**31 - 1)] = 7
    """Seed of every random choice: the same data and the same seed give the same bundle, byte for byte."""
    threads: Annotated[int, whole(1, 1_024)] = 2
    """Threads that fit segments and predictions beside each other; what is fitted is the same with any number."""
    currency: Currency = ""
    """The one currency counted, such as "USD"; lines in another are refused. Empty takes amounts as they are."""
    time_zone: Zone = "UTC"
    """The shop's own time, by its IANA name, such as "Europe/Berlin": it decides hours, weekdays, months and days, and
    must be the stack's parameter `TimeZone`."""
    minimum_customers: Count = 100
    """Fewer customers than this before `as_of` are refused."""

    most_refused: Share = 0.25
    """Of the lines of event files: where more are refused, nothing is trained, as it would be of the rest alone."""

    cutoff_every_days: Days = 30
    """Distance between the instants at which features are computed and after which outcomes are counted."""
    maximum_cutoffs: Annotated[int, whole(1, 1_000)] = 6
    """Cut-offs at most for each target, the latest ones."""
    minimum_history_days: Annotated[int, whole(0, 36_500)] = 28
    """A cut-off needs this much history before it: earlier ones know too little of anybody."""
    churn_horizon_days: Days = 30
    """Churn: no purchase in this many days after the cut-off, for customers with a purchase before it."""
    conversion_horizon_days: Days = 7
    """Conversion: at least one purchase in this many days after the cut-off, for everyone known at it."""
    ltv_horizon_days: Days = 90
    """Lifetime value: purchases less refunds in this many days after the cut-off, for everyone known at it."""
    target: Annotated[tuple[TargetEntry, ...], Meta(description="a list of tables, each [[target]]")] = ()
    """Targets of the shop's own, beside these three; one of their name takes the place of it."""
    minimum_class_count: Annotated[int, whole(20, 1_000_000_000)] = 100
    """A target with fewer positives or negatives than this is left out of the bundle."""

    clustering: Annotated[str, one_of("auto", "k-means", "dbscan", "ward")] = "auto"
    """How segments are found: `k-means`, `dbscan`, `ward`, or `auto` for the one that a rule chooses of all three."""
    segments: Annotated[int, Meta(ge=0, le=1_000, description="a whole number from 2 to 1,000, or 0")] = 0
    """Number of segments, those who are like no others included; 0 lets the rule choose."""
    fewest_segments: Annotated[int, whole(2, 1_000)] = 4
    """Smallest number of segments tried."""
    most_segments: Annotated[int, whole(2, 1_000)] = 10
    """Largest number of segments tried."""
    smallest_segment: Share = 0.01
    """A segment of a smaller share of the customers is one with its nearest, unless it is worth one by itself."""
    worth_a_segment: Share = 0.05
    """Share of a year's spend from which on customers are a segment, however few they are."""
    largest_segment: Share = 0.6
    """No segment may hold a larger share of the customers as long as there are sound segments without such a one."""
    minimum_stability: Share = 0.7
    """Mean adjusted Rand index, between the segments of all customers and those of bootstrap samples, to reach."""
    stability_tolerance: Share = 0.05
    """Of the sound candidates, those whose stability is at most this much below the best are compared further."""
    most_unusual: Share = 0.1
    """Share of the customers, at most, that DBSCAN may leave without a segment of their own kind."""
    minimum_fidelity: Share = 0.9
    """Share of unseen customers, at least, whom the stand-in for Ward's hierarchy puts where that did."""
    bootstraps: Annotated[int, whole(1, 1_000)] = 5
    """Bootstrap samples behind each stability."""
    clustering_sample: Annotated[int, whole(100, 1_000_000_000)] = 20_000
    """Customers that segments are fitted on, at most; the rest are assigned to them."""
    pairs_sample: Annotated[int, whole(100, 50_000)] = 4_000
    """Customers that Ward's hierarchy is fitted on and all are judged on, at most: memory grows with their square."""
    most_core_samples: Annotated[int, whole(100, 50_000)] = 2_000
    """Customers that DBSCAN is fitted on, at most, and so the most core samples that a bundle has to hold."""
    explained_variance: Annotated[float, number(0.01, 0.999)] = 0.9
    """Share of the variance that the principal components keep."""
    left_out_of_segments: Groups = ("Channel", "Hour")
    """Groups of features (`docs/features.md`) that do not count in segments; predictions know them in any case."""
    clip_share: Annotated[float, number(0, 0.25)] = 0.005
    """Share of the customers at each end of a feature beyond which its values are drawn in."""
    micro_segment_customers: Count = 50
    """Every micro-segment holds this many customers or more; a segment with fewer is a single one."""
    most_micro_segments: Annotated[int, whole(1, 1_000)] = 6
    """Micro-segments at most in one segment."""

    trees: Annotated[int, whole(1, 10_000)] = 300
    """Trees of each XGBoost model at most; with a half and a quarter of them it is a candidate as well."""
    tree_depth: Annotated[int, whole(1, 10)] = 3
    """Depth of each tree: small, so that a prediction's exact reasons stay cheap."""
    learning_rate: Annotated[float, number(0.0001, 1)] = 0.03
    """Shrinkage of each tree."""
    forest_trees: Annotated[int, whole(1, 10_000)] = 100
    """Trees of each random forest."""
    parity_rows: Annotated[int, whole(0, 1_000_000_000)] = 200_000
    """Rows at least on which the export must decide as the fitted models do; made up where too few were seen."""
    training_rows: Annotated[int, whole(100, 1_000_000_000)] = 200_000
    """Rows a model is fitted on, about at most; those of the rarer outcome stay, others stand for those left out."""
    validation_slices: Annotated[int, whole(1, 1_000)] = 3
    """Latest slices of time that candidates are judged on, each by models of what was known before it."""
    isotonic_minimum: Annotated[int, whole(1, 1_000_000_000)] = 500
    """Rows of the rarer outcome from which on an isotonic calibration is tried beside Platt's."""
    choose_by: Annotated[str, one_of("log_loss", "brier", "average_precision")] = "log_loss"
    """What decides between candidates by its mean over these slices: `log_loss`, `brier` or `average_precision`."""

    likely_to_churn_share: Share = 0.2
    """Share of the buyers who are not dormant, those with the highest probability on the latest slice, marked
    `likely_to_churn`."""
    likely_to_convert_share: Share = 0.1
    """Share of the customers who are not dormant and not sure to convert, those with the highest probability on the
    latest slice, marked `likely_to_convert`."""
    sure_to_convert: Share = 0.8
    """Who converts with this probability does so in any case: no offer is for them."""
    expected_to_leave: Share = 0.5
    """Who churns with this probability is not called `loyal`."""
    likely_to_churn_precision: Share = 0.0
    """Share of those marked `likely_to_churn` that is to churn, instead of the share above; 0 leaves it at that."""
    likely_to_convert_precision: Share = 0.0
    """Share of those marked `likely_to_convert` that is to buy, instead of the share above; 0 leaves it at that."""
    high_value_share: Share = 0.2
    """Share of the customers, those with the highest expected value on the latest slice, that counts as high value."""
    newcomer_days: Days = 60
    """A newcomer was first seen this many days ago at most."""
    dormant_days: Days = 180
    """Who has not visited for this many days is `dormant`."""
    loyal_share: Share = 0.33
    """Share of the customers, those with the most orders within a year, who are `loyal` while they are not churning."""

    def __post_init__(self) -> None:
        if mistakes := _mistakes({field.name: getattr(self, field.name) for field in fields(self)}):
            raise InputError("; ".join(mistakes))

    @property
    def zone(self) -> TimeZone:
        """The zone of that name."""
        return TimeZone.of(self.time_zone)

    @property
    def targets(self) -> tuple[TargetEntry, ...]:
        """All that is to be predicted: churn, conversion and lifetime value, and the shop's own."""
        own = {entry.name: entry for entry in self.target}
        table = default_entries(self.churn_horizon_days, self.conversion_horizon_days, self.ltv_horizon_days)
        return (*(own.pop(entry.name, entry) for entry in table), *own.values())

    @classmethod
    def load(cls, path: Path | None) -> "Config":
        """The defaults, changed by the TOML file at `path` if there is one.

        Raises InputError for a missing or malformed file, or with all that is wrong in it: names that no option has,
        and values that their option may not have.
        """
        if path is None:
            return cls()
        try:
            given = tomllib.loads(path.read_text())
        except OSError as error:
            raise InputError(f"cannot read the config {path}: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise InputError(f"the config {path} is not valid TOML: {error}") from error
        known = {name: value for name, value in given.items() if name in OPTIONS}
        mistakes = [_unknown(name) for name in given if name not in OPTIONS]
        known["target"], misread = read_entries(known.get("target", ()))
        mistakes += _mistakes({name: getattr(cls, name) for name in OPTIONS} | known) + misread
        if mistakes:
            raise InputError(f"{path}: {'; '.join(mistakes)}")
        return cls(**{name: convert(value, OPTIONS[name]) for name, value in known.items()})


OPTIONS: dict[str, Any] = get_type_hints(Config, include_extras=True)
"""How each option of Config is declared: its type, and what it may be."""


def _mistakes(values: Mapping[str, Any]) -> list[str]:
    """What is wrong with values of all options, each in words."""
    wrong = {name: f"must be {may_be(of)}" for name, of in OPTIONS.items() if not accepts(of, values[name])}
    if "time_zone" not in wrong and not _is_known(values["time_zone"]):
        wrong["time_zone"] = f"must be {may_be(OPTIONS['time_zone'])}"
    if values["segments"] == 1:
        wrong["segments"] = f"must be {may_be(OPTIONS['segments'])}"
    if not {"fewest_segments", "most_segments"} & wrong.keys() and values["most_segments"] < values["fewest_segments"]:
        wrong["most_segments"] = f"must be at least fewest_segments, which is {values['fewest_segments']}"
    between = [] if "target" in wrong else table_mistakes(values["target"])
    return [f"{name} {rule}, not {shown(values[name])}" for name, rule in wrong.items()] + between


def _is_known(zone: str) -> bool:
    try:
        TimeZone.of(zone)
    except UnknownTimeZone:
        return False
    return True


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, OPTIONS, n=1)
    hint = f'did you mean "{near[0]}"?' if near else "docs/training.md lists them all"
    return f"there is no option {shown(name)}; {hint}"
