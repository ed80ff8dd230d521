"""JSON as queues take it: SQS refuses some characters that JSON may hold, whole message and all."""

import re

_REFUSED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""All but those of https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html."""


def message_text(document: str) -> str:
    """A JSON document with the characters that SQS refuses escaped by their numbers: it holds the same values.

    Outside of its texts a document of JSON has none of them.
    """
    return _REFUSED.sub(lambda match: f"\\u{ord(match.group()):04x}", document)
