"""The steps of an erasure: each may break off anywhere and is then done again, and the receipt is right in the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import groupby
from typing import TYPE_CHECKING

from msgspec.structs import replace

from shared.durations import HOUR_MS
from shared.erasure.objects import Searched, SearchedObjects
from shared.erasure.profiles import Eraser, Removed
from shared.erasure.receipts import HEARD_AT_MOST, LONGEST_DELAY_MS, Progress, Receipt, ReceiptChanged, Receipts, Step
from shared.erasure.streams import OutOfTime
from shared.identity.keys import is_visitor

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from shared.destinations.deliveries import Deliveries
    from shared.journeys.travellers import Travellers
    from shared.ledger.rows import Ledger
    from shared.profiles.marks import Marks
    from shared.profiles.places import Places
    from shared.profiles.table import ProfileTable

STREAM_MS = 25 * HOUR_MS
"""By then the table's stream has forgotten what it had to tell."""
NAMES_AT_MOST = 1_000
"""Objects that a receipt names."""
_CLOCKS_APART = timedelta(minutes=5)

type Queue = Callable[[Step, int], None]
type Tell = Callable[[Step, Sequence[tuple[str, str]]], None]
ASKED = "asked to erase them; no answer yet"


@dataclass(frozen=True)
class Erasing:
    """What the steps work on. `queue` takes the next step and how many milliseconds it is to wait."""

    table: ProfileTable
    marks: Marks
    ledger: Ledger
    places: Places
    deliveries: Deliveries
    travellers: Travellers
    receipts: Receipts
    s3: S3Client
    bucket: str
    queue: Queue
    tell: Tell
    """Tells destinations to erase a customer too, each with the name that it knows them by."""
    now_ms: Callable[[], int]
    settle_ms: int
    """By then every function that began before has ended."""

    def take(self, step: Step, go_on: Callable[[], bool]) -> bool:
        """Takes a step and queues the next, as far as the time goes; whether the erasure came to its end with it.

        The receipt is written before the next step is queued: a step that comes twice finds what it did before, and
        goes on from there. Raises what tables, buckets and queues raise.
        """
        if step.name == "told":
            self._told(step)
            return False
        receipt = self.receipts.read(step)
        if receipt.state == "done":
            return False  # the same message came twice
        match step.name:
            case "find":
                self._find(step)
            case "erase":
                self._erase(step, receipt)
            case "search":
                return self._search(step, receipt, go_on)
        return False

    def _told(self, step: Step) -> None:
        """What came of it at a destination, whatever else goes on with the receipt meanwhile."""
        for left in reversed(range(HEARD_AT_MOST)):
            receipt = self.receipts.read(step)
            receipt.destinations[step.destination] = step.result
            try:
                self.receipts.write(receipt, self.now_ms())
            except ReceiptChanged:
                if not left:
                    raise
            else:
                return

    def _find(self, step: Step) -> None:
        """Marks first: whoever reads after it does not store the customer any more."""
        self.marks.refuse(step.key, step.at_ms)
        people, foreseen = Eraser(self.table, self.marks).foresee(step.key)
        self.queue(replace(step, name="erase", people=people, foreseen=foreseen, marked_ms=self.now_ms()), 0)

    def _erase(self, step: Step, receipt: Receipt) -> None:
        wait_ms = step.marked_ms + self.settle_ms - self.now_ms() if step.again else 0
        if wait_ms > 0:
            return self.queue(step, wait_ms)
        begun = Progress(step.again, erasing=True)
        broke_off = receipt.progress == begun
        receipt.progress = begun
        self.receipts.write(receipt, self.now_ms())
        eraser = Eraser(self.table, self.marks)
        for key in step.people:
            eraser.erase(key, step.at_ms)
        # What sends them on wakes up to nothing.
        self.travellers.forget(step.key, lambda: self.table.heads([step.key]).get(step.key))
        if step.again:
            self._forget_deliveries(step, receipt)
        # What an attempt removed that broke off, it could not tell.
        _count(receipt, step, eraser.removed | step.foreseen if broke_off else eraser.removed)
        receipt.progress = None
        self.receipts.write(receipt, self.now_ms())
        # Visitors who were linked since they were foreseen: the second time goes for what is left of them too.
        step = replace(step, people=[*step.people, *sorted(eraser.erased - {*step.people})])
        if step.again and not self._forget_moves(step):
            return self.queue(step, LONGEST_DELAY_MS)
        searched_ms = step.searched_ms or self.now_ms()
        return self.queue(replace(step, name="search", foreseen=Removed(), searched_ms=searched_ms), 0)

    def _forget_deliveries(self, step: Step, receipt: Receipt) -> None:
        """Whoever read the customer before they were erased has sent them by now, so this is the last word."""
        if names := self.deliveries.names(step.key):
            self.tell(step, names)
            receipt.destinations = {**{destination: ASKED for destination, _ in names}, **receipt.destinations}
            self.receipts.write(receipt, self.now_ms())
        self.deliveries.forget(step.key)

    def _forget_moves(self, step: Step) -> bool:
        """Whether the ledger holds none of the moves before the erasure; those that the stream still has come first."""
        mark = self.marks.load([step.key])[step.key]
        if mark.announced < mark.ended and not is_visitor(step.key) and self.now_ms() < step.marked_ms + STREAM_MS:
            return False
        profile = self.table.heads([step.key]).get(step.key)
        self.ledger.forget(
            step.key, mark.ended, inside=profile.decision.audiences if profile and profile.decision else ()
        )
        return True

    def _search(self, step: Step, receipt: Receipt, go_on: Callable[[], bool]) -> bool:
        progress = receipt.progress
        if progress is None or progress.again != step.again or progress.erasing:
            progress = receipt.progress = Progress(step.again)
        search = _Search(self, step, receipt, progress)
        whole = search.goes_through(go_on)
        if whole and step.again:
            self._forget_places(step)
            receipt.progress = None
            receipt.state = "done"
        self.receipts.write(receipt, self.now_ms())
        if not whole:
            self.queue(replace(step, after=search.last), 0)
        elif not step.again:
            after = replace(step, name="erase", after="", again=True)
            self.queue(after, step.marked_ms + self.settle_ms - self.now_ms())
        return receipt.state == "done"

    def _forget_places(self, step: Step) -> None:
        """Whoever noted them before everybody had settled has written by now, and was searched."""
        refused = self.marks.refused(step.people)
        for key in step.people:
            self.places.forget(key, step.marked_ms + (self.settle_ms if key in refused else 0))


