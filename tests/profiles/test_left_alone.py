import pytest

from shared.identity.keys import anonymous
from shared.profiles.left_alone import report
from shared.profiles.unwritten import ProfileNewer, ProfilesUnreadable, Unwritten
from shared.telemetry.logs import metrics

FULL = Unwritten("the profile is full")
BROKEN = Unwritten("it cannot be read", ProfilesUnreadable)
NEWER = Unwritten("a newer release wrote it", ProfileNewer, passes=True)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    counted: dict[str, float] = {}
    monkeypatch.setattr(metrics, "add_metric", lambda name, _unit, value: counted.update({name: value}))
    return counted


def test_names_nobody_and_says_why(caplog: pytest.LogCaptureFixture, counted: dict[str, float]) -> None:
    report({"customer#889": FULL})
    (logged,) = caplog.records
    assert vars(logged)["reason"] == f"1 profiles: the profile is full: {anonymous('customer#889')}"
    assert counted == {}


def test_counts_those_that_cannot_be_read(counted: dict[str, float]) -> None:
    report({"customer#1": FULL, "customer#2": BROKEN, "customer#3": NEWER})
    assert counted == {"ProfilesUnreadable": 2}


def test_of_nobody_there_is_nothing_to_say(caplog: pytest.LogCaptureFixture, counted: dict[str, float]) -> None:
    report({})
    assert (caplog.records, counted) == ([], {})
