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
