from shared.models.layout import POINTER_KEY, bundle_key
from shared.models.manifests import live_bundle_id


def test_each_bundle_has_a_folder_and_the_pointer_stands_beside_them() -> None:
    assert bundle_key("20171001-aaaaaaaa", "bundle.onnx") == "models/20171001-aaaaaaaa/bundle.onnx"
    assert POINTER_KEY == "models/current.json"


def test_no_bundle_is_called_as_the_pointer_would_be_overwritten_by() -> None:
    assert live_bundle_id(b'{"bundle_id": "current.json"}') == "current.json"
    assert bundle_key("current.json", "manifest.json") != POINTER_KEY
