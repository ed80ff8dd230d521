"""What the local tools print: steps with their durations."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from rich.console import Console

console = Console(highlight=False)


@contextmanager
def step(title: str, *, spinner: bool = True) -> Iterator[None]:
    """Show a spinner while the body runs, unless that shows progress itself, then one line with the seconds it took."""
    began = time.monotonic()
    with console.status(f"{title} …") if spinner else nullcontext():
        yield
    console.print(f"[green]✓[/] {title} [dim]{time.monotonic() - began:.1f} s[/]", soft_wrap=True)
