"""Contacts of HubSpot, by https://developers.hubspot.com/docs/api-reference (contacts, batch; error handling)."""

from dataclasses import dataclass, field
from typing import Any

from shared.destinations.contract import Answer, Request
from tests.support.vendors.answers import answered, document_of, path_of

CONTACTS = "/crm/objects/2026-09/contacts"


def error(status: int, category: str, message: str, **more: Any) -> Answer:
    return answered(status, {"status": "error", "category": category, "message": message, "correlationId": "1", **more})


@dataclass
class HubSpot:
    token: str = "pat-test"
    unique: tuple[str, ...] = ("email",)
    properties: frozenset[str] = frozenset({"email", "tessera_segment", "tessera_churn", "tessera_audiences"})
    refuses: dict[str, str] = field(default_factory=dict)
    """Contacts that it does not take, by id, and why."""
    contacts: dict[str, dict[str, str]] = field(default_factory=dict)
    erased: list[str] = field(default_factory=list)
    calls: int = 0

    def __call__(self, request: Request) -> Answer:
        self.calls += 1
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return error(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.")
        match request.method, path_of(request):
            case "POST", path if path == f"{CONTACTS}/batch/upsert":
                return self._upsert(document_of(request))
            case "POST", path if path == f"{CONTACTS}/gdpr-delete":
                return self._erase(document_of(request))
        return error(404, "OBJECT_NOT_FOUND", "resource not found")

    def _upsert(self, document: Any) -> Answer:
        inputs = document["inputs"]
        if not 1 <= len(inputs) <= 100:
            return error(400, "VALIDATION_ERROR", f"The maximum number of inputs supported is 100, not {len(inputs)}")
        if len({one["id"] for one in inputs}) < len(inputs):
            return error(400, "VALIDATION_ERROR", "Duplicate IDs found in batch input")
        results: list[Any] = []
        errors: list[Any] = []
        for one in inputs:
            if reason := self._wrong(one):
                context = {"objectWriteTraceId": [one["objectWriteTraceId"]]}
                errors.append(
                    {"status": "error", "category": "VALIDATION_ERROR", "message": reason, "context": context}
                )
                continue
            new = one["id"] not in self.contacts
            self.contacts.setdefault(one["id"], {}).update(one["properties"])
            results.append({"id": str(len(results)), "new": new, "objectWriteTraceId": one["objectWriteTraceId"]})
        done = {"status": "COMPLETE", "results": results}
        return answered(207, {**done, "numErrors": len(errors), "errors": errors}) if errors else answered(200, done)

    def _wrong(self, one: Any) -> str | None:
        if one["idProperty"] not in self.unique:
            return f"Property {one['idProperty']} is not unique"
        if not all(isinstance(value, str) for value in one["properties"].values()):
            return "Property values were not valid"
        if unknown := sorted(one["properties"].keys() - self.properties):
            return f'Property "{unknown[0]}" does not exist'
        return self.refuses.get(one["id"])

    def _erase(self, document: Any) -> Answer:
        assert document["idProperty"] == "email"
        self.contacts.pop(document["objectId"], None)
        self.erased.append(document["objectId"])
        return answered(204)
