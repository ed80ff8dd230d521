"""EMR Serverless in this process: jobs of one application, which do what they are begun with when they are asked about.

Requests are checked as boto3 checks them.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

type Work = Callable[[list[str]], int]


@dataclass
class Job:
    """A job, and what it was begun with."""

    id: str
    asked: dict[str, Any]
    states: list[str]
    """What it is, and will be each time that it is asked for."""
    details: str = ""


@dataclass
class Emr:
    """The service."""

    work: Work
    """What `tessera` does with the arguments of a job."""
    states: list[str] = field(default_factory=lambda: ["SUBMITTED", "RUNNING", "SUCCESS"])
    """Of the jobs that are begun from now on."""
    jobs: list[Job] = field(default_factory=list)
    failing: list[tuple[int, str] | BaseException] = field(default_factory=list)
    """What befalls the next questions how a job stands."""

    @contextmanager
    def answering(self, client: Any) -> Iterator[None]:
        """A client's calls come here."""
        client.meta.events.register("before-call.emr-serverless", self._answer)
        try:
            yield
        finally:
            client.meta.events.unregister("before-call.emr-serverless", self._answer)

    def _answer(self, model: Any, params: dict[str, Any], **_: Any) -> Any:
        body = json.loads(params["body"]) if params["body"] else {}
        *_, last = params["url_path"].split("/")
        if model.name == "StartJobRun":
            return _answered({"jobRunId": self._begin(body).id})
        if model.name == "ListJobRuns":
            return _answered({"jobRuns": [_about(job) for job in self.jobs]})
        assert model.name == "GetJobRun"
        if self.failing:
            failure = self.failing.pop(0)
            if isinstance(failure, BaseException):
                raise failure
            return _answered({"Error": {"Code": failure[1], "Message": "no"}}, failure[0])
        return _answered({"jobRun": self._next(next(job for job in self.jobs if job.id == last))})

    def _begin(self, asked: dict[str, Any]) -> Job:
        same = [job for job in self.jobs if job.asked["clientToken"] == asked["clientToken"]]
        if not same:
            self.jobs.append(Job(f"job{len(self.jobs)}", asked, [*self.states]))
        return (same or self.jobs)[-1]

    def _next(self, job: Job) -> dict[str, Any]:
        if len(job.states) > 1:
            job.states.pop(0)
            if job.states[0] == "SUCCESS" and self.work(job.asked["jobDriver"]["sparkSubmit"]["entryPointArguments"]):
                job.states[0] = "FAILED"
        return _about(job) | {"jobRunId": job.id}


def _about(job: Job) -> dict[str, Any]:
    return {"id": job.id, "name": job.asked["name"], "state": job.states[0], "stateDetails": job.details}


def _answered(parsed: dict[str, Any], status: int = 200) -> Any:
    return SimpleNamespace(status_code=status, headers={}), parsed | {"ResponseMetadata": {"HTTPStatusCode": status}}
