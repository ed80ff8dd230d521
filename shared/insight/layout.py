"""Where in the data bucket results and reports are."""

RESULTS = "reports/results/"
LATEST_RESULTS = f"{RESULTS}latest.json"
INSIGHT = "reports/insight/"
REPORTS = ("calibration", "demand", "flows", "retention", "revenue", "sizes")
"""The reports that there are, by name."""


def report_key(name: str) -> str:
    """The object of a report."""
    return f"{INSIGHT}{name}.json"
