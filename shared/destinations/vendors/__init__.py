"""The vendors, by the name that a destination's file says."""

from collections.abc import Mapping

from shared.destinations.contract import Vendor
from shared.destinations.vendors import braze, customerio, hubspot, klaviyo, salesforce, ses, webhook

VENDORS: Mapping[str, Vendor] = {
    each.VENDOR.name: each.VENDOR for each in (braze, customerio, hubspot, klaviyo, salesforce, ses, webhook)
}


def vendor(name: str) -> Vendor:
    """The vendor of that name, one of VENDORS."""
    return VENDORS[name]
