"""Answers of vendors, good ones and what is made of bad ones."""

from shared.destinations.calling import understood
from shared.destinations.contract import Answer, Outcome, Record, wait_seconds
from shared.destinations.vendors import VENDORS

RECORDS = [Record("customer#1", "1", {}, "d1"), Record("customer#2", "2", {}, "d2")]
STATUSES = (200, 201, 202, 207, 400, 429, 500)


def answers_of_vendors() -> tuple[bytes, ...]:
    """One of each vendor."""
    return (
        b'{"results":[{"objectWriteTraceId":"0"}],"errors":[{"category":"X","message":"m","context":'
        b'{"objectWriteTraceId":["1"]}}]}',
        b'{"data":[{"attributes":{"detail":"d","original_payload":{"external_id":"1"}}}],"errors":[{"detail":"d"}]}',
        b'[{"success":true},{"success":false,"errors":[{"statusCode":"A","message":"m"}]}]',
        b'{"message":"success","errors":[{"type":"t","index":1}]}',
        b'{"errors":[{"field":"f","message":"m","batch_index":0}]}',
        b'{"BulkEmailEntryResults":[{"Status":"SUCCESS"},{"Status":"FAILED","Error":"e"}]}',
    )


def answered_by_all(body: bytes) -> list[list[Outcome]]:
    """What every vendor's answer of these bytes says, under every status."""
    said: list[list[Outcome]] = []
    for vendor in VENDORS.values():
        for status in STATUSES:
            answer = Answer(status, {"retry-after": body.decode(errors="replace")[:40]}, body)
            wait_seconds(answer, 0)
            records = RECORDS[: vendor.most]
            outcomes = [*understood(vendor, records, answer)]
            assert len(outcomes) == len(records)
            assert all(len(outcome.reason) <= 600 for outcome in outcomes)
            said.append(outcomes)
    return said
