import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.shortest import shortest

NUMBERS = st.floats(width=32) | st.floats(0, 1, width=32) | st.floats(-2e7, 2e7, width=32)


@given(st.lists(NUMBERS, min_size=64, max_size=200))
def test_many_numbers_are_written_as_each_is_alone(numbers: list[float]) -> None:
    values = np.array(numbers, np.float32)
    for together, value in zip(shortest(values), values, strict=True):
        [alone] = shortest(np.array([value]))
        assert together == alone or (math.isnan(together) and math.isnan(alone))
        assert math.copysign(1, together) == math.copysign(1, alone) or math.isnan(alone)


def test_the_fewest_digits_are_those_that_are_meant() -> None:
    assert shortest(np.full(64, 0.12, np.float32)) == [0.12] * 64
