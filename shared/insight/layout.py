"""Where in the data bucket results and reports are."""

RESULTS = "reports/results/"
LATEST_RESULTS = f"{RESULTS}latest.json"
INSIGHT = "reports/insight/"
REPORTS = ("calibration", "demand", "flows", "retention", "revenue", "sizes")
"""The reports that are measured of each night's export, by name."""
DRIFT = "drift"
"""The report of what is not as it was in training, which another function makes after them."""
ANSWERED = (*REPORTS, DRIFT)
"""The reports that there are."""


def report_key(name: str) -> str:
    """The object of a report."""
    return f"{INSIGHT}{name}.json"
