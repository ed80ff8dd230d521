"""The ledger says why somebody moved from what the table's stream tells it, whatever was sealed by then."""

import numpy as np

from shared.bulk.rescore import Rescorer
from shared.clock import Moment
from shared.features import features
from shared.intake.ingest import ingest
from shared.models.bundle import Bundle
from shared.profiles.histories import histories
from shared.profiles.item import decode_profile
from shared.profiles.remembered import features_of
from shared.profiles.stored_profile import StoredProfile
from tests.support.bundles import make_bundle
from tests.support.event_files import profiles, purchase
from tests.support.memory_table import MemoryTable
from tests.support.seals import sealing_soon

NOW = Moment(1_509_494_400_000, 1_509_494_400_000)
BUNDLE = Bundle.from_files(*make_bundle(centroids=(0.0, 3.0, 10.0)))
OTHER = Bundle.from_files(*make_bundle("20171101-bbbbbbbb", centroids=(0.0, 10.0, 3.0)))


def grown(table: MemoryTable, orders: int) -> StoredProfile:
    with sealing_soon():
        ingest(profiles(*[purchase("a", n, 1 + n) for n in range(orders)]), table, BUNDLE, NOW)
    return table.all()["customer#a"]


def of_bundle(profile: StoredProfile) -> list[float]:
    row: list[float] = BUNDLE.own(features(histories([profile]), NOW.as_of_ms))[0].tolist()
    return row


def test_who_moves_with_sealed_events_keeps_what_the_decision_was_made_on_until_the_next_write() -> None:
    table = MemoryTable()
    for orders in range(1, 12):
        profile = grown(table, orders)
        assert (profile.known is not None) == (profile.moved is not None and orders > 2)
        head = decode_profile(table.items["customer#a"])
        if profile.known is None and profile.moved is not None:
            # The item alone says it, which is what the ledger sees.
            np.testing.assert_array_equal(of_bundle(head), of_bundle(profile))
        if profile.known is not None:
            assert np.array_equal(features_of(profile.known), np.array(of_bundle(profile), np.float32), equal_nan=True)
            assert head.known == profile.known
    assert profile.decision


def test_a_new_model_leaves_it_as_well_and_time_takes_it_away() -> None:
    table = MemoryTable()
    for orders in range(1, 12):
        grown(table, orders)
    heads = table.heads(["customer#a"]).values()
    rescored = Rescorer(table, OTHER, NOW, lambda _: None).rescore(heads, lambda profile: False)
    assert (rescored.decided, rescored.moved) == (1, 1)
    moved = table.all()["customer#a"]
    assert moved.known is not None
    Rescorer(table, OTHER, NOW, lambda _: None).rescore(table.heads(["customer#a"]).values(), lambda _: False)
    assert table.all()["customer#a"].known is None


def test_visitors_and_whose_item_has_all_events_keep_nothing() -> None:
    table = MemoryTable()
    visits = [{**purchase("v", n), "customer_id": None, "anonymous_id": "v"} for n in range(12)]
    with sealing_soon():
        for visit in visits:
            ingest(profiles(visit), table, BUNDLE, NOW)
    assert table.all()["visitor#v"].known is None
    ingest(profiles(purchase("b")), table, BUNDLE, NOW)
    assert table.all()["customer#b"].moved
    assert table.all()["customer#b"].known is None
