"""Event files of text, gzipped or not, as batches of parsed lines."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from shared.events.batches import Batch
from shared.events.csv_text import csv_batches
from shared.events.streams import LONGEST_LINE, ByteStream, UnreadableFile, lines, plain_bytes


def read_batches(stream: ByteStream, name: str) -> Iterator[Batch]:
    """The lines of the file `name` whose bytes are `stream`. Raises UnreadableFile."""
    read = of_ending(name, _READERS)
    with plain_bytes(stream, name) as plain:
        yield from read(plain)


def of_ending[T](name: str, readers: Mapping[str, T]) -> T:
    """What reads the file of this name. Raises UnreadableFile."""
    read = readers.get(Path(name.lower().removesuffix(".gz")).suffix)
    if read is None:
        raise UnreadableFile("the name must end in .ndjson, .jsonl, .csv (each also with .gz) or .parquet")
    return read


def json_batches(stream: ByteStream, take: Callable[[Batch, int, bytes], None] = Batch.add_json) -> Iterator[Batch]:
    """Lines of one JSON object each; `take` is given a batch, the number of a line, and its bytes."""
    batch = Batch()
    for number, line in lines(stream):
        add_json(batch, number, line, take)
        if batch.is_full:
            yield batch
            batch = Batch()
    yield batch


def add_json(
    batch: Batch, number: int, line: bytes, take: Callable[[Batch, int, bytes], None] = Batch.add_json
) -> None:
    """Give a line to `take`, unless it is empty or too long."""
    if not line or line.isspace():
        return
    if len(line) > LONGEST_LINE:
        batch.refuse_long(number, line)
    else:
        take(batch, number, line)


_READERS: Mapping[str, Callable[[ByteStream], Iterator[Batch]]] = {
    ".ndjson": json_batches,
    ".jsonl": json_batches,
    ".csv": csv_batches,
}
