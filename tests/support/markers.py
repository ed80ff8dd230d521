"""Markers stand for somebody: they are put wherever users' bytes go in, and looked for wherever nobody may be named.

with listening() as heard:
    heard.call(app.handler, event, Context())
assert heard.markers() == set()
"""

import base64
import io
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any
from urllib.parse import quote

from shared.events import FIELDS
from shared.telemetry.logs import logger

CUSTOMER = "customer-7c1fe0marker"
VISITOR = "visitor-9d2eb4marker"
EMAIL = "ada.marker@example.org"
NAME = "Zoë Märker"
MARKERS = (CUSTOMER, VISITOR, EMAIL, NAME)
NUMBER = 31_415_926_535
"""A customer's id that is a number."""


def marked_event(**changes: Any) -> dict[str, Any]:
    """A valid event whose every field that takes any text names somebody, and some more that no contract knows."""
    event: dict[str, Any] = {name: f"{EMAIL} {name}" for name in FIELDS}
    event |= {"event_type": "purchase", "timestamp": "2017-10-01T10:00:00Z", "currency": "USD"}
    event |= {"customer_id": CUSTOMER, "anonymous_id": VISITOR, "quantity": 1, "price": 9.5, "discount": 0.5}
    event |= {"attributes": {NAME: EMAIL, "tier": NAME}, "campaign": f"for {EMAIL}", "arm": "control"}
    event |= {"engagement_seconds": 3, "consent": None, NAME: NAME, "note": f"{NAME} <{EMAIL}>"}
    return {name: value for name, value in (event | changes).items() if value is not None}


def found_in(text: str) -> set[str]:
    """The markers that stand in a text, in whatever writing."""
    return {marker for marker in (*MARKERS, str(NUMBER)) if any(form in text for form in _writings(marker))}


def _writings(marker: str) -> set[str]:
    data = marker.encode()
    # Base64 of what begins at each of the three places that a marker may have in longer data, without its ragged ends.
    inside = {base64.b64encode(b"x" * shift + data)[4 : -4 if (len(data) + shift) % 3 else None] for shift in range(3)}
    encoded = {text.decode() for text in inside} | {data.hex()}
    plain = {marker, quote(marker), quote(marker, safe=""), json.dumps(marker)[1:-1], repr(data)[2:-1]}
    return plain | encoded | {text.replace("+", "-").replace("/", "_") for text in encoded}


class Heard(io.StringIO):
    """All that was told while listening: output, log lines, metrics, warnings, and the errors of calls."""

    def call[Answer](self, handle: Callable[..., Answer], *arguments: Any) -> Answer | None:
        """The answer of a handler; where it fails, None, once heard as Lambda prints it."""
        try:
            # Here too: pytest takes standard output back between a fixture and its test.
            with redirect_stdout(self), redirect_stderr(self):
                return handle(*arguments)
        except Exception as error:
            self.write(f"[ERROR] {type(error).__name__}: {error}\n")
            self.write("".join(traceback.format_list(traceback.extract_tb(error.__traceback__))))
            return None

    def markers(self) -> set[str]:
        """The markers among it."""
        return found_in(self.getvalue())


@contextmanager
def listening() -> Iterator[Heard]:
    """Hears all that reaches a function's log, be it from this system or from a library."""
    heard = Heard()
    ours = logger.registered_handler
    root = logging.getLogger()
    # As Lambda sets it up: of libraries, whatever is at least a warning.
    libraries = logging.StreamHandler(heard)
    libraries.setLevel(logging.WARNING)
    libraries.addFilter(lambda record: record.name != logger.name)
    assert isinstance(ours, logging.StreamHandler)
    before = ours.setStream(heard)
    root.addHandler(libraries)
    try:
        with redirect_stdout(heard), redirect_stderr(heard):
            yield heard
    finally:
        root.removeHandler(libraries)
        ours.setStream(before or ours.stream)
