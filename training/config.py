"""What can be set about training: every option with its default and what it means.

A config file is TOML with any of these names at its top level, for example `churn_horizon_days = 45`.
"""

import difflib
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from shared.features import FEATURES

CLUSTERINGS = ("auto", "k-means", "dbscan", "ward")
GROUPS = tuple(dict.fromkeys(feature.group for feature in FEATURES))
CHOOSE_BY = ("log_loss", "brier", "average_precision")


class InputError(Exception):
    """The user's input cannot be used; the message is one line that says what is wrong and what to do."""


@dataclass(frozen=True)
class Config:
    """Options of `training.train`."""

    seed: int = 7
    """Seed of every random choice: the same data and the same seed give the same bundle, byte for byte."""
    threads: int = 2
    """Threads of XGBoost. Part of the recipe, since sums in another order differ in their last digit."""
    currency: str = ""
    """The one currency counted, such as "USD"; lines in another are refused. Empty takes amounts as they are."""
    minimum_customers: int = 100
    """Fewer customers than this before `as_of` are refused."""

    cutoff_every_days: int = 30
    """Distance between the instants at which features are computed and after which labels are counted."""
    maximum_cutoffs: int = 6
    """Cut-offs at most for each target, the latest ones."""
    minimum_history_days: int = 28
    """A cut-off needs this much history before it: earlier ones know too little of anybody."""
    churn_horizon_days: int = 30
    """Churn: no purchase in this many days after the cut-off, for customers with a purchase before it."""
    conversion_horizon_days: int = 7
    """Conversion: at least one purchase in this many days after the cut-off, for everyone known at it."""
    ltv_horizon_days: int = 90
    """Lifetime value: purchases less refunds in this many days after the cut-off, for everyone known at it."""
    minimum_class_count: int = 100
    """A target with fewer positives or negatives than this is left out of the bundle."""

    clustering: str = "auto"
    """How segments are found: `k-means`, `dbscan`, `ward`, or `auto` for the one that a rule chooses of all three."""
    segments: int = 0
    """Number of segments, those who are like no others included; 0 lets the rule choose."""
    fewest_segments: int = 4
    """Smallest number of segments tried."""
    most_segments: int = 10
    """Largest number of segments tried."""
    smallest_segment: float = 0.01
    """No segment may hold a smaller share of the customers."""
    minimum_stability: float = 0.7
    """Mean adjusted Rand index, between the segments of all customers and those of bootstrap samples, to reach."""
    stability_tolerance: float = 0.05
    """Of the sound candidates, those whose stability is at most this much below the best are compared further."""
    most_unusual: float = 0.1
    """Share of the customers, at most, that DBSCAN may leave without a segment of their own kind."""
    minimum_fidelity: float = 0.9
    """Share of unseen customers, at least, whom the stand-in for Ward's hierarchy puts where that did."""
    bootstraps: int = 5
    """Bootstrap samples behind each stability."""
    clustering_sample: int = 20_000
    """Customers that segments are fitted on, at most; the rest are assigned to them."""
    pairs_sample: int = 4_000
    """Customers that Ward's hierarchy is fitted on and all are judged on, at most: memory grows with their square."""
    most_core_samples: int = 2_000
    """Customers that DBSCAN is fitted on, at most, and so the most core samples that a bundle has to hold."""
    explained_variance: float = 0.9
    """Share of the variance that the principal components keep."""
    left_out_of_segments: tuple[str, ...] = ("Channel", "Hour")
    """Groups of features (`docs/features.md`) that do not count in segments; predictions know them in any case."""
    clip_share: float = 0.005
    """Share of the customers at each end of a feature beyond which its values are drawn in."""
    micro_segment_customers: int = 50
    """Every micro-segment holds this many customers or more; a segment with fewer is a single one."""
    most_micro_segments: int = 6
    """Micro-segments at most in one segment."""

    trees: int = 300
    """Trees of each XGBoost model at most; with a half and a quarter of them it is a candidate as well."""
    tree_depth: int = 3
    """Depth of each tree: small, so that a prediction's exact reasons stay cheap."""
    learning_rate: float = 0.03
    """Shrinkage of each tree."""
    forest_trees: int = 100
    """Trees of each random forest."""
    parity_rows: int = 1_000_000
    """Rows at least on which the export must decide as the fitted models do; made up where too few were seen."""
    training_rows: int = 200_000
    """Rows a model is fitted on, about at most; those of the rarer label stay, the others stand for those left out."""
    validation_slices: int = 3
    """Latest slices of time that candidates are judged on, each by models of what was known before it."""
    isotonic_minimum: int = 500
    """Rows of the rarer label from which on an isotonic calibration is tried beside Platt's."""
    choose_by: str = "log_loss"
    """What decides between candidates by its mean over these slices: `log_loss`, `brier` or `average_precision`."""

    likely_to_churn_share: float = 0.2
    """Share of the buyers, those with the highest probability on the latest slice, marked `likely_to_churn`."""
    likely_to_convert_share: float = 0.1
    """Share of the customers, those with the highest probability on the latest slice, marked `likely_to_convert`."""
    likely_to_churn_precision: float = 0.0
    """Share of those marked `likely_to_churn` that is to churn, instead of the share above; 0 leaves it at that."""
    likely_to_convert_precision: float = 0.0
    """Share of those marked `likely_to_convert` that is to buy, instead of the share above; 0 leaves it at that."""
    high_value_share: float = 0.2
    """Share of the customers, those with the highest expected value on the latest slice, that counts as high value."""
    newcomer_days: int = 60
    """A newcomer was first seen this many days ago at most."""
    dormant_days: int = 180
    """Who has not visited for this many days is `dormant`."""
    loyal_share: float = 0.33
    """Share of the customers, those with the most orders within a year, who are `loyal` while they are not churning."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int | float) and value < 0:
                raise InputError(f"{field.name} must not be negative, but is {value}")
        if self.fewest_segments < 2 or self.most_segments < self.fewest_segments:
            raise InputError("fewest_segments must be at least 2 and most_segments at least as large")
        if self.clustering not in CLUSTERINGS:
            raise InputError(f'clustering must be one of {", ".join(CLUSTERINGS)}, but is "{self.clustering}"')
        if self.segments == 1:
            raise InputError("segments must be at least 2, or 0 for the number that the rule chooses, but is 1")
        if self.validation_slices < 1:
            raise InputError("validation_slices must be at least 1")
        if unknown := set(self.left_out_of_segments) - set(GROUPS):
            raise InputError(f"left_out_of_segments knows no {min(unknown)!r}; there are {', '.join(GROUPS)}")
        if self.choose_by not in CHOOSE_BY:
            raise InputError(f'choose_by must be one of {", ".join(CHOOSE_BY)}, but is "{self.choose_by}"')

    @classmethod
    def load(cls, path: Path | None) -> "Config":
        """The defaults, changed by the TOML file at `path` if there is one.

        Raises InputError for a missing or malformed file, an unknown name or a value of the wrong type.
        """
        if path is None:
            return cls()
        try:
            given = tomllib.loads(path.read_text())
        except OSError as error:
            raise InputError(f"cannot read the config {path}: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"the config {path} is not valid TOML: {error}") from error
        return cls(**{name: _typed(name, value, path) for name, value in given.items()})


_WORDS: dict[type, str] = {tuple: "list of texts"}


def _typed(name: str, value: Any, path: Path) -> Any:
    types = {field.name: type(field.default) for field in fields(Config)}
    if name not in types:
        near = difflib.get_close_matches(name, types, n=1)
        hint = f'; did you mean "{near[0]}"?' if near else f"; known are {', '.join(types)}"
        raise InputError(f'{path}: unknown option "{name}"{hint}')
    wanted = types[name]
    if wanted is float and type(value) is int:
        return float(value)
    if wanted is tuple and type(value) is list and all(type(entry) is str for entry in value):
        return tuple(value)
    if type(value) is not wanted:
        raise InputError(f"{path}: {name} must be of type {_WORDS.get(wanted, wanted.__name__)}, but is {value!r}")
    return value
