from shared.profiles.due import SHARDS, due_shard, due_shards


def test_profiles_due_on_one_day_are_spread_over_all_shards() -> None:
    shards = [due_shard(f"customer#{number}") for number in range(1_000)]
    assert set(shards) == set(due_shards())
    assert max(map(shards.count, due_shards())) < 2 * 1_000 / len(due_shards())


def test_a_profile_stays_in_its_shard() -> None:
    assert due_shard("customer#1") == due_shard("customer#1")
    assert len(due_shards()) == SHARDS
