"""E-mails of Amazon SES, by https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendBulkEmail.html."""

import json
from dataclasses import dataclass, field
from typing import Any

from shared.destinations.contract import Answer, Request
from tests.support.vendors.answers import answered, document_of, path_of


@dataclass
class Ses:
    statuses: dict[str, str] = field(default_factory=dict)
    """What becomes of e-mails to an address, where it is not a success."""
    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        assert path_of(request) == "/v2/email/outbound-bulk-emails"
        document = document_of(request)
        if len(document["BulkEmailEntries"]) > 50:
            return answered(400, {"message": "Too many entries"})
        assert document["FromEmailAddress"]
        assert document["DefaultContent"]["Template"]["TemplateName"]
        return answered(200, {"BulkEmailEntryResults": [self._one(entry) for entry in document["BulkEmailEntries"]]})

    def _one(self, entry: Any) -> Any:
        (address,) = entry["Destination"]["ToAddresses"]
        if status := self.statuses.get(address):
            return {"Status": status, "Error": "because"}
        data = entry["ReplacementEmailContent"]["ReplacementTemplate"]["ReplacementTemplateData"]
        self.sent.append((address, json.loads(data)))
        return {"Status": "SUCCESS", "MessageId": str(len(self.sent))}
