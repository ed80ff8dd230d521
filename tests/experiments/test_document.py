import json

from shared.durations import DAY_MS
from shared.experiments.assignment import Planned
from shared.experiments.document import document
from shared.experiments.results import Look
from tests.experiments.trials import rows, trial


def test_a_document_is_json_without_what_json_has_no_numbers_for() -> None:
    one = trial(rows(4_000, 0.2), rows(4_000, 0.1), planned=Planned(0.5, "given"))
    content = document([one, trial(rows(5, 0.2), rows(0, 0.0))], Look(90 * DAY_MS), "EUR")
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert (content["as_of"], content["currency"], content["level"]) == ("1970-04-01T00:00:00Z", "EUR", 0.05)
    first = content["results"][0]
    assert first["exposed"]["first"] == "1970-01-01T00:00:00Z"
    assert "log_e_value" not in json.dumps(content)
