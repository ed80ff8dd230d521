"""A batch that fails for good costs nobody but the line that is to blame."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.intake.halving import take_in_or_refuse
from shared.intake.live_events import Message
from shared.profiles.table import TableOverloaded


class Table:
    """Takes no batch with a line that is to blame in it."""

    def __init__(self, blame: Callable[[bytes], bool]) -> None:
        self.blame = blame
        self.taken, self.refused = list[bytes](), list[bytes]()

    def take_in(self, batch: Sequence[Message]) -> None:
        lines = [line for message in batch for line in message.lines]
        if any(map(self.blame, lines)):
            raise ValueError
        self.taken += lines

    def refuse(self, message: Message, error: Exception) -> None:
        assert isinstance(error, ValueError)
        self.refused += message.lines


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=5), min_size=1, max_size=5))
def test_the_lines_to_blame_are_refused_and_all_others_taken_once_in_their_order(bad: list[list[bool]]) -> None:
    numbers = iter(range(25))
    batch = [[b"%s %d" % (b"bad" if one else b"good", next(numbers)) for one in message] for message in bad]
    table = Table(lambda line: line.startswith(b"bad"))
    take_in_or_refuse([Message(str(i), "bus", lines) for i, lines in enumerate(batch)], table.take_in, table.refuse)
    lines = [line for message in batch for line in message]
    assert table.taken == [line for line in lines if not table.blame(line)]
    assert table.refused == [line for line in lines if table.blame(line)]


def test_what_may_pass_is_raised_and_nothing_refused() -> None:
    def overloaded(_batch: Sequence[Message]) -> None:
        raise TableOverloaded("still throttled")

    def refuse(_message: Message, _error: Exception) -> None:
        raise AssertionError

    with pytest.raises(TableOverloaded):
        take_in_or_refuse([Message("1", "bus", [b"{}"])], overloaded, refuse)
