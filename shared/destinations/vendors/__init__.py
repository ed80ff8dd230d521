"""The vendors, by the name that a destination's file says. Each is loaded when it is first asked for."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.destinations.contract import Vendor

VENDORS = ("hubspot", "klaviyo", "webhook")


@cache
def vendor(name: str) -> Vendor:
    """The vendor of that name, one of VENDORS."""
    found: Vendor = import_module(f"{__name__}.{name}").VENDOR
    return found
