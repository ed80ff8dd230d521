"""Contacts of Salesforce, by https://developer.salesforce.com/docs/platform/api-rest (sign-in; sObject collections)."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from shared.destinations.contract import Answer, Request
from tests.support.vendors.answers import answered, document_of, path_of

TOKEN = "00D-token"


@dataclass
class Salesforce:
    external_id: str = "Tessera_Id__c"
    fields: frozenset[str] = frozenset({"Segment__c", "Churn__c", "Audiences__c"})
    refuses: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Records that it does not take, by external id, with status code and message."""
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    erased: list[str] = field(default_factory=list)
    signed_in: int = 0

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
