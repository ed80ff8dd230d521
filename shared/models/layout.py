"""Where published bundles stand in the data bucket: each in a folder of its own, and what names the live one."""

PREFIX = "models/"
POINTER_KEY = f"{PREFIX}current.json"
"""Holds the id of the live bundle."""
ONNX_FILE = "bundle.onnx"
MANIFEST_FILE = "manifest.json"
DISTRIBUTION_FILE = "distribution.json"
"""What customers and days were like in training; bundles of before have none."""


def bundle_key(bundle_id: str, name: str) -> str:
    """The key of one of a bundle's files."""
    return f"{PREFIX}{bundle_id}/{name}"
