from shared.drift.layout import PREFIX, nights_key


def test_each_bundle_has_nights_of_its_own() -> None:
    assert nights_key("a") != nights_key("b")
    assert nights_key("a").startswith(PREFIX)
