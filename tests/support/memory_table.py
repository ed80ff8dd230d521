"""The profile table in memory, and writers on it that stop before every request, to be interleaved or to crash."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from shared.profiles.item import Item, decode_profile
from shared.profiles.sealed import SEALED
from shared.profiles.stored_profile import PROFILE, VERSIONS_A_MILLISECOND, StoredProfile
from shared.profiles.table import ProfileTable, Write

type Job = Callable[[ProfileTable], object]


def writes(profile: StoredProfile) -> int:
    """How often a profile was written since it was first stored."""
    return profile.version % VERSIONS_A_MILLISECOND


class MemoryTable(ProfileTable):
    """Keeps items and their conditions as DynamoDB does; each write of a batch happens, or is lost, on its own.

    A profile's item stands under its key, and what stands beside it under the key and the item's sort key.
    """

    def __init__(self, items: dict[str, Item] | None = None) -> None:
        self.items: dict[str, Item] = {} if items is None else items
        self.requests = 0
        self._sleep = lambda seconds: None

    def _read(self, keys: Iterable[Item], attributes: str | None = None) -> list[Item]:
        self.requests += 1
        return [self.items[name] for name in map(item_name, keys) if name in self.items]

    def _write(self, writes: Sequence[Write], lost: set[str], refused: dict[str, str]) -> None:
        lost.update(write.key for write in writes if not self._put(write))

    def _put(self, write: Write) -> bool:
        self.requests += 1
        known = self.items.get(item_name(write.item), {})
        if (int(known["version"]["N"]) if known else None) != write.before:
            return False
        item = {**known, **write.item}
        self.items[item_name(item)] = {name: value for name, value in item.items() if name not in write.removed}
        return True

    def _delete(self, key: Item, version: int) -> bool:
        self.requests += 1
        known = self.items.get(item_name(key))
        if known is None or int(known["version"]["N"]) != version:
            return False
        del self.items[item_name(key)]
        return True

    def _query_volumes(self, key: str) -> list[Item]:
        self.requests += 1
        return [item for name, item in self.items.items() if name.startswith(f"{key} {SEALED}")]

    def all(self) -> dict[str, StoredProfile]:
        heads = [decode_profile(item) for item in self.items.values() if item["sk"]["S"] == PROFILE]
        return MemoryTable(self.items).complete(heads)


def item_name(item: Item) -> str:
    """What an item, or its key, is kept under."""
    key: str = item["pk"]["S"]
    place: str = item["sk"]["S"]
    return key if place == PROFILE else f"{key} {place}"


class Crash(BaseException):
    """The end of a writer between two requests."""


class Writer(MemoryTable):
    """One of several writers on a table: does one request whenever it is told to."""

    def __init__(self, table: MemoryTable, job: Job) -> None:
        super().__init__(table.items)
        # Each is released by one side and acquired by the other, in turns; semaphores take a dozen locks for that.
        self._turn = threading.Lock()
        self._stopped = threading.Lock()
        self._turn.acquire()
        self._stopped.acquire()
        self.job = job
        self.alive = True
        self._crashes = False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._stopped.acquire()

    def step(self) -> None:
        """Lets it go on until it is about to send the next request, or is done."""
        self._turn.release()
        self._stopped.acquire()
        if not self.alive:
            self._thread.join()
            if self._failure:
                raise self._failure

    def crash(self) -> None:
        self._crashes = True
        self.step()

    def _read(self, keys: Iterable[Item], attributes: str | None = None) -> list[Item]:
        self._wait()
        return super()._read(keys, attributes)

    def _put(self, write: Write) -> bool:
        self._wait()
        return super()._put(write)

    def _delete(self, key: Item, version: int) -> bool:
        self._wait()
        return super()._delete(key, version)

    def _wait(self) -> None:
        self._stopped.release()
        self._turn.acquire()
        if self._crashes:
            raise Crash

    def _run(self) -> None:
        try:
            self.job(self)
        except Crash:
            pass
        except Exception as error:
            self._failure = error
        self.alive = False
        self._stopped.release()


def interleaved(table: MemoryTable, jobs: Sequence[Job], turns: Iterator[int]) -> list[tuple[int, int]]:
    """Does all jobs at once, giving each request to the writer that `turns` names among those who still have some.

    Returns the choices made, each with the number of writers there were to choose from.
    """
    writers = [Writer(table, job) for job in jobs]
    made = list[tuple[int, int]]()
    while alive := [writer for writer in writers if writer.alive]:
        choice = next(turns, 0) % len(alive)
        made.append((choice, len(alive)))
        alive[choice].step()
    return made


def every_interleaving(play: Callable[[Iterator[int]], list[tuple[int, int]]]) -> int:
    """Plays once for each way in which choices can be made; returns how many there were."""
    turns = list[int]()
    played = 0
    while True:
        made = play(iter(turns))
        played = played + 1
        while made and made[-1][0] + 1 == made[-1][1]:
            made.pop()
        if not made:
            return played
        turns = [choice for choice, _ in made]
        turns[-1] += 1


class Cut(Exception):
    """The invocation ends between two requests."""


class CutTable(MemoryTable):
    """The same items, of which so many are written, and then no more."""

    def __init__(self, table: MemoryTable, writes: int) -> None:
        super().__init__(table.items)
        self.writes = writes

    def _put(self, write: Write) -> bool:
        self.writes -= 1
        if self.writes < 0:
            raise Cut
        return super()._put(write)
