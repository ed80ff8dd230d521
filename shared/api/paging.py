"""What a request says of the page that it wants: how long, and from where on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from shared.api.answers import Refused
from shared.api.cursors import Cursors, InvalidCursor

MOST_A_PAGE = 100
USUAL_PAGE = 25


@dataclass(frozen=True, slots=True)
class Paging:
    """The parameters `limit` and `cursor` of a query."""

    query: Mapping[str, str]
    cursors: Cursors

    @property
    def limit(self) -> int:
        """How many entries a page has at most, 1 to MOST_A_PAGE. Raises Refused."""
        text = self.query.get("limit", str(USUAL_PAGE))
        is_short_number = text.isascii() and text.isdigit() and len(text) <= len(str(MOST_A_PAGE))
        if is_short_number and 1 <= int(text) <= MOST_A_PAGE:
            return int(text)
        raise Refused(HTTPStatus.BAD_REQUEST, "invalid_limit", f"limit must be a whole number from 1 to {MOST_A_PAGE}.")

    def place[Place](self, listing: str, read: Callable[[Any], Place]) -> Place | None:
        """From where on this `listing` is wanted, as `read` makes it of what was sealed; None from its begin.

        Raises Refused where the cursor is not one of this listing.
        """
        cursor = self.query.get("cursor")
        if not cursor:
            return None
        try:
            return read(self.cursors.open(listing, cursor))
        except InvalidCursor as error:
            message = "cursor must be the one that the page before gave, for the same request."
            raise Refused(HTTPStatus.BAD_REQUEST, "invalid_cursor", message) from error

    def cursor(self, listing: str, following: Any | None) -> str | None:
        """The cursor of the page that begins at the place `following`; None where there is none."""
        return None if following is None else self.cursors.seal(listing, following)
