"""A progress bar on standard error for whatever takes longer than two seconds."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

PATIENCE_SECONDS = 2.0


@contextmanager
def progress(title: str, total: float) -> Iterator[Callable[[float, str], None]]:
    """Yields `advance(amount, note)`; the bar is full once the amounts add up to `total`."""
    bar = Progress(
        TextColumn(f"{title:<22}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %  {task.fields[note]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    task = bar.add_task(title, total=total, note="")
    begun = time.monotonic()

    def advance(amount: float, note: str = "") -> None:
        bar.update(task, advance=amount, note=note)
        if not bar.live.is_started and time.monotonic() - begun > PATIENCE_SECONDS:
            bar.start()

    try:
        yield advance
    finally:
        if bar.live.is_started:
            bar.stop()
