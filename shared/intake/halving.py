"""Messages taken in together, and in halves where that fails for good, down to the line that is to blame."""

from collections.abc import Callable, Sequence

from shared.intake.live_events import Message
from shared.profiles.passing import may_pass

type Batch = Sequence[Message]


def take_in_or_refuse(
    batch: Batch, take_in: Callable[[Batch], None], refuse: Callable[[Message, Exception], None]
) -> None:
    """Calls `take_in` on the batch or on parts of it, and `refuse` on what can never be taken, a line each.

    Raises what may pass: the whole batch is then to come again.
    """
    try:
        take_in(batch)
        return
    except Exception as error:
        if may_pass(error):
            raise
        if len(batch) == 1 and len(batch[0].lines) == 1:
            refuse(batch[0], error)
            return
    for half in _halves(batch):
        take_in_or_refuse(half, take_in, refuse)


def _halves(batch: Batch) -> Sequence[Batch]:
    if len(batch) == 1:
        return [(part,) for part in batch[0].halves()]
    middle = len(batch) // 2
    return batch[:middle], batch[middle:]
