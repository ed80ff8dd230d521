"""Writes api/openapi.yaml as API Gateway imports it: `python -m local.api_document > document.json`.

API Gateway follows references to schemas, of which it makes models, and none to answers:
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
So an answer or a parameter that is said once stands here wherever the document refers to it.
"""

import json
import sys
from typing import Any

import yaml

from local.emulator import ROOT

SOURCE = ROOT / "api/openapi.yaml"
SAID_ONCE = ("parameters", "responses")


def imported(text: str) -> dict[str, Any]:
    """The document of a text, with nothing left in it that refers to an answer or a parameter."""
    document = yaml.load(text, yaml.CSafeLoader)
    parts = {
        f"#/components/{kind}/{name}": part
        for kind in SAID_ONCE
        for name, part in document["components"].pop(kind, {}).items()
    }
    inlined: dict[str, Any] = _inlined(document, parts)
    return inlined


def _inlined(node: Any, parts: dict[str, Any]) -> Any:
    match node:
        case {"$ref": str(reference)} if reference in parts:
            return _inlined(parts[reference], parts)
        case dict():
            return {name: _inlined(inner, parts) for name, inner in node.items()}
        case list():
            return [_inlined(inner, parts) for inner in node]
    return node


if __name__ == "__main__":
    json.dump(imported(SOURCE.read_text()), sys.stdout)
