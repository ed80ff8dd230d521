"""Contacts of Salesforce, by https://developer.salesforce.com/docs/platform/api-rest (sign-in; sObject collections) and
https://developer.salesforce.com/docs/platform/api-asynch/guide/bulk-api-2-0-ingest.html (jobs of Bulk API 2.0).
"""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from shared.destinations.contract import Answer, Request
from tests.support.vendors.answers import answered, document_of, path_of

TOKEN = "00D-token"
JOBS = "/services/data/v66.0/jobs/ingest"
MOST_BYTES = 150_000_000
ENDED = ("JobComplete", "Failed", "Aborted")


@dataclass
class Job:
    """A job of Bulk API 2.0."""

    id: str
    state: str = "Open"
    rows: list[dict[str, str]] = field(default_factory=list)
    error: str = ""
    failed: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    processed: int = 0

    @property
    def document(self) -> dict[str, Any]:
        shown = {"id": self.id, "state": self.state, "operation": "upsert", "object": "Contact", "apiVersion": 66.0}
        counts = {"numberRecordsProcessed": self.processed, "numberRecordsFailed": len(self.failed)}
        return {**shown, **counts, "errorMessage": self.error}


@dataclass
class Salesforce:
    external_id: str = "Tessera_Id__c"
    fields: frozenset[str] = frozenset({"Segment__c", "Churn__c", "Audiences__c"})
    refuses: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Records that it does not take, by external id, with status code and message."""
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    erased: list[str] = field(default_factory=list)
    signed_in: int = 0
    jobs: dict[str, Job] = field(default_factory=dict)
    works_at_once: bool = True
    """Whether a job has ended as soon as it has begun; if not, `work` and `fail` end it."""

    def __call__(self, request: Request) -> Answer:
        path = path_of(request)
        if path == "/services/oauth2/token":
            form = parse_qs(request.body.decode())
            good = {"grant_type": ["client_credentials"], "client_id": ["app"], "client_secret": ["hush"]}
            if form != good:
                return answered(400, {"error": "invalid_client", "error_description": "invalid client credentials"})
            self.signed_in += 1
            return answered(200, {"access_token": TOKEN, "token_type": "Bearer"})
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return answered(401, [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}])
        if request.method == "PATCH" and path == f"/services/data/v66.0/composite/sobjects/Contact/{self.external_id}":
            return self._upsert(document_of(request))
        if path.startswith(JOBS):
            return self._job(request, path.removeprefix(JOBS))
        begin = f"/services/data/v66.0/sobjects/Contact/{self.external_id}/"
        if request.method == "DELETE" and path.startswith(begin):
            customer = unquote(path.removeprefix(begin))
            self.erased.append(customer)
            return answered(204 if self.records.pop(customer, None) else 404)
        return answered(404, [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}])

    def _upsert(self, document: Any) -> Answer:
        records = document["records"]
        if len(records) > 200 or document["allOrNone"] is not False:
            return answered(400, [{"errorCode": "EXCEEDED_ID_LIMIT", "message": "record limit reached"}])
        return answered(200, [self._one(record) for record in records])

    def _one(self, record: dict[str, Any]) -> Any:
        assert record["attributes"] == {"type": "Contact"}
        customer = record[self.external_id]
        unknown = record.keys() - self.fields - {"attributes", self.external_id}
        code, message = self.refuses.get(customer, ("", ""))
        if unknown:
            code, message = "INVALID_FIELD", f"No such column '{min(unknown)}' on sobject of type Contact"
        if code:
            return {"success": False, "errors": [{"statusCode": code, "message": message, "fields": []}]}
        self.records.setdefault(customer, {}).update(record)
        return {"id": "003", "success": True, "created": True, "errors": []}

    # ---- Jobs

    def _job(self, request: Request, path: str) -> Answer:
        _, _, rest = path.partition("/")
        name, _, what = rest.partition("/")
        if not name:
            return self._made(document_of(request)) if request.method == "POST" else _refused(405, "METHOD_NOT_ALLOWED")
        if (job := self.jobs.get(unquote(name))) is None:
            return _refused(404, "NOT_FOUND")
        takes: dict[tuple[str, str], Callable[[Job, Request], Answer]] = {
            ("PUT", "batches"): self._given,
            ("PATCH", ""): self._changed,
            ("GET", ""): lambda job, _: answered(200, job.document),
            ("GET", "failedResults"): lambda job, _: self._failures(job),
        }
        take = takes.get((request.method, what))
        return take(job, request) if take else _refused(404, "NOT_FOUND")

    def _made(self, document: Any) -> Answer:
        wanted = {"operation": "upsert", "object": "Contact", "externalIdFieldName": self.external_id}
        form = {"contentType": "CSV", "lineEnding": "LF", "columnDelimiter": "COMMA"}
        if document != {**wanted, **form}:
            return _refused(400, "INVALIDJOB")
        job = Job(f"750{len(self.jobs):04d}")
        self.jobs[job.id] = job
        return answered(200, {**job.document, "contentUrl": f"services/data/v66.0/jobs/ingest/{job.id}/batches"})

    def _given(self, job: Job, request: Request) -> Answer:
        if request.headers["content-type"] != "text/csv" or len(request.body) > MOST_BYTES:
            return _refused(400, "INVALIDBATCH")
        if job.state != "Open" or job.rows:
            return _refused(400, "INVALIDJOBSTATE")
        job.rows = [*csv.DictReader(io.StringIO(request.body.decode(), newline=""), strict=True)]
        return answered(201)

    def _changed(self, job: Job, request: Request) -> Answer:
        state = document_of(request)["state"]
        if (
            state not in ("UploadComplete", "Aborted")
            or job.state in ENDED
            or (job.state, state) == ("UploadComplete",) * 2
        ):
            return _refused(400, "INVALIDJOBSTATE")
        job.state = state
        if state == "UploadComplete" and self.works_at_once:
            self.work(job.id)
        return answered(200, job.document)

    def work(self, name: str, rows: int | None = None) -> None:
        """Takes what is left of a job that has begun, or only so many rows of it."""
        job = self.jobs[name]
        if job.state not in ("UploadComplete", "InProgress"):
            return None
        job.state = "InProgress"
        left = job.rows[job.processed :][:rows]
        unknown = {*(left[0] if left else ())} - self.fields - {self.external_id}
        if unknown:
            return self.fail(name, f"InvalidBatch : Field name not found : {min(unknown)}")
        for row in left:
            job.processed += 1
            customer = row[self.external_id]
            if reason := self.refuses.get(customer):
                job.failed.append((":".join(reason) + ":--", row))
                continue
            # What is left out stays as it is; what is said to be nothing is emptied.
            said = {field: None if cell == "#N/A" else cell for field, cell in row.items() if cell}
            self.records.setdefault(customer, {}).update(said)
        if job.processed == len(job.rows):
            job.state = "JobComplete"
        return None

    def fail(self, name: str, reason: str = "InternalServerError : try again") -> None:
        """Ends a job that has begun before all of it was tried."""
        if self.jobs[name].state not in ("UploadComplete", "InProgress"):
            return
        self.jobs[name].state = "Failed"
        self.jobs[name].error = reason

    def _failures(self, job: Job) -> Answer:
        if job.state not in ENDED:
            return _refused(400, "INVALIDJOBSTATE")
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(["sf__Id", "sf__Error", *(job.rows[0] if job.rows else ())])
        for error, row in job.failed:
            writer.writerow(["", error, *row.values()])
        return Answer(200, {"content-type": "text/csv"}, text.getvalue().encode())


def _refused(status: int, code: str) -> Answer:
    return answered(status, [{"errorCode": code, "message": code.lower()}])
