from shared.insight.layout import ANSWERED, LATEST_RESULTS, RESULTS, report_key


def test_every_report_has_a_place_of_its_own() -> None:
    assert len({report_key(name) for name in ANSWERED}) == len(ANSWERED)
    assert LATEST_RESULTS.startswith(RESULTS)
