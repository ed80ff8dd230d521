import pytest

from shared.destinations.contract import BadAccount
from tests.destinations.worlds import HUBSPOT, World


def test_a_destination_is_its_file_with_its_secret() -> None:
    destination = World().destination
    assert (destination.name, destination.vendor.name) == ("crm", "hubspot")
    assert destination.account.own("token") == "pat-test"
    assert destination.account.identify_by == "email"


def test_without_a_file_that_can_be_used_nothing_is_called() -> None:
    with pytest.raises(BadAccount, match="there is no file"):
        World().known.get("other", 0.0)
    with pytest.raises(BadAccount, match="cannot be used") as refusal:
        _ = World(file=b"vendor = 'hush'").destination
    assert "hush" not in str(refusal.value)


@pytest.mark.parametrize("secret", ["", "hush", "[]", '{"token": 1}', '{"other": "hush"}'])
def test_a_secret_that_is_none_is_not_shown(secret: str) -> None:
    with pytest.raises(BadAccount, match="its secret is no JSON") as refusal:
        _ = World(secret=secret).destination
    assert "hush" not in str(refusal.value)


def test_a_file_that_changes_counts_soon() -> None:
    world = World()
    before = world.known.get("crm", 0.0)
    world.known._object("crm")._s3.objects["destinations/crm.toml"] = b"moves = false\n" + HUBSPOT  # type: ignore[attr-defined]
    assert world.known.get("crm", 1.0).file == before.file
    assert not world.known.get("crm", 20.0).file.moves
