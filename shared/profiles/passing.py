"""Failures that may pass by themselves, and those that the same input meets each time."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

from shared.features.codec import UnknownStateVersion
from shared.profiles.marks import TableNotRestored
from shared.profiles.races import TooManyRaces
from shared.profiles.table import ProfileNotWritten, TableOverloaded
from shared.profiles.unwritten import ProfileNewer

PASSING = (
    BotoCoreError,
    OSError,
    TableNotRestored,
    TableOverloaded,
    TooManyRaces,
    # Written by a later release: it waits for that one.
    ProfileNewer,
    UnknownStateVersion,
)
FOR_GOOD = frozenset(
    {
        "EntityTooLarge",
        "InvalidMessageContents",
        "InvalidParameterValue",
        "ItemCollectionSizeLimitExceeded",
        "KeyTooLongError",
        "ValidationError",
        "ValidationException",
    }
)
"""Codes by which AWS refuses what it was given, whoever asks and whenever."""


def may_pass(error: Exception) -> bool:
    """Whether the same input may be taken another time, as when AWS throttles, does not answer, or lacks a right."""
    if isinstance(error, ClientError):
        return error.response.get("Error", {}).get("Code") not in FOR_GOOD
    if isinstance(error, ProfileNotWritten):
        return error.code is not None and error.code not in FOR_GOOD
    return isinstance(error, PASSING)
