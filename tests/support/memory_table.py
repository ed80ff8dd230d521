"""The profile table in memory, and writers on it that stop before every request, to be interleaved or to crash."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from shared.profiles.item import Item, decode_profile, decode_profiles, encode_profile, removed_attributes
from shared.profiles.stored_profile import VERSIONS_A_MILLISECOND, StoredProfile
from shared.profiles.table import ProfileTable

type Job = Callable[[ProfileTable], object]


def writes(profile: StoredProfile) -> int:
    """How often a profile was written since it was first stored."""
    return profile.version % VERSIONS_A_MILLISECOND


class MemoryTable(ProfileTable):
    """Keeps items and their conditions as DynamoDB does; each write of a batch happens, or is lost, on its own."""

    def __init__(self, items: dict[str, Item] | None = None) -> None:
        self.items: dict[str, Item] = {} if items is None else items
        self.requests = 0

    def load(self, keys: Iterable[str]) -> dict[str, StoredProfile]:
        self.requests += 1
        return decode_profiles(self.items[key] for key in keys if key in self.items)

    def save(self, profiles: Sequence[StoredProfile]) -> set[str]:
        return {profile.key for profile in profiles if not self._write(profile)}

    def _write(self, profile: StoredProfile) -> bool:
        self.requests += 1
        known = self.items.get(profile.key, {})
        stored_version = int(known["version"]["N"]) if known else profile.born
        if stored_version != profile.version - 1:
            return False
        gone = removed_attributes(profile)
        item = {**known, **encode_profile(profile)}
        self.items[profile.key] = {name: value for name, value in item.items() if name not in gone}
        return True

    def delete(self, profile: StoredProfile) -> bool:
        self.requests += 1
        known = self.items.get(profile.key)
        if known is None or int(known["version"]["N"]) != profile.version:
            return False
        del self.items[profile.key]
        return True

    def all(self) -> dict[str, StoredProfile]:
        return {key: decode_profile(item) for key, item in self.items.items()}


class Crash(BaseException):
    """The end of a writer between two requests."""


class Writer(MemoryTable):
    """One of several writers on a table: does one request whenever it is told to."""

    def __init__(self, table: MemoryTable, job: Job) -> None:
        super().__init__(table.items)
        self._turn = threading.Semaphore(0)
        self._stopped = threading.Semaphore(0)
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

    def load(self, keys: Iterable[str]) -> dict[str, StoredProfile]:
        self._wait()
        return super().load(keys)

    def _write(self, profile: StoredProfile) -> bool:
        self._wait()
        return super()._write(profile)

    def delete(self, profile: StoredProfile) -> bool:
        self._wait()
        return super().delete(profile)

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

    def _write(self, profile: StoredProfile) -> bool:
        self.writes -= 1
        if self.writes < 0:
            raise Cut
        return super()._write(profile)
