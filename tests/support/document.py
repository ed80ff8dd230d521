"""The OpenAPI document as API Gateway imports it, for tests that hold answers against it."""

from collections.abc import Iterator
from functools import cache, reduce
from operator import getitem
from typing import Any

from jsonschema import Draft4Validator, FormatChecker

from local.api_document import SOURCE, imported


@cache
def document() -> dict[str, Any]:
    return imported(SOURCE.read_text())


def check_answer(method: str, path: str, status: int, body: Any) -> None:
    """Fails unless the document allows such an answer; `path` is the document's, with its braces."""
    schema = _schema(method, path, status)
    whole = {**_with_null(schema), "components": _with_null(document()["components"])}
    errors = [error.message for error in Draft4Validator(whole, format_checker=FormatChecker()).iter_errors(body)]
    assert errors == []
    check_names(method, path, status, body)


def check_names(method: str, path: str, status: int, body: Any) -> None:
    """Fails where an answer says what the document does not name, which JSON Schema takes for allowed."""
    unnamed = sorted(set(_unnamed(body, _schema(method, path, status), "answer")))
    assert not unnamed, f"{method} {path} says what api/openapi.yaml does not name: {', '.join(unnamed)}"


def _schema(method: str, path: str, status: int) -> Any:
    answers = document()["paths"][path][method.lower()]["responses"]
    content = _resolved(answers[str(status)]).get("content", {})
    return content["application/json"]["schema"] if "application/json" in content else {}


def _unnamed(value: Any, schema: Any, place: str) -> Iterator[str]:
    schema = _resolved(schema)
    if isinstance(value, list):
        for entry in value:
            yield from _unnamed(entry, schema.get("items", {}), place)
    if isinstance(value, dict) and "properties" in schema:
        for name, entry in value.items():
            if name in schema["properties"]:
                yield from _unnamed(entry, schema["properties"][name], f"{place}.{name}")
            elif "additionalProperties" not in schema:
                yield f"{place}.{name}"


def _resolved(schema: Any) -> Any:
    while "$ref" in schema:
        place = schema["$ref"].removeprefix("#/").split("/")
        schema = reduce(getitem, place, document())
    return schema


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
