"""Stored customers as rules see them."""

from shared.features.time_zone import UTC_TIME
from shared.profiles.judged import judged
from tests.journeys.people import ENTERED_MS, stored
from tests.support.event_files import purchase
from tests.support.stored_profiles import profile


def test_those_without_events_are_left_out_and_the_others_have_what_was_decided() -> None:
    some = [profile("customer#0", state=b""), stored([purchase("889")])]
    known, customers = judged(some, ENTERED_MS, UTC_TIME)
    assert known.keys == ["customer#889"] or [*known.keys] == ["customer#889"]
    assert customers.decided["segment"].tolist() == [3.0]
    assert customers.decided["churn_probability"].tolist() == [0.25]
    assert len(customers) == 1
