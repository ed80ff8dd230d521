"""Lines, between their knots and beyond."""

import numpy as np

from shared.recommending.blend import Blend, probability

BLEND = Blend(np.array([[0.0, 1.0, 2.0], [0.0, 1.0, 1.0]]), np.array([[0.0, 2.0, 3.0], [0.0, -1.0, -1.0]]), -1.0)


def test_signals_add_up_and_lines_go_on_level() -> None:
    signals = np.array([[0.5, 0.0], [99.0, 99.0], [-99.0, 0.5]])
    assert BLEND.contributions(signals).tolist() == [[1.0, 0.0], [3.0, -1.0], [0.0, -0.5]]
    assert BLEND.log_odds(signals).tolist() == [0.0, 1.0, -1.5]
    assert BLEND.log_odds(np.empty((0, 2))).tolist() == []


def test_log_odds_are_probabilities_however_large() -> None:
    assert np.allclose(probability(np.array([-1e9, 0.0, np.log(3), 1e9])), [0, 0.5, 0.75, 1])
