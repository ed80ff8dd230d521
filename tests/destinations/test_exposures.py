import json

from shared.destinations.destination_file import read_destination
from shared.destinations.exposures import exposures
from shared.destinations.messages import ENTERED, LEFT, WANTED
from shared.events import Rules, read_lines
from shared.features.columns import CAMPAIGN_EXPOSURE
from tests.destinations.worlds import HUBSPOT, message, step

FILE = read_destination(HUBSPOT)


def test_an_exposure_is_a_valid_event_and_the_same_each_time() -> None:
    entered = message("a", kind=ENTERED, audience="win_back", arm="control")
    again = message("a", kind=ENTERED, audience="win_back", arm="control", receives=5)
    lines = exposures([entered], FILE)
    assert lines == exposures([again], FILE)
    chunk = read_lines(lines, Rules())
    assert chunk.rejections == []
    assert chunk.events.rows.kind.tolist() == [CAMPAIGN_EXPOSURE]
    assert json.loads(lines[0]) == {
        "event_id": json.loads(lines[0])["event_id"],
        "event_type": "campaign_exposure",
        "timestamp": "2026-01-01T00:00:00.001Z",
        "customer_id": "a",
        "campaign": "win_back",
        "arm": "control",
    }


def test_what_a_journey_sends_is_an_exposure_to_its_campaign() -> None:
    (line,) = exposures([step("a", arm="control")], FILE)
    event = json.loads(line)
    assert (event["campaign"], event["arm"]) == ("hello", "control")


def test_leaving_and_being_told_of_again_expose_nobody_and_others_have_ids_of_their_own() -> None:
    assert exposures([message("a", kind=LEFT, audience="x"), message("a", kind=WANTED), message("a")], FILE) == []
    campaign = read_destination(b'campaign = "c"\n' + HUBSPOT)
    ids = {
        json.loads(line)["event_id"] for line in exposures([message("a", 1), message("a", 2), message("b")], campaign)
    }
    assert len(ids) == 3