class _Search:
    """One invocation's part of a search."""

    def __init__(self, erasing: Erasing, step: Step, receipt: Receipt, progress: Progress) -> None:
        self._erasing = erasing
        self._step = step
        self._receipt = receipt
        self._progress = progress
        self._eraser = Eraser(erasing.table, erasing.marks)
        self._resumed = progress.changing
        self.last = step.after

    def goes_through(self, go_on: Callable[[], bool]) -> bool:
        """Whether it came to the end; if not, `last` says how far it came."""
        erasing = self._erasing
        step = self._step
        objects = SearchedObjects(erasing.s3, erasing.bucket, erasing.places, step.people, go_on, self._before_change)
        since = datetime.fromtimestamp(step.searched_ms / 1_000, UTC) - _CLOCKS_APART if step.again else None
        # What was being changed may be gone by now; it is to be counted all the same.
        resumed = [self._resumed] if self._resumed is not None else []
        for key, _ in groupby(merge(objects.keys(step.after, since), resumed)):
            try:
                searched = objects.search(key, unfinished=key == self._resumed)
            except OutOfTime:
                if self.last != step.after:
                    return False
                searched = Searched(doubt="it takes too long to search")  # it had all the time there is
            self._finish(key, searched)
            if not go_on():
                return False
        return True

    def _before_change(self, key: str, searched: Searched) -> None:
        """Says in the receipt what is about to go: whether it went cannot be told afterwards."""
        progress = self._progress
        step = self._step
        links = self._eraser.mentions(searched.visitors, step.key)
        known = (progress.lines, progress.links) if key == self._resumed else (0, 0)
        progress.changing = key
        progress.lines = max(known[0], searched.lines)
        progress.links = max(known[1], links)
        self._erasing.receipts.write(self._receipt, self._erasing.now_ms())
        self._eraser.forget(searched.visitors, step.key)

    def _finish(self, key: str, searched: Searched) -> None:
        receipt = self._receipt
        progress = self._progress
        if progress.changing == key:
            receipt.lines += progress.lines
            receipt.removed[int(progress.again)] += Removed(links=progress.links)
            progress.changing = None
            progress.lines = 0
            progress.links = 0
        if searched.doubt is not None and key > progress.searched and key not in receipt.not_searched:
            receipt.objects_not_searched += 1
            if len(receipt.not_searched) < NAMES_AT_MOST:
                receipt.not_searched[key] = searched.doubt
        progress.searched = max(progress.searched, key)
        self.last = key


def _count(receipt: Receipt, step: Step, removed: Removed) -> None:
    """Counts what one time removed; whoever comes again to the same time sees less of it."""
    at = int(step.again)
    receipt.removed += [Removed()] * (at + 1 - len(receipt.removed))
    receipt.removed[at] |= removed
