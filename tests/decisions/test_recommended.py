"""What is recommended, as rules of audiences ask for it."""

import numpy as np

from shared.clock import Moment
from shared.decisions.deciding import decide
from shared.decisions.next_change import midnight_after
from shared.decisions.recommended import recommended_now
from shared.features import fold
from shared.recommending.recommending import recommended_ids
from tests.decisions.test_memberships import HORIZON, PROFILES, audiences, bundle_with
from tests.support.recommenders import AS_OF_MS, events_of, small_recommender, small_shop


def test_what_is_recommended_brings_customers_in_and_has_them_looked_at_every_day() -> None:
    known = small_recommender()
    profiles = fold(events_of(*small_shop()))
    bundle = bundle_with(audiences("'a2' in buy_again", "'b1' in new_for_you", "'a1' not in buy_again"))
    bundle.recommender = known
    moment = Moment(AS_OF_MS, AS_OF_MS, HORIZON)

    decisions = decide(profiles, {}, bundle, moment)

    for i, (key, one) in enumerate(decisions.items()):
        rows = profiles.take([i]).rows
        lists = recommended_ids(known, rows, AS_OF_MS, None)
        asked = ("a2" in lists["buy_again"], "b1" in lists["new_for_you"], "a1" not in lists["buy_again"])
        assert tuple(f"a{j}" in one.audiences for j in range(3)) == asked, key
        assert one.due_ms == midnight_after(AS_OF_MS, 1, bundle.zone)
        for ground in (ground for each in one.grounds.values() for ground in each.conditions):
            product, among = ground.condition.split("' in ")
            place = lists[among].index(product[1:]) + 1 if product[1:] in lists[among] else None
            assert ground.value == place
    assert {tuple(sorted(one.audiences)) for one in decisions.values()} == {(), ("a0", "a1")}


def test_what_nobody_asks_for_costs_nothing_and_without_a_recommender_nothing_is_recommended() -> None:
    bundle = bundle_with(audiences("views(7) = 0"))
    bundle.recommender = small_recommender()
    assert recommended_now(bundle, PROFILES, np.zeros(len(PROFILES), int), AS_OF_MS) is None
    asking = bundle_with(audiences("'a1' in buy_again"))
    assert not any(one.audiences for one in decide(PROFILES, {}, asking, Moment(AS_OF_MS, AS_OF_MS, HORIZON)).values())
