import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from shared.features import UnknownStateVersion
from shared.profiles.marks import TableNotRestored
from shared.profiles.passing import may_pass
from shared.profiles.races import TooManyRaces
from shared.profiles.table import ProfileNotWritten, TableOverloaded
from shared.profiles.unwritten import ProfileNewer, ProfilesUnreadable, ProfileTooLarge


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}}, "PutItem")


def not_written(code: str | None) -> ProfileNotWritten:
    error = ProfileNotWritten("refused")
    error.code = code
    return error


@pytest.mark.parametrize(
    "error",
    [
        refusal("ThrottlingException"),
        refusal("AccessDenied"),
        EndpointConnectionError(endpoint_url="https://…"),
        OSError("no space left"),
        TableOverloaded("busy"),
        TableNotRestored("deploy it"),
        TooManyRaces("lost"),
        ProfileNewer("of a later release"),
        UnknownStateVersion("9"),
        not_written("AccessDenied"),
    ],
    ids=repr,
)
def test_what_is_not_the_inputs_fault_may_pass(error: Exception) -> None:
    assert may_pass(error)


@pytest.mark.parametrize(
    "error",
    [
        refusal("ValidationException"),
        refusal("KeyTooLongError"),
        ProfilesUnreadable("damaged"),
        ProfileTooLarge("full"),
        not_written("ValidationError"),
        not_written(None),
        ValueError("ours"),
    ],
    ids=repr,
)
def test_what_the_same_input_meets_each_time_does_not(error: Exception) -> None:
    assert not may_pass(error)
