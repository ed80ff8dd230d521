"""What functions tell of themselves names nobody, whatever they choke on."""

import json
import logging
import sys
from typing import Any

import pytest
from botocore.exceptions import ClientError

from shared.telemetry.errors import AnonymousError, anonymous, why
from shared.telemetry.logs import logger, metrics, watched
from tests.functions.conftest import Context
from tests.support.markers import CUSTOMER, EMAIL, MARKERS, NAME, Heard, found_in, listening


class Broken(AnonymousError):
    pass


def refusal(message: str) -> ClientError:
    return ClientError({"Error": {"Code": "NoSuchKey", "Message": message}}, "GetObject")


def lines(heard: Heard) -> list[dict[str, Any]]:
    return [json.loads(line) for line in heard.getvalue().splitlines() if line.startswith("{")]


@pytest.mark.parametrize("text", [f"x{CUSTOMER}", json.dumps(NAME), f"b{NAME.encode()!r}", "Wm/DqyBNw6Rya2Vy"])
def test_markers_are_found_in_every_writing(text: str) -> None:
    assert len(found_in(text)) == 1


def test_an_error_that_quotes_somebody_leaves_without_the_quotation() -> None:
    @watched()
    def handler(event: dict[str, Any], context: Any) -> None:
        try:
            int(EMAIL)
        except ValueError as error:
            error.add_note(NAME)
            raise refusal(f"no object {CUSTOMER}") from error

    with listening() as heard:
        heard.call(handler, {}, Context())
    assert heard.markers() == set()
    (line,) = lines(heard)
    assert "ValueError" in line["exception"] and "ClientError: NoSuchKey of GetObject" in line["exception"]
    assert "test_logs.py" in line["exception"]
    assert "[ERROR] ClientError: NoSuchKey of GetObject" in heard.getvalue()


def test_an_error_of_ours_says_what_it_has_to_say() -> None:
    @watched()
    def handler(event: dict[str, Any], context: Any) -> None:
        raise Broken("25 profiles are unwritten")

    with listening() as heard, pytest.raises(Broken, match="25 profiles"):
        handler({}, Context())
    assert "Broken: 25 profiles are unwritten" in lines(heard)[0]["exception"]
    assert why(ValueError(EMAIL)) == "ValueError" and str(anonymous(ValueError(EMAIL))) == ""
    assert type(anonymous(refusal("x"))).__name__ == "ClientError"


def test_a_text_is_logged_under_known_names_alone() -> None:
    with listening() as heard:
        logger.info(
            "Read", extra={"key": CUSTOMER, "people": [EMAIL], "counts": {NAME: 1}, "lines": 5, "reason": "too long"}
        )
    (line,) = lines(heard)
    assert heard.markers() == set()
    assert (line["message"], line["lines"], line["reason"]) == ("Read", 5, "too long")


def test_events_are_not_logged_even_where_the_environment_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_LOGGER_LOG_EVENT", "true")

    @watched()
    def handler(event: dict[str, Any], context: Any) -> None:
        metrics.add_metric("EventsCounted", "Count", 1)

    with listening() as heard:
        heard.call(handler, {"id": list(MARKERS)}, Context())
    assert heard.markers() == set()
    assert lines(heard)[0]["EventsCounted"] == [1.0]


def test_listening_hears_libraries_and_what_is_printed() -> None:
    with listening() as heard:
        sys.stdout.write(CUSTOMER)
        logging.getLogger("library").warning("at %s", EMAIL)
    assert heard.markers() == {CUSTOMER, EMAIL}
