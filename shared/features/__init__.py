"""What Tessera remembers of a customer and the features it derives from it, pure and vectorised.

events -> fold -> Profiles -> features -> float32 [n_profiles, n_features]
                     | merge, encode, decode
"""

from shared.features.bodies import BrokenState
from shared.features.catalogue import (
    COMPUTED,
    DEFINITIONS,
    FEATURE_NAMES,
    FEATURE_SET_HASH,
    FEATURES,
    KNOWN_DEFINITIONS,
    Feature,
    computed_for,
    features,
    top_categories,
)
from shared.features.codec import UnknownStateVersion, category_hash, decode, encode, rows_in
from shared.features.columns import EVENT_TYPES, MONEY_UNITS, PURCHASE, REFUND, EventColumns, Rows
from shared.features.state import Profiles, changed, fold, merge, since, until

__all__ = [
    "COMPUTED",
    "DEFINITIONS",
    "EVENT_TYPES",
    "FEATURES",
    "FEATURE_NAMES",
    "FEATURE_SET_HASH",
    "KNOWN_DEFINITIONS",
    "MONEY_UNITS",
    "PURCHASE",
    "REFUND",
    "BrokenState",
    "EventColumns",
    "Feature",
    "Profiles",
    "Rows",
    "UnknownStateVersion",
    "category_hash",
    "changed",
    "computed_for",
    "decode",
    "encode",
    "features",
    "fold",
    "merge",
    "rows_in",
    "since",
    "top_categories",
    "until",
]
