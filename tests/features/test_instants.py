import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.shop import AS_OF_MS, shop_events
from shared.durations import DAY_MS
from shared.features import features, fold
from tests.support.examples import at_most

PROFILES = fold(shop_events(30))


@settings(max_examples=at_most(20))
@given(st.lists(st.integers(-400, 400), min_size=len(PROFILES), max_size=len(PROFILES)))
def test_an_instant_for_each_customer_gives_what_the_same_instant_for_all_gives(days: list[int]) -> None:
    instants = AS_OF_MS + np.array(days, np.int64) * DAY_MS
    together = features(PROFILES, instants)
    for i, instant in enumerate(instants.tolist()):
        np.testing.assert_array_equal(together[i : i + 1], features(PROFILES.take([i]), instant))
