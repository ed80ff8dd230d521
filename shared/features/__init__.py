"""What Tessera remembers of a customer and the features it derives from it, pure and vectorised.

events -> fold -> Profiles -> features -> float32 [n_profiles, n_features]
                     | merge, encode, decode
"""

from shared.features.bodies import BrokenState
from shared.features.catalogue import (
    DEFINITIONS,
    FEATURE_NAMES,
    FEATURE_SET_HASH,
    FEATURES,
    Feature,
    features,
    top_categories,
)
from shared.features.codec import UnknownStateVersion, category_hash, decode, encode, rows_in
from shared.features.columns import EVENT_TYPES, MONEY_UNITS, PURCHASE, REFUND, EventColumns, Rows
from shared.features.state import Profiles, changed, fold, merge, since, until

__all__ = [
    "DEFINITIONS",
    "EVENT_TYPES",
    "FEATURES",
    "FEATURE_NAMES",
    "FEATURE_SET_HASH",
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
