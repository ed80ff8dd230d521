"""Many customers at once, by a job that the vendor works on by itself.

Nobody knows when within its time a job says what it holds of somebody, which may be older than what a call has said
since. So the messages of a job stay in the queue until it has ended, and whoever changed meanwhile is then sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from shared.destinations.calling import LEFT_ALONE, Calls
from shared.destinations.contract import ACCEPTED, Answer, Load, Outcome, Progress, Record
from shared.destinations.deliveries import SETTLED, ByJob, Deliveries, Delivery
from shared.destinations.known_destinations import Destination
from shared.destinations.open_jobs import OpenJobs

BATCH_OF_MANY = 50
"""Messages of a batch behind which there may be so many that they are worth a job."""
MOST_OPEN = 10
"""Jobs of a destination at a time: their messages are hidden, of which a queue takes 120,000."""
BROKEN_OFF_MS = 600_000
"""By then whoever was making a job has ended."""
CLOCKS_APART_MS = 60_000
GOING_ON: tuple[Progress, ...] = ("waiting", "running")
IN_A_JOB = "the vendor works on it, in a job with others"


@dataclass(frozen=True, slots=True)
class Ended:
    """What a job did that is over, and none of before it goes on."""

    is_whole: bool
    """Whether it tried all of its records."""
    failed: Mapping[str, Outcome] = field(default_factory=dict)
    """By id."""

    def outcome(self, record: Record | None, version: int) -> Outcome | None:
        """What became of somebody as they are now; None where they have to be sent again."""
        if not self.is_whole or record is None or record.version != version:
            return None
        outcome = self.failed.get(record.id, ACCEPTED)
        return None if outcome.state == "again" else outcome


def loadable(load: Load, records: Iterable[Record]) -> Iterator[Record]:
    """As many records as a job takes, each of another id."""
    ids = set[str]()
    left = load.most_bytes
    for record in records:
        size = load.size(record)
        if size is None or record.id in ids:
            continue
        left -= size
        if left < 0 or len(ids) == load.most:
            return
        ids.add(record.id)
        yield record


@dataclass(frozen=True)
class Loading:
    """What jobs are made with."""

    deliveries: Deliveries
    jobs: OpenJobs
    now_ms: Callable[[], int]

    def load(
        self, destination: Destination, records: Mapping[str, Record], rows: Sequence[Delivery], calls: Calls
    ) -> bool:
        """Whether there is a job of these records, by profile key, for rows. It may have begun or not: who asks later
        is told."""
        load = destination.vendor.load
        if load is None or len(self._going_on(destination, load, calls, MOST_OPEN)) >= MOST_OPEN:
            return False
        answer = calls.call(load.make)
        job = "" if isinstance(answer, Outcome) else load.made(answer)
        if not job:
            return False
        self.jobs.add(destination.name, job, self.now_ms())
        self.deliveries.note(destination.name, ((key, record.id) for key, record in records.items()))
        noted_ms = self.now_ms()
        self.deliveries.note_jobs((row, ByJob(job, records[row.key].version, noted_ms)) for row in rows)
        # Whoever settles a row looks for a job afterwards: either they see this one, or it is seen here that they did.
        settled = {row.key for row in self.deliveries.known(rows).values() if row.state in SETTLED}
        given = [record for key, record in records.items() if key not in settled]
        answer = calls.call(lambda account: load.give(account, job, given)) if given else LEFT_ALONE
        if _went_well(answer):
            answer = calls.call(lambda account: load.start(account, job))
            if isinstance(answer, Outcome) or not 400 <= answer.status < 500:
                return True  # it began, or may have: a job is not ended that may be at work
        calls.call(lambda account: load.abort(account, job))
        return True

    def ended(self, destination: Destination, sent: Iterable[ByJob], calls: Calls) -> dict[str, Ended]:
        """By name, the jobs that have ended, where all have that were made before."""
        load = destination.vendor.load
        noted = {by_job.job: by_job.at_ms for by_job in sent}
        if load is None or not noted:
            return {}
        going_on = self._going_on(destination, load, calls)
        first_ms = min(going_on.values(), default=None)
        over = [job for job, at_ms in noted.items() if first_ms is None or at_ms + CLOCKS_APART_MS < first_ms]
        results = {job: self._results(destination, load, job, noted[job], calls) for job in over}
        return {job: result for job, result in results.items() if result is not None}

    def goes_on(self, destination: Destination, before_ms: int, calls: Calls) -> bool:
        """Whether a job goes on that was made before."""
        load = destination.vendor.load
        going_on = self._going_on(destination, load, calls) if load else {}
        return any(at_ms <= before_ms + CLOCKS_APART_MS for at_ms in going_on.values())

    def _going_on(self, destination: Destination, load: Load, calls: Calls, fewest: int = 1) -> dict[str, int]:
        """When those jobs were made that have not ended; they are not asked for where there are fewer than `fewest`."""
        jobs = self.jobs.of(destination.name)
        if len(jobs) < fewest:
            return jobs
        over = [job for job, at_ms in jobs.items() if self._progress(load, job, at_ms, calls) not in (None, *GOING_ON)]
        for job in over:
            self.jobs.remove(destination.name, job)
        return {job: at_ms for job, at_ms in jobs.items() if job not in over}

    def _progress(self, load: Load, job: str, made_ms: int, calls: Calls) -> Progress | None:
        """How far a job is; one that was left half made is ended."""
        answer = calls.call(lambda account: load.look(account, job))
        progress = None if isinstance(answer, Outcome) else load.progress(answer)
        if progress == "waiting" and self.now_ms() - made_ms > BROKEN_OFF_MS:
            return "broken" if _went_well(calls.call(lambda account: load.abort(account, job))) else None
        return progress

    def _results(self, destination: Destination, load: Load, job: str, noted_ms: int, calls: Calls) -> Ended | None:
        """What a job did; None while that is not known."""
        progress = self._progress(load, job, noted_ms, calls)
        if progress is None or progress in GOING_ON:
            return None
        if progress != "partly":
            return Ended(is_whole=progress == "taken")
        answer = calls.call(lambda account: load.failures(account, job))
        if isinstance(answer, Outcome) or answer.status != 200:
            return None
        try:
            return Ended(is_whole=True, failed=load.failed(destination.account, answer))
        except (LookupError, TypeError, ValueError):
            return Ended(is_whole=False)  # no list of the vendor's: each is told by a call


def _went_well(answer: Answer | Outcome) -> bool:
    return not isinstance(answer, Outcome) and 200 <= answer.status < 300
