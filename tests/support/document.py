"""The OpenAPI document as API Gateway imports it, for tests that hold answers against it."""

from functools import cache
from typing import Any

from jsonschema import Draft4Validator, FormatChecker

from local.api_document import SOURCE, imported


@cache
def document() -> dict[str, Any]:
    return imported(SOURCE.read_text())


def check_answer(method: str, path: str, status: int, body: Any) -> None:
    """Fails unless the document allows such an answer; `path` is the document's, with its braces."""
    answers = document()["paths"][path][method.lower()]["responses"]
    schema = answers[str(status)]["content"]["application/json"]["schema"]
    whole = {**_with_null(schema), "components": _with_null(document()["components"])}
    errors = [error.message for error in Draft4Validator(whole, format_checker=FormatChecker()).iter_errors(body)]
    assert errors == []


def _with_null(schema: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema: a `nullable` type is that type or null."""
    if isinstance(schema, list):
        return [_with_null(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    inner_schema = {name: _with_null(inner) for name, inner in schema.items()}
    return (
        {**inner_schema, "type": [inner_schema["type"], "null"]}
        if inner_schema.get("nullable") is True
        else inner_schema
    )
