"""What shops call the ways that visits come about, and what these are."""

import pytest

from shared.events.channels import channel_code
from shared.features.columns import CHANNELS


@pytest.mark.parametrize(
    ("channel", "named"),
    [
        (None, "unknown"),
        ("(not set)", "unknown"),
        ("(none)", "direct"),
        ("Organic Search", "search"),
        ("organic", "search"),
        ("Paid Search", "advertising"),
        ("paid_social", "advertising"),
        ("cpc", "advertising"),
        ("Display", "advertising"),
        ("social-network", "social"),
        ("E-Mail", "message"),
        ("Mobile Push Notifications", "message"),
        ("Affiliates", "referral"),
        ("in-store", "store"),
        ("(Other)", "other"),
        ("carrier pigeon", "other"),
    ],
)
def test_names_of_every_usage_are_known(channel: str | None, named: str) -> None:
    assert CHANNELS[channel_code(channel)] == named


def test_our_own_names_stand_for_themselves() -> None:
    assert [CHANNELS[channel_code(name)] for name in CHANNELS] == [*CHANNELS]
