"""Old code that meets what a newer release wrote leaves it as it is, and goes on with everybody else."""

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.bulk.rescore import Rescorer
from shared.clock import Moment
from shared.erasure.profiles import Eraser
from shared.features.codec import VERSION
from shared.intake.ingest import ingest
from shared.models.bundle import Bundle
from shared.profiles.unwritten import ProfilesUnreadable
from tests.erasure.test_profiles import MemoryMarks
from tests.support.bundles import make_bundle
from tests.support.event_files import profiles, purchase
from tests.support.examples import at_most
from tests.support.memory_table import MemoryTable
from tests.support.visitors import no_sleep

LIVE = Bundle.from_files(*make_bundle())
NOW = Moment(1_509_494_400_000, 1_509_494_400_000, horizon_days=30)
LATER = Moment(1_519_494_400_000, 1_519_494_400_000, horizon_days=30)


def written_by(table: MemoryTable, customers: str, version: int) -> None:
    """Makes the histories of some customers those of another version of the encoding, and adds what it knows more."""
    for customer in customers:
        item = table.items[f"customer#{customer}"]
        item["state"] = {"B": bytes([version]) + item["state"]["B"][1:]}
        item["attributes"] = {"M": {"tier": {"S": "gold"}}}


@settings(max_examples=at_most(40))
@given(st.sets(st.sampled_from("abcde"), max_size=4), st.booleans())
def test_newer_histories_stay_byte_for_byte_and_all_others_count(newer: set[str], with_model: bool) -> None:
    table = MemoryTable()
    expected = MemoryTable()
    orders = [purchase(customer, n, day=1 + n) for customer in "abcde" for n in range(3)]
    more = [purchase(customer, 5, day=20) for customer in "abcde"]
    for one in (table, expected):
        ingest(profiles(*orders), one, LIVE, NOW, no_sleep)
    written_by(table, "".join(sorted(newer)), VERSION + 1)
    before = {key: repr(item) for key, item in table.items.items()}

    with suppress(ProfilesUnreadable):
        ingest(profiles(*more), table, LIVE if with_model else None, NOW, no_sleep)
        assert not newer
    with suppress(ProfilesUnreadable):
        Rescorer(table, LIVE, LATER, no_sleep).rescore(table.all().values(), lambda _: False)
    ingest(profiles(*more), expected, LIVE if with_model else None, NOW, no_sleep)
    Rescorer(expected, LIVE, LATER, no_sleep).rescore(expected.all().values(), lambda _: False)
    for customer in "abcde":
        key = f"customer#{customer}"
        if customer in newer:
            assert repr(table.items[key]) == before[key]
        else:
            assert table.items[key] == expected.items[key]

    written_by(table, "".join(sorted(newer)), VERSION)  # a release that reads them is back
    ingest(profiles(*more), table, LIVE, NOW, no_sleep)
    assert {key: profile.state for key, profile in table.all().items()} == {
        key: profile.state for key, profile in expected.all().items()
    }
    assert all("attributes" in table.items[f"customer#{customer}"] for customer in newer)


def test_an_erasure_removes_a_newer_history_all_the_same() -> None:
    table = MemoryTable()
    ingest(profiles(purchase("a"), purchase("b")), table, LIVE, NOW, no_sleep)
    written_by(table, "a", VERSION + 1)
    Eraser(table, MemoryMarks({}), no_sleep).erase("customer#a", NOW.as_of_ms)
    assert [*table.items] == ["customer#b"]
