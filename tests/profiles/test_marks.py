"""Marks that outlive the table they are in."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operations.keep_marks import keep_marks
from shared.clock import Moment
from shared.decisions.transitions import Cause, Transition
from shared.identity.consents import Consent, Mark
from shared.identity.links import Link, LinkState
from shared.intake.gathering import Intake
from shared.profiles.kept_marks import KeptMarks
from shared.profiles.marks import Admission, Marks, TableNotRestored, keyed_hash
from shared.profiles.stored_profile import VERSIONS_A_MILLISECOND, StoredProfile
from shared.profiles.table import ProfileTable
from tests.conftest import BUCKET, TABLE
from tests.erasure.test_profiles import MemoryMarks
from tests.support.event_files import Event, chunks, purchase
from tests.support.examples import at_most
from tests.support.memory_table import MemoryTable
from tests.support.template import table_definition

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

EPOCH = 1_790_000_000_000
NOW = Moment(as_of_ms=1_509_494_400_000, scored_at_ms=1_509_494_400_250)


def marks(dynamodb: "DynamoDBClient", s3: "S3Client", epoch: int = 0) -> Marks:
    return Marks(dynamodb, TABLE, lambda: b"secret", KeptMarks(s3, BUCKET), epoch)


def lose_the_table(dynamodb: "DynamoDBClient") -> None:
    dynamodb.delete_table(TableName=TABLE)
    definition: Any = table_definition("ProfileTable", TABLE)
    dynamodb.create_table(**definition)


def deliver(table: ProfileTable, known: Marks, *events: Event, now: Moment = NOW) -> None:
    intake = Intake(table, None, now, admission=Admission(known, lambda _key, _moment: None))
    for chunk in chunks(events):
        intake.add(chunk, lambda _refused: None)
    intake.flush()


def test_marks_put_back_into_a_new_table_say_what_they_said(dynamodb: "DynamoDBClient", s3: "S3Client") -> None:
    before = marks(dynamodb, s3)
    people = ["customer#a", "customer#b", "visitor#v", "customer#nobody"]
    before.refuse("customer#a", 1_000)
    before.refuse("customer#a", 500)
    before.record(
        [Consent("customer#b", 2_000, given=False), Consent("customer#b", 3_000, given=True)], lambda _key, _at_ms: None
    )
    before.unlink("visitor#v")
    loaded = before.load(people)
    lose_the_table(dynamodb)
    KeptMarks(s3, BUCKET).begin(EPOCH)
    after = marks(dynamodb, s3, EPOCH)
    for name, mark in KeptMarks(s3, BUCKET).all():
        after.put_back(name, mark)
        after.put_back(name, mark)
    after.complete()
    assert marks(dynamodb, s3, EPOCH).load(people) == loaded
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert all(key.startswith("marks/") for key in keys) and "customer" not in repr(keys)


def test_nobody_is_stored_in_a_new_table_before_the_marks_are_in_it(dynamodb: "DynamoDBClient", s3: "S3Client") -> None:
    table = ProfileTable(dynamodb, TABLE)
    known = marks(dynamodb, s3, EPOCH)
    KeptMarks(s3, BUCKET).begin(EPOCH)
    with pytest.raises(TableNotRestored, match="marks"):
        deliver(table, known, purchase("a"))
    assert table.get("customer#a") is None
    marks(dynamodb, s3, EPOCH).complete()
    deliver(table, known, purchase("a"))
    assert table.get("customer#a") is not None


def test_a_stack_deployed_with_the_table_before_stores_nobody(dynamodb: "DynamoDBClient", s3: "S3Client") -> None:
    for epoch in (EPOCH, EPOCH + 1):
        KeptMarks(s3, BUCKET).begin(epoch)
    for earlier in (0, EPOCH):
        with pytest.raises(TableNotRestored, match=f"TableEpoch={EPOCH + 1}"):
            deliver(ProfileTable(dynamodb, TABLE), marks(dynamodb, s3, earlier), purchase("a"))


def test_what_the_table_says_was_kept_before(
    dynamodb: "DynamoDBClient", s3: "S3Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    known = marks(dynamodb, s3)
    monkeypatch.setattr(s3, "put_object", lambda **_: 1 / 0)
    for write in (known.refuse, known.agree):
        with pytest.raises(ZeroDivisionError):
            write("customer#a", 1_000)
    with pytest.raises(ZeroDivisionError):
        known.unlink("customer#a")
    assert known.load(["customer#a"]) == {}


FACTS = st.builds(
    Mark,
    refused_ms=st.none() | st.integers(0, 2**41),
    given_ms=st.frozensets(st.integers(0, 2**41), max_size=3),
    unlinked=st.booleans(),
)


class Shelf:
    """As much of S3 as kept marks ask for."""

    def __init__(self) -> None:
        self.keys: set[str] = set()

    def put_object(self, Key: str, **_: Any) -> None:
        self.keys.add(Key)

    def get_paginator(self, _name: str) -> Any:
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        return [{"Contents": [{"Key": key} for key in sorted(self.keys)]}]


@settings(max_examples=at_most(50))
@given(st.lists(st.tuples(st.sampled_from(["00", "a1", "ff"]), FACTS), max_size=8), st.randoms())
def test_facts_in_any_order_are_the_same_marks(facts: list[tuple[str, Mark]], chance: Any) -> None:
    expected: dict[str, Mark] = {}
    for name, mark in facts:
        known = expected.get(name, Mark())
        refused = max((at for at in (known.refused_ms, mark.refused_ms) if at is not None), default=None)
        expected[name] = Mark(refused, known.given_ms | mark.given_ms, unlinked=known.unlinked or mark.unlinked)
    shelf: Any = Shelf()
    kept = KeptMarks(shelf, BUCKET)
    for name, mark in chance.sample(facts, len(facts)):
        kept.keep(name, mark)
    assert dict(kept.all()) == {name: mark for name, mark in expected.items() if mark != Mark()}


def test_versions_of_a_new_table_go_on_above_all_that_a_lost_one_can_have_had() -> None:
    world = MemoryTable()
    known = MemoryMarks({"customer#back": Mark(ended=7)})
    known.epoch = EPOCH
    for number in range(3):
        deliver(world, known, purchase("new", number), purchase("back", number))
    assert {profile.version for profile in world.all().values()} == {EPOCH * VERSIONS_A_MILLISECOND + 3}
    starts = (1, EPOCH * VERSIONS_A_MILLISECOND)
    ids = [Transition("customer#new", start + n, 1, 2, Cause.TIME, 0, "m").id for start in starts for n in range(9)]
    assert len({*ids}) == len(ids)


def test_a_link_that_was_undone_stays_so_whatever_comes_first() -> None:
    claim = {**purchase("a", 1), "anonymous_id": "v"}
    visit = {**purchase("v", 2), "customer_id": None, "anonymous_id": "v"}
    for events in ([claim, visit], [visit, claim]):
        world = MemoryTable()
        for event in events:
            deliver(world, MemoryMarks({"visitor#v": Mark(unlinked=True)}), event)
        profiles = world.all()
        link = profiles["visitor#v"].link
        assert link is not None and link.state is LinkState.UNLINKED
        assert profiles["customer#a"].visitors == {} and profiles["visitor#v"].events == 1


def test_a_refusal_is_told_of_once_before_it_is_kept_and_again_where_that_broke_off(
    dynamodb: "DynamoDBClient", s3: "S3Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = marks(dynamodb, s3)
    refusals: list[tuple[str, int]] = []
    refused = [Consent("customer#a", 1_000, given=False), Consent("customer#a", 2_000, given=False)]
    returned = [Consent("customer#b", 1_000, given=False), Consent("customer#b", 2_000, given=True)]

    def note(key: str, at_ms: int) -> None:
        refusals.append((key, at_ms))

    with monkeypatch.context() as broken:
        broken.setattr(kept, "refuse", lambda _key, _at_ms: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            kept.record(refused, note)
    for _ in range(3):
        kept.record([*refused, *returned], note)
    assert refusals == [("customer#a", 2_000)] * 2
    assert kept.load(["customer#a"])["customer#a"].refused_ms == 2_000
    kept.record([Consent("customer#a", 3_000, given=False)], note)
    assert refusals[2:] == [("customer#a", 3_000)]


def test_marks_of_the_release_before_and_undone_links_are_kept_by_a_command(
    dynamodb: "DynamoDBClient", s3: "S3Client"
) -> None:
    known = marks(dynamodb, s3)
    for number in range(40):
        known.refuse(f"customer#{number}", 1_000 + number)
    known.agree("customer#1", 2_000)
    facts = {name: mark for name, mark in KeptMarks(s3, BUCKET).all() if mark}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for entry in page["Contents"]:
            s3.delete_object(Bucket=BUCKET, Key=entry["Key"])
    table = ProfileTable(dynamodb, TABLE)
    table.save([StoredProfile("visitor#v", 1, b"", 0, None, link=Link("customer#a", LinkState.UNLINKED))])
    table.save([StoredProfile("visitor#w", 1, b"", 0, None, link=Link("customer#a"))])
    for _ in range(2):
        assert keep_marks(dynamodb, TABLE, lambda: b"secret", KeptMarks(s3, BUCKET)) == 41
    undone = keyed_hash(b"secret", "visitor#v")
    assert dict(KeptMarks(s3, BUCKET).all()) == {**facts, undone: Mark(unlinked=True)}


def test_a_life_begun_by_who_saw_no_mark_repeats_no_version_of_the_one_before() -> None:
    world = MemoryTable()
    known = MemoryMarks({})
    lives = []
    for later_ms in (0, 1):
        moment = replace(NOW, scored_at_ms=NOW.scored_at_ms + later_ms)
        for number in range(3):
            deliver(world, known, purchase("a", number), now=moment)
        (profile,) = world.all().values()
        lives.append(range(profile.version - 2, profile.version + 1))
        world.items.clear()  # an erasure, whose mark the next writer does not see
    first, second = lives
    assert first[-1] < second[0]
