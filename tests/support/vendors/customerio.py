"""People of Customer.io, by https://docs.customer.io/integrations/api/track/tag/track_v2 (batch)."""

import base64
from dataclasses import dataclass, field
from typing import Any

from shared.destinations.contract import Answer, Request
from tests.support.vendors.answers import answered, document_of, path_of

KEY = "Basic " + base64.b64encode(b"site:key").decode()


@dataclass
class CustomerIo:
    refuses: dict[str, str] = field(default_factory=dict)
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    erased: list[str] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        if request.headers.get("authorization") != KEY:
            return answered(401, {"meta": {"error": "unauthorized"}})
        if path_of(request) != "/api/v2/batch" or len(request.body) > 500_000:
            return answered(400, {"errors": [{"reason": "invalid", "field": "batch", "message": "too large"}]})
        errors = []
        for place, one in enumerate(document_of(request)["batch"]):
            assert one["type"] == "person"
            ((_, customer),) = one["identifiers"].items()
            if reason := self.refuses.get(customer):
                errors.append({"reason": "invalid", "field": "attributes", "message": reason, "batch_index": place})
            elif one["action"] == "delete":
                self.people.pop(customer, None)
                self.erased.append(customer)
            else:
                self.people.setdefault(customer, {}).update(one["attributes"])
        return answered(207, {"errors": errors}) if errors else answered(200, {})
