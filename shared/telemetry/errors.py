"""What may be said of an error where anybody may read it: in logs, in what Lambda prints, in an execution's history."""

from __future__ import annotations

from botocore.exceptions import ClientError


class AnonymousError(Exception):
    """An error whose message says nothing that came from outside: it may stand in a log as it is."""


def why(error: BaseException) -> str:
    """The error by its name and, where its message names nobody, that; of AWS's refusals the code and the call."""
    name = type(error).__name__
    if isinstance(error, ClientError):
        return f"{name}: {error.response.get('Error', {}).get('Code')} of {error.operation_name}"
    return f"{name}: {error}" if isinstance(error, AnonymousError) else name


def anonymous(error: Exception) -> AnonymousError:
    """The error under its own name, as state machines know it by, without a message that may name somebody."""
    if isinstance(error, AnonymousError):
        return error
    renamed: type[AnonymousError] = type(type(error).__name__, (AnonymousError,), {})
    return renamed(why(error).partition(": ")[2])
