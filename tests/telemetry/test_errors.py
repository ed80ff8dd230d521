"""What may be said of an error where anybody may read it."""

from botocore.exceptions import ClientError

from shared.telemetry.errors import AnonymousError, anonymous, why
from tests.support.markers import EMAIL


class Unwritten(AnonymousError):
    pass


REFUSAL = ClientError({"Error": {"Code": "NoSuchKey", "Message": EMAIL}}, "GetObject")


def test_an_error_of_others_is_called_by_its_name_alone() -> None:
    assert why(ValueError(EMAIL)) == "ValueError"


def test_an_error_of_ours_says_what_it_has_to_say() -> None:
    assert why(Unwritten("25 profiles")) == "Unwritten: 25 profiles"


def test_a_refusal_of_aws_is_told_by_code_and_call() -> None:
    assert why(REFUSAL) == "ClientError: NoSuchKey of GetObject"


def test_an_error_keeps_its_name_and_loses_its_message() -> None:
    assert (type(anonymous(ValueError(EMAIL))).__name__, str(anonymous(ValueError(EMAIL)))) == ("ValueError", "")
    assert (type(anonymous(REFUSAL)).__name__, str(anonymous(REFUSAL))) == ("ClientError", "NoSuchKey of GetObject")


def test_an_error_of_ours_stays_as_it_is() -> None:
    error = Unwritten("25 profiles")
    assert anonymous(error) is error
