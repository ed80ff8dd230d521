"""What is recommended to customers as they are decided on, for the audiences whose rules ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shared.features import Profiles
from shared.recommending.lists import LISTS
from shared.recommending.recommending import known_segment, recommended_ids

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.audiences.evaluating import Lists
    from shared.models.bundle import Bundle
    from shared.recommending.recommender import Recommender

LOOKED_AHEAD_DAYS = 1
"""What is recommended may be another with each day that passes: whoever is decided on by it is looked at every day."""


def recommended_now(bundle: Bundle, profiles: Profiles, segment: NDArray[Any], as_of_ms: int) -> Lists | None:
    """Both lists of each of `profiles`, who were decided to be in a `segment` [n], as of an instant in UTC
    milliseconds; None where nobody asks or there is no recommender."""
    recommender = bundle.recommender
    if recommender is None or not bundle.audiences.ask_recommendations:
        return None
    segments = [known_segment(recommender, own, bundle.bundle_id) for own in segment.tolist()]
    return recommended_lists(recommender, profiles, segments, as_of_ms)


def recommended_lists(
    recommender: Recommender, profiles: Profiles, segments: Sequence[int | None], as_of_ms: int
) -> Lists:
    """Both lists of each of `profiles`, who are in `segments` that the recommender knows [n each]."""
    by_customer = [recommended_ids(recommender, profiles.rows_of(i), as_of_ms, own) for i, own in enumerate(segments)]
    return {name: [each[name] for each in by_customer] for name in LISTS}
