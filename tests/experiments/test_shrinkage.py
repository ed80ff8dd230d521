import numpy as np

from shared.experiments.shrinkage import shrunk


def test_what_chance_alone_tells_apart_is_drawn_together() -> None:
    alike = shrunk([0.10, 0.12, 0.11, 0.09], [0.05, 0.05, 0.05, 0.05])
    np.testing.assert_allclose(alike, 0.105)


def test_what_differs_clearly_stays_apart() -> None:
    apart = shrunk([0.0, 1.0], [0.001, 0.001])
    np.testing.assert_allclose(apart, [0.0, 1.0], atol=1e-4)


def test_the_less_is_known_of_a_segment_the_further_it_is_drawn() -> None:
    known, vague = shrunk([0.0, 0.4, 0.4], [0.05, 0.05, 0.2])[1:]
    assert vague < known < 0.4


def test_shrunk_estimates_are_nearer_the_truth_than_plain_ones() -> None:
    chance = np.random.default_rng(4)
    plain = near = 0.0
    for _ in range(300):
        truth = chance.normal(0.05, 0.05, 8)
        error = chance.uniform(0.03, 0.15, 8)
        seen = chance.normal(truth, error)
        plain += ((seen - truth) ** 2).sum()
        near += ((shrunk(seen.tolist(), error.tolist()) - truth) ** 2).sum()
    assert near < 0.5 * plain


def test_one_segment_and_one_without_an_error_stay_as_they_are() -> None:
    assert shrunk([0.3], [0.1]).tolist() == [0.3]
    assert shrunk([], []).tolist() == []
    assert shrunk([0.3, 0.1, 0.2], [0.1, 0.0, 0.1])[1] == 0.1
