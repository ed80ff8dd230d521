"""Files of text at the speed of columns: lines that are plainly valid never become Python objects one by one.

A line is plain where arrays can see that it keeps every rule. All others go through Python, so that one judge decides
what is valid and words the reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from shared.events.batches import Batch
from shared.events.blocks import Block, blocks
from shared.events.csv_lines import csv_columns
from shared.events.csv_text import CsvForm, CsvRecords
from shared.events.json_lines import json_columns
from shared.events.judging import Rules
from shared.events.layouts import Layout
from shared.events.plain import checked, event_columns
from shared.events.readers import add_json, of_ending, read_batches
from shared.events.streams import ByteStream, plain_bytes
from shared.features.columns import EventColumns

type Parts = Iterator[tuple[EventColumns | None, Batch]]
"""Of a file: plain lines as columns, and others beside them as batches to be judged."""


def read_text(stream: ByteStream, name: str, rules: Rules) -> Parts:
    """What is in the file `name`, whose bytes are `stream`, part by part. Raises UnreadableFile."""
    read = of_ending(name, _READERS)
    if rules.unwritten:  # lines are asked for, of which columns do not know
        yield from ((None, batch) for batch in read_batches(stream, name))
        return
    with plain_bytes(stream, name) as text:
        yield from read(text, rules)


def read_json(stream: ByteStream, rules: Rules) -> Parts:
    """Lines of one JSON object each."""
    layouts: list[Layout] = []
    for block in blocks(stream):
        lines, layouts = json_columns(block, layouts)
        checked_lines = checked(lines, rules)
        if checked_lines.plain.any():
            yield event_columns(checked_lines, rules), Batch()
        batch = Batch()
        for at in block.filled(~checked_lines.plain):
            add_json(batch, block.number + at, block.line(at))
            if batch.is_full:
                yield None, batch
                batch = Batch()
        yield None, batch


def read_csv(stream: ByteStream, rules: Rules) -> Parts:
    """The records after the header. Raises UnreadableFile where the header is none."""
    lines = _Lines(stream)
    records = CsvRecords(lines, CsvForm())
    while block := lines.block():
        checked_lines = checked(csv_columns(block, records.header), rules)
        checked_lines.plain[: lines.at] = False
        batch = Batch()
        for at in block.filled(~checked_lines.plain):
            if at < lines.at:
                continue
            lines.at = at
            records.add_next(batch, block.number + at)
            # What looks like a line of its own may be part of a value in quotes.
            checked_lines.plain[at : lines.at if lines.is_in(block) else len(block)] = False
            if batch.is_full:
                yield None, batch
                batch = Batch()
            if not lines.is_in(block):
                break
        else:
            lines.at = len(block)
        if checked_lines.plain.any():
            yield event_columns(checked_lines, rules), Batch()
        yield None, batch


class _Lines:
    """The lines of blocks one after the other, from wherever one is put."""

    def __init__(self, stream: ByteStream) -> None:
        self._blocks = blocks(stream)
        self._block = next(self._blocks, None)
        self.at = 0
        """Of the block, the line that comes next."""

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        return self

    def __next__(self) -> tuple[int, bytes]:
        block = self.block()
        if block is None:
            raise StopIteration
        self.at += 1
        return block.number + self.at - 1, block.line(self.at - 1)

    def block(self) -> Block | None:
        """The block that has the next line, if there is one."""
        while self._block and self.at >= len(self._block):
            self._block, self.at = next(self._blocks, None), 0
        return self._block

    def is_in(self, block: Block) -> bool:
        """Whether the block is still the one that was read of last."""
        return self._block is block


_READERS: Mapping[str, Callable[[ByteStream, Rules], Parts]] = {
    ".ndjson": read_json,
    ".jsonl": read_json,
    ".csv": read_csv,
}
