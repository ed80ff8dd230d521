"""Profiles of Klaviyo, by https://developers.klaviyo.com/en/reference (bulk import; data privacy), revision 2026-07-15.

Where Klaviyo's own description of the import is at hand (`KLAVIYO_OPENAPI` names it), each call is held against it.
"""

import json
import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from shared.destinations.contract import Answer, Request
from tests.support.vendors.answers import answered, document_of, path_of

JOBS = "/api/profile-bulk-import-jobs"


@cache
def schema() -> Any:
    path = Path(os.environ.get("KLAVIYO_OPENAPI", ""))
    if not path.is_file():
        return None
    description = json.loads(path.read_text())
    return {"$ref": "#/components/schemas/ProfileImportJobCreateQuery", "components": description["components"]}


def errors(status: int, detail: str, **headers: str) -> Answer:
    return answered(
        status, {"errors": [{"status": status, "code": "invalid", "title": "Invalid", "detail": detail}]}, **headers
    )


@dataclass
class Klaviyo:
    api_key: str = "pk_test"
    refuses: dict[str, str] = field(default_factory=dict)
    profiles: dict[str, dict[str, Any]] = field(default_factory=dict)
    lists: dict[str, set[str]] = field(default_factory=dict)
    jobs: list[list[dict[str, Any]]] = field(default_factory=list)
    erased: list[str] = field(default_factory=list)
    calls: int = 0

    def __call__(self, request: Request) -> Answer:
        self.calls += 1
        if request.headers.get("authorization") != f"Klaviyo-API-Key {self.api_key}":
            return errors(401, "Missing or invalid private key.")
        if request.headers.get("revision") != "2026-07-15":
            return errors(400, "Missing revision")
        path = path_of(request)
        if request.method == "POST" and path == JOBS:
            return self._import(request)
        if request.method == "GET" and path.startswith(f"{JOBS}/") and path.endswith("/import-errors"):
            return answered(200, {"data": self._errors(self.jobs[int(path.split("/")[3])]), "links": {"next": None}})
        if request.method == "POST" and path == "/api/data-privacy-deletion-jobs":
            attributes = document_of(request)["data"]["attributes"]["profile"]["data"]["attributes"]
            ((name, value),) = attributes.items()
            assert name in ("email", "phone_number", "id")
            self.profiles.pop(value, None)
            self.erased.append(value)
            return answered(202)
        return errors(404, "A path could not be found.")

    def _import(self, request: Request) -> Answer:
        if len(request.body) > 5_000_000:
            return errors(413, "The payload is too large.")
        document = document_of(request)
        if (known := schema()) is not None:
            jsonschema.validate(document, known)
        data = document["data"]
        profiles = data["attributes"]["profiles"]["data"]
        if not 1 <= len(profiles) <= 10_000:
            return errors(400, "An import has 1 to 10,000 profiles.")
        bad: list[dict[str, Any]] = []
        for profile in profiles:
            attributes = profile["attributes"]
            ids = [attributes[name] for name in ("external_id", "email", "phone_number") if name in attributes]
            if reason := self.refuses.get(ids[0]):
                bad.append({"attributes": attributes, "reason": reason})
                continue
            properties = self.profiles.get(ids[0], {}).get("properties", {}) | attributes["properties"]
            self.profiles[ids[0]] = {**attributes, "properties": properties}
            for one in data.get("relationships", {}).get("lists", {}).get("data", ()):
                self.lists.setdefault(one["id"], set()).add(ids[0])
        self.jobs.append(bad)
        job = {"type": "profile-bulk-import-job", "id": str(len(self.jobs) - 1), "attributes": {"status": "queued"}}
        return answered(202, {"data": job})

    def _errors(self, bad: list[dict[str, Any]]) -> list[Any]:
        return [
            {
                "type": "import-error",
                "id": str(place),
                "attributes": {
                    "code": "invalid",
                    "title": "Invalid input.",
                    "detail": one["reason"],
                    "source": {"pointer": "/data/attributes"},
                    "original_payload": one["attributes"],
                },
            }
            for place, one in enumerate(bad)
        ]
