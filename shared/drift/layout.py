"""Where in the data bucket nights stand; the latest report is among those of `shared/insight/layout.py`."""

PREFIX = "reports/drift/"


def nights_key(bundle_id: str) -> str:
    """The nights of a bundle."""
    return f"{PREFIX}{bundle_id}.json"
