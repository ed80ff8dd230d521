from tests.support.hot_customer import simulate


def test_ten_writers_at_one_customer_hardly_give_up_and_never_for_their_neighbours() -> None:
    done = simulate(writers=10, batches=15)
    assert done.gave_up <= 0.02 * done.batches
    assert done.neighbours == 0
    assert done.slowest < 45  # of the 60 seconds that an invocation for live events has


def test_the_same_seed_plays_the_same() -> None:
    assert simulate(writers=4, batches=5, seed=7) == simulate(writers=4, batches=5, seed=7)
