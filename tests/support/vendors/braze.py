"""Users of Braze, by https://www.braze.com/docs/api/endpoints/user_data (track; delete)."""

from dataclasses import dataclass, field
from typing import Any

from shared.destinations.contract import Answer, Request
from tests.support.vendors.answers import answered, document_of, path_of


@dataclass
class Braze:
    api_key: str = "braze-key"
    refuses: dict[str, str] = field(default_factory=dict)
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    erased: list[str] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Bearer {self.api_key}":
            return answered(401, {"message": "Invalid API key"})
        document = document_of(request)
        match path_of(request):
            case "/users/track":
                return self._track(document["attributes"])
            case "/users/delete":
                assert len(document["external_ids"]) <= 50
                self.erased += document["external_ids"]
                for customer in document["external_ids"]:
                    self.users.pop(customer, None)
                return answered(200, {"deleted": len(document["external_ids"]), "message": "success"})
        return answered(404, {"message": "Invalid URL"})

    def _track(self, attributes: list[dict[str, Any]]) -> Answer:
        if len(attributes) > 75:
            return answered(400, {"message": "The max number of attributes per request was exceeded."})
        errors = []
        for place, one in enumerate(attributes):
            if reason := self.refuses.get(one["external_id"]):
                errors.append({"type": reason, "input_array": "attributes", "index": place})
            else:
                self.users.setdefault(one["external_id"], {}).update(one)
        answer = {"message": "success", "attributes_processed": len(attributes) - len(errors)}
        return answered(201, {**answer, "errors": errors} if errors else answer)
