"""Names of columns that can hold events, and what is said of others without repeating them."""

import pytest

from shared.events.streams import UnreadableFile
from shared.events.tables import check_names


@pytest.mark.parametrize(
    "names", [["event_type", "timestamp"], ["type", "userId"], ["event_name", "event_timestamp", "jane@example.com"]]
)
def test_columns_of_the_contract_or_of_a_dialect_are_taken(names: list[str]) -> None:
    check_names(names)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["timestamp", "jane"], "it has no column event_type, but 2 columns, of the contract's timestamp"),
        (["event_type;timestamp"], "semicolons separate values where commas must"),
        (
            ["event_type", "timestamp", "price", "price", "jane", "jane"],
            "it names price, 1 other column more than once",
        ),
    ],
)
def test_other_columns_are_refused_without_their_names(names: list[str], reason: str) -> None:
    with pytest.raises(UnreadableFile, match=reason) as refused:
        check_names(names)
    assert "jane" not in str(refused.value)
