import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from shared.clock import Moment
from shared.features import Profiles, decode, encode, features, merge
from shared.identity.keys import anonymous
from shared.intake import ingest as ingest_module
from shared.intake.ingest import ingest
from shared.models.bundle import Bundle
from shared.profiles import update
from shared.profiles.change import Ingested
from shared.profiles.races import TooManyRaces
from shared.profiles.stored_profile import StoredProfile
from shared.profiles.table import ProfileTable
from shared.profiles.unwritten import ProfileTooLarge
from tests.conftest import TABLE
from tests.support.bundles import make_bundle
from tests.support.event_files import profiles, purchase
from tests.support.memory_table import writes
from tests.support.partiql import PartiQL

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOVEMBER = Moment(as_of_ms=1_509_494_400_000, scored_at_ms=1_509_494_400_250)
DECEMBER = Moment(as_of_ms=1_512_086_400_000, scored_at_ms=1_512_086_400_250)


@pytest.fixture
def table(dynamodb: "DynamoDBClient") -> ProfileTable:
    return ProfileTable(dynamodb, TABLE, sleep=no_sleep)


@pytest.fixture
def bundle() -> Bundle:
    return Bundle.from_files(*make_bundle())


def no_sleep(_seconds: float) -> None:
    return


def stored(table: ProfileTable, customer: str) -> StoredProfile:
    return table.load([f"customer#{customer}"])[f"customer#{customer}"]


def test_events_become_stored_decisions(table: ProfileTable, bundle: Bundle) -> None:
    orders = [purchase("a", number=i, day=1 + i) for i in range(3)]
    assert ingest(profiles(*orders, purchase("b")), table, bundle, NOVEMBER) == Ingested(4, 2, 0)

    profile = stored(table, "a")
    assert (writes(profile), profile.events) == (1, 3)
    assert profile.decision is not None
    assert (profile.decision.segment, profile.decision.runner_up) == (1, 0)
    assert profile.decision.since_ms == profile.decision.as_of_ms == NOVEMBER.as_of_ms
    assert profile.decision.scored_at_ms == NOVEMBER.scored_at_ms
    assert profile.decision.model_version == bundle.bundle_id
    assert (profile.decision.intent, profile.decision.action) == ("steady", "no_action")
    once = stored(table, "b").decision
    assert once is not None and (once.intent, once.action) == ("likely_to_churn", "win_back_offer")


def test_stored_decisions_equal_offline_ones_to_the_last_bit(table: ProfileTable, bundle: Bundle) -> None:
    history = profiles(*(purchase(str(i % 50), number=i, day=1 + i % 28) for i in range(400)))
    ingest(history, table, bundle, NOVEMBER)
    offline = bundle.decide(features(history, NOVEMBER.as_of_ms))
    online = [profile.decision for _, profile in sorted(table.load(history.keys).items())]
    assert [decision.segment for decision in online if decision] == offline.segment.tolist()
    churn = [decision.predictions["churn_probability"] for decision in online if decision]
    assert np.array_equal(np.array(churn, np.float32), offline.predictions["churn_probability"])


def test_same_events_again_write_nothing(table: ProfileTable, bundle: Bundle, partiql: PartiQL) -> None:
    events = profiles(*(purchase(str(i)) for i in range(30)))
    ingest(events, table, bundle, NOVEMBER)
    before = table.load(events.keys)
    assert ingest(events, table, bundle, DECEMBER) == Ingested(0, 0, 0)
    assert partiql.statements == 30
    assert table.load(events.keys) == before


def test_only_profiles_that_gained_events_are_written(table: ProfileTable, bundle: Bundle) -> None:
    ingest(profiles(purchase("a"), purchase("b")), table, bundle, NOVEMBER)
    again = profiles(purchase("a"), purchase("b"), purchase("b", number=1))
    assert ingest(again, table, bundle, DECEMBER) == Ingested(1, 1, segments=1)
    assert (writes(stored(table, "a")), writes(stored(table, "b"))) == (1, 2)


def test_since_is_kept_until_the_segment_changes(table: ProfileTable, bundle: Bundle) -> None:
    ingest(profiles(purchase("a", number=0)), table, bundle, NOVEMBER)
    assert ingest(profiles(purchase("a", number=0), purchase("a", number=9)), table, bundle, DECEMBER).segments == 1
    moved = stored(table, "a").decision
    assert moved is not None and moved.since_ms == DECEMBER.as_of_ms

    later = Moment(DECEMBER.as_of_ms + 1, DECEMBER.scored_at_ms + 1)
    assert ingest(profiles(purchase("a", number=10)), table, bundle, later).segments == 0
    stayed = stored(table, "a").decision
    assert stayed is not None and stayed.since_ms == DECEMBER.as_of_ms and stayed.as_of_ms == later.as_of_ms


