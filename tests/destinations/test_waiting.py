from collections.abc import Callable
from typing import Any

from shared.destinations.delivering import MOST_RECEIVES
from shared.destinations.waiting import MOST_SECONDS, Queues, delay_seconds, delays
from tests.destinations.worlds import message
from tests.support.template import template


def test_waits_double_up_to_an_hour_and_are_not_in_step() -> None:
    for receives, seconds in ((1, 30), (2, 60), (5, 480), (8, 3_600), (80, 3_600)):
        waits = {delay_seconds(receives) for _ in range(200)}
        assert seconds <= min(waits) <= max(waits) <= seconds * 1.2
        assert len(waits) > 1


def test_a_vendor_who_asks_for_longer_gets_it_as_far_as_queues_can() -> None:
    assert 7_200 <= delay_seconds(1, 7_200_000) <= 8_640
    assert delay_seconds(1, 10**9) == MOST_SECONDS


def test_tries_go_on_for_days_and_the_queue_gives_up_when_the_rows_say_so() -> None:
    assert 3 <= sum(delay_seconds(n) for n in range(1, MOST_RECEIVES + 1)) / 86_400 <= 4
    queue = template()["Resources"]["Destination1Queue"]["Properties"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] == MOST_RECEIVES
    assert queue["MessageRetentionPeriod"] == 14 * 86_400


def test_messages_are_hidden_ten_a_call_and_questions_come_later() -> None:
    calls: list[Any] = []

    class Sqs:
        def get_queue_url(self, **request: Any) -> Any:
            calls.append(request)
            return {"QueueUrl": f"https://sqs/{request['QueueName']}"}

        def change_message_visibility_batch(self, **request: Any) -> None:
            calls.append([entry["ReceiptHandle"] for entry in request["Entries"]])

        def send_message(self, **request: Any) -> None:
            calls.append(request)

    sqs: Any = Sqs()
    queues = Queues(sqs)
    arn = "arn:aws:sqs:eu-west-1:1:crm"
    queues.hide(arn, delays([message(f"c{i}") for i in range(12)], 0))
    queues.ask(arn, ["{}"], 60)
    assert calls[0] == {"QueueName": "crm"}
    assert [len(call) for call in calls[1:3]] == [10, 2]
    assert calls[3] == {"QueueUrl": "https://sqs/crm", "MessageBody": "{}", "DelaySeconds": 60}


class Holding:
    """A queue of messages, which now and then answers with none."""

    def __init__(self, messages: int, empty: int = 0) -> None:
        self.left = messages
        self.empty = empty
        self.deleted: list[str] = []
        self.asked = 0

    def get_queue_url(self, **_: Any) -> Any:
        return {"QueueUrl": "https://sqs/crm"}

    def get_queue_attributes(self, **_: Any) -> Any:
        return {"Attributes": {"ApproximateNumberOfMessages": str(self.left)}}

    def receive_message(self, **request: Any) -> Any:
        self.asked += 1
        if self.empty:
            self.empty -= 1
            return {}
        some = range(self.left - min(self.left, request["MaxNumberOfMessages"]), self.left)
        self.left -= len(some)
        attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": "0"}
        one = {"Body": "{}", "Attributes": attributes}
        return {"Messages": [{"MessageId": f"m{i}", "ReceiptHandle": f"h{i}", **one} for i in some]}

    def delete_message_batch(self, **request: Any) -> None:
        assert len(request["Entries"]) <= 10
        self.deleted += [entry["ReceiptHandle"] for entry in request["Entries"]]


def taken(sqs: Any, most: int, go_on: Callable[[], bool] = lambda: True) -> int:
    return len([*Queues(sqs).take("arn:aws:sqs:eu-west-1:1:crm", most, go_on)])


def test_no_more_is_taken_than_asked_for_than_there_is_and_than_there_is_time_for() -> None:
    assert taken(Holding(40), 25) == 25
    assert taken(Holding(12, empty=2), 25) == 12
    assert taken(Holding(12, empty=3), 25) == 0
    assert taken(Holding(40), 25, iter([True, True, False]).__next__) == 20
    full = Holding(40)
    assert taken(full, 0) == full.asked == 0


def test_what_is_done_is_deleted_ten_a_call() -> None:
    sqs: Any = Holding(7)
    queues = Queues(sqs)
    assert queues.waiting("arn:aws:sqs:eu-west-1:1:crm") == 7
    queues.delete("arn:aws:sqs:eu-west-1:1:crm", [f"h{i}" for i in range(23)])
    assert len(sqs.deleted) == 23
