"""Where published recommenders stand in the data bucket, and the document that names the live one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from shared.aws.versioned_document import current_key
from shared.shapes import Misfit, Text, parsed

PREFIX = "recommenders/"
FILE = "recommender.bin"
REPORT = "report.json"
CURRENT_KEY = current_key(PREFIX)
_SHAPE = {
    "version": int,
    "recommender_id": Text(128),
    "sha256": Text(64),
    "at": Text(64),
    "by": Text(2_048),
    "why": Text(2_048),
}


def recommender_key(recommender_id: str, name: str) -> str:
    """The key of one of a recommender's files."""
    return f"{PREFIX}{recommender_id}/{name}"


@dataclass(frozen=True, slots=True)
class Publication:
    """Which recommender is live, as of a version, and who made it so, when and why."""

    version: int
    recommender_id: str
    sha256: str
    """Of its file: another under its name is not what was checked."""
    at: str = ""
    by: str = ""
    why: str = ""


def encode_publication(publication: Publication) -> bytes:
    """The document of a version."""
    return msgspec.json.encode(publication)


def decode_publication(content: bytes) -> Publication:
    """The version in a document. Raises ValueError."""
    try:
        document: dict[str, Any] = parsed(content, _SHAPE)
    except Misfit as misfit:
        raise ValueError(f"it names no recommender: {misfit}") from None
    if not document["recommender_id"].replace("-", "").isalnum() or not document["recommender_id"].isascii():
        raise ValueError("it names no recommender: its id is not made of letters, digits and hyphens")
    return Publication(**{name: document[name] for name in _SHAPE})