def test_any_split_and_order_of_deliveries_ends_in_the_same_bytes(table: ProfileTable, bundle: Bundle) -> None:
    events = [purchase(str(i % 7), number=i, day=1 + i % 28) for i in range(100)]
    everything = profiles(*events)
    shuffled = random.Random(0).sample(events, len(events)) + events[:20]
    for first in range(0, len(shuffled), 9):
        ingest(profiles(*shuffled[first : first + 9]), table, bundle, NOVEMBER)
    assert [table.load([key])[key].state for key in everything.keys] == encode(everything)


def test_without_a_bundle_histories_are_kept_and_decided_when_next_touched(table: ProfileTable, bundle: Bundle) -> None:
    ingest(profiles(purchase("a")), table, None, NOVEMBER)
    assert stored(table, "a").decision is None
    assert ingest(profiles(purchase("a", number=1)), table, bundle, DECEMBER) == Ingested(1, 1, 0)
    assert stored(table, "a").decision is not None
    assert stored(table, "a").events == 2


def test_loser_of_a_race_reads_and_merges_again(
    dynamodb: "DynamoDBClient", table: ProfileTable, bundle: Bundle
) -> None:
    mine, theirs = profiles(purchase("a", number=1), purchase("b")), profiles(purchase("a", number=2))
    other = _Interrupted(dynamodb, lambda: ingest(theirs, table, bundle, NOVEMBER))
    assert ingest(mine, other, bundle, NOVEMBER, no_sleep) == Ingested(2, 2, segments=1)
    assert decode(["customer#a"], [stored(table, "a").state]).rows.fingerprint.tolist() == [
        *merge(mine.take([0]), theirs).rows.fingerprint.tolist()
    ]
    assert writes(stored(table, "a")) == 2
    assert writes(stored(table, "b")) == 1


def test_race_lost_to_the_very_same_events_writes_nothing_more(
    dynamodb: "DynamoDBClient", table: ProfileTable, bundle: Bundle
) -> None:
    events = profiles(purchase("a"))
    other = _Interrupted(dynamodb, lambda: ingest(events, table, bundle, NOVEMBER))
    assert ingest(events, other, bundle, NOVEMBER, no_sleep) == Ingested(0, 0, 0)
    assert writes(stored(table, "a")) == 1


def test_losing_every_race_is_an_error_in_the_end(table: ProfileTable, bundle: Bundle, partiql: PartiQL) -> None:
    partiql.refusals.extend(["ConditionalCheckFailed"] * 100)
    with pytest.raises(TooManyRaces, match="1 profiles"):
        ingest(profiles(purchase("a")), table, bundle, NOVEMBER, no_sleep)


def test_customers_beyond_one_slice_are_all_stored(
    table: ProfileTable, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_module, "PROFILES_AT_ONCE", 10)
    events = profiles(*(purchase(str(i)) for i in range(35)))
    assert ingest(events, table, bundle, NOVEMBER) == Ingested(35, 35, 0)
    assert len(table.load(events.keys)) == 35


def test_profile_too_large_for_an_item_stops_no_other(
    table: ProfileTable, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(update, "MAX_STATE_BYTES", 500)
    heavy = [purchase("heavy", number=i, day=1 + i % 28) for i in range(200)]
    with pytest.raises(ProfileTooLarge, match=rf"{anonymous('customer#heavy')} \(200 events"):
        ingest(profiles(purchase("light"), *heavy), table, bundle, NOVEMBER)
    assert list(table.load(["customer#heavy", "customer#light"])) == ["customer#light"]


def test_customer_with_more_events_than_a_person_makes_is_called_automated(table: ProfileTable, bundle: Bundle) -> None:
    clicks = [purchase("bot", number=i, day=1 + i % 28) for i in range(7_000)]
    ingest(profiles(*clicks[:4_000], purchase("a")), table, bundle, NOVEMBER)
    ingest(profiles(*clicks[3_000:]), table, bundle, NOVEMBER)
    bot, person = stored(table, "bot"), stored(table, "a")
    assert bot.events == pytest.approx(7_000, rel=0.2)
    assert [p.decision.automated for p in (bot, person) if p.decision] == [True, False]
    assert ingest(profiles(*clicks[:100]), table, bundle, DECEMBER) == Ingested()


class _Interrupted(ProfileTable):
    """A table on which another writer comes between the first read and the first write."""

    def __init__(self, client: "DynamoDBClient", other: Callable[[], object]) -> None:
        super().__init__(client, TABLE, no_sleep)
        self._other: list[Callable[[], object]] = [other]

    def save(self, profiles: Any) -> set[str]:
        while self._other:
            self._other.pop()()
        return super().save(profiles)


def test_nothing_to_ingest_asks_nothing(table: ProfileTable) -> None:
    assert ingest(Profiles.empty(), table, None, NOVEMBER) == Ingested()
