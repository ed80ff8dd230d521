import pytest

from shared.reasons.wording import format_value, sentence

NAN = float("nan")


@pytest.mark.parametrize(
    ("name", "value", "typical", "text"),
    [
        ("days_since_order", 47.0, 9.0, "no order for 47 days; typical for Loyal regulars: 9"),
        ("days_since_order", 1.0, None, "no order for 1 day; typical for Loyal regulars: none"),
        ("days_since_order", NAN, 9.0, "no order yet; typical for Loyal regulars: 9 days"),
        ("orders_30d", 2.0, 3.5, "orders in the last 30 days: 2; typical for Loyal regulars: 3.5"),
        (
            "mobile_share_365d",
            0.25,
            0.5,
            "share of visits on a mobile in the last 365 days: 25%; typical for Loyal regulars: 50%",
        ),
    ],
)
def test_a_feature_is_told_beside_what_is_typical(name: str, value: float, typical: float | None, text: str) -> None:
    assert sentence(name, value, typical, "Loyal regulars") == text


def test_nothing_is_said_of_a_group_that_nothing_is_known_of() -> None:
    assert sentence("orders_30d", 2.0, None, None) == "orders in the last 30 days: 2"


def test_a_value_that_is_undefined_is_none() -> None:
    assert format_value("currency", NAN) == "none"
