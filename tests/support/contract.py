"""Requests of all kinds that `api/openapi.yaml` allows or forbids, and what has to hold of every answer."""

from typing import Any

import schemathesis
from schemathesis import Response
from schemathesis.checks import CheckContext, CheckFunction, not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.document import check_names, document


def nothing_unnamed(context: CheckContext, response: Response, case: schemathesis.Case[Any]) -> None:
    """Answers hold nothing that the document does not name."""
    is_json = response.headers.get("content-type", [""])[0].startswith("application/json")
    if is_json and case.operation.responses.get(str(response.status_code)) is not None:
        check_names(case.method, case.path, response.status_code, response.json())


CHECKS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    nothing_unnamed,
    positive_data_acceptance,
    negative_data_rejection,
]


type Request = schemathesis.Case[Any]


def requests_of(examples: int) -> BaseSchema:
    """The document's operations, for `parametrize`: the edges of every parameter, and `examples` at random of each.

    The same ones every time.
    """
    # A cursor that is made up is refused, well-formed or not.
    in_pages = ["getDeliveries", "getHistory", "getMembers", "getAudienceMembers", "getAudienceMoves", "getTravellers"]
    paged = {
        "include-operation-id": in_pages,
        "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "400", "404"]}},
    }
    # What is a rule or a key, the document cannot say; but for an example of each, what is made up is refused.
    in_words = {
        "include-operation-id": ["putAudience", "deleteAudience", "previewAudience"],
        "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "400", "404"]}},
    }
    # Whoever named the live bundle before somebody else rolled back has to look again.
    overtaken = {
        "include-operation-id": ["rollBackModel"],
        "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "404", "409"]}},
    }
    without_anything_to_vary = {"include-method": "OPTIONS", "generation": {"max-examples": 5}}
    given = {
        "operations": [paged, in_words, overtaken, without_anything_to_vary],
        "generation": {
            "deterministic": True,
            "max-examples": examples,
            # Callers are authorised by their signature, which is no parameter to make up.
            "with-security-parameters": False,
            # As is usual, what nobody asked for is passed over.
            "allow-extra-parameters": False,
        },
        "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "404"]}},
        # Of methods that there are not API Gateway says 403; the document has no place for that.
        "phases": {"stateful": {"enabled": False}, "coverage": {"unexpected-methods": []}},
    }
    return schemathesis.openapi.from_dict(document(), config=schemathesis.Config.from_dict(given))
