import json
from typing import Any

import pytest

from shared.destinations.messages import ERASED, body, read
from shared.erasure.elsewhere import NotTold, telling
from shared.erasure.receipts import Step
from tests.destinations.worlds import queued

STEP = Step("receipt", "customer#889", 1, 2, name="erase", again=True)


class Bus:
    """Takes entries, and refuses as many as it is told to."""

    def __init__(self, refuses: int = 0) -> None:
        self.entries: list[Any] = []
        self.refuses = refuses

    def put_events(self, Entries: list[Any]) -> Any:
        self.entries += Entries
        return {"FailedEntryCount": self.refuses}


def test_each_destination_is_told_by_which_name_it_knows_the_customer() -> None:
    bus: Any = Bus()
    telling(bus, "bus")(STEP, [(f"crm{i}", f"{i}@x.example") for i in range(12)])
    details = [json.loads(entry["Detail"]) for entry in bus.entries]
    assert [(detail["destinations"], detail["id"]) for detail in details][:2] == [
        (["crm0"], "0@x.example"),
        (["crm1"], "1@x.example"),
    ]
    assert len(details) == 12
    assert {(entry["Source"], entry["DetailType"], entry["EventBusName"]) for entry in bus.entries} == {
        ("tessera", ERASED, "bus")
    }
    message = read(queued(body("crm0", ERASED, details[0])))
    assert message.customer_id == "889"


def test_a_bus_that_refuses_makes_the_step_come_again() -> None:
    bus: Any = Bus(refuses=1)
    with pytest.raises(NotTold):
        telling(bus, "bus")(STEP, [("crm", "x")])
