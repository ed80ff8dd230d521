"""What it costs to tell a webhook who came into an audience: the function, and one POST a change without a design."""

from __future__ import annotations

import json
from itertools import batched
from typing import Any

from bench.aws_stub import AwsStub, metered
from bench.containers import DESTINATIONS, Container, publish
from bench.reasons import bundle_folder
from bench.receiver_stub import ReceiverStub
from bench.shop import shop_events
from bench.shop_day import stored_profiles
from bench.work import Inputs, Work
from shared.audiences.audience import Audience, Audiences, Publication, encode_publication
from shared.audiences.live_audiences import CURRENT_KEY
from shared.audiences.rules import Comparison, Literal
from shared.destinations.known_destinations import destination_key
from shared.destinations.messages import ENTERED, body
from shared.features import fold
from shared.identity.keys import customer_id
from shared.models.bundle import Bundle
from shared.profiles.item import encode_profile

_CHANGES = 600
_BATCH = 200
"""What a destination's queue hands over at once, as template.yaml says."""
_URL = "https://shop.example/hook"
_EVERYBODY = Comparison("=", Literal(1.0), Literal(1.0))
_AUDIENCE = Audience("win_back", "Win back", "1 = 1", _EVERYBODY, 1, destinations=("hook",))
# A receiver that takes a thousand a second: at the 50 of most, waiting is all that would be seen.
_DESTINATION = f"""
vendor = "webhook"
base_url = "{_URL}"
identify = {{id = "customer_id"}}
fields = {{segment = "segment.name", churn = "predictions.churn_probability", audiences = "audiences"}}
rate = {{calls = 100000, seconds = 100}}
"""
_SECRET = json.dumps({"signing_secret": "whsec_" + "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="})


class Deliveries:
    """Customers who came into an audience, one change each, as the queue of a destination brings them."""

    def __init__(self, inputs: Inputs) -> None:
        customers = min(inputs.customers, _CHANGES)
        stored = stored_profiles(fold(shop_events(customers)), Bundle.load(bundle_folder(inputs.purchases)))
        self.customers = [customer_id(profile.key) for profile in stored]
        self.aws = AwsStub({f"{DESTINATIONS}hook": _SECRET})
        self.aws.store(map(encode_profile, stored))
        self.receiver = ReceiverStub()
        records = [_record(number, customer) for number, customer in enumerate(self.customers)]
        self.batches = [{"Records": [*some]} for some in batched(records, _BATCH, strict=False)]


class Delivered(Deliveries):
    """The function that sends them."""

    def __init__(self, inputs: Inputs) -> None:
        super().__init__(inputs)
        publish(self.aws, bundle_folder(inputs.purchases))
        published = Publication(Audiences(1, (_AUDIENCE,)), "", "", "")
        self.aws.put_object(CURRENT_KEY, encode_publication(published))
        self.aws.put_object(destination_key("hook"), _DESTINATION.encode())
        self._function = Container("deliver", self.aws)
        self.run()  # what is asked for once in a container's life

    def run(self) -> list[Any]:
        """The answers of all invocations, nobody having been sent before."""
        self.aws.table.restore()
        self.receiver.requests.clear()
        with self._function.awake(), self.receiver.listening():
            return [self._function(batch) for batch in self.batches]


class Posted(Deliveries):
    """A POST for each message."""

    def __init__(self, inputs: Inputs) -> None:
        import requests

        super().__init__(inputs)
        self._session = requests.Session()

    def run(self) -> None:
        """All of them."""
        self.receiver.requests.clear()
        with self.receiver.listening():
            for batch in self.batches:
                for record in batch["Records"]:
                    told = json.loads(record["body"])["detail"]
                    self._session.post(_URL, json=told, timeout=20).raise_for_status()

    def run_at_once(self) -> None:
        """All of them in one."""
        self.receiver.requests.clear()
        with self.receiver.listening():
            told = [json.loads(record["body"])["detail"] for batch in self.batches for record in batch["Records"]]
            self._session.post(_URL, json=told, timeout=20).raise_for_status()


def deliver(inputs: Inputs) -> Work:
    """Send what is known of each customer, signed; keep what became of it, and look who changed meanwhile."""
    delivered = Delivered(inputs)
    return metered(delivered.run, len(delivered.customers), delivered.aws)


def deliver_naive(inputs: Inputs) -> Work:
    """Send what the messages say, by a Session of requests; nothing is looked up, signed or kept."""
    posted = Posted(inputs)
    return metered(posted.run, len(posted.customers), posted.aws)


def deliver_at_once(inputs: Inputs) -> Work:
    """The same in a single request."""
    posted = Posted(inputs)
    return metered(posted.run_at_once, len(posted.customers), posted.aws)


def _record(number: int, customer: str) -> dict[str, Any]:
    told = {
        "transition_id": f"{number:032x}",
        "customer_id": customer,
        "audience": _AUDIENCE.key,
        "audience_version": 1,
        "arm": "treatment",
        "at": "2017-12-31T18:22:10Z",
    }
    return {
        "messageId": f"message-{number}",
        "receiptHandle": "handle",
        "body": body("hook", ENTERED, told),
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1514744530000"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:hook",
        "awsRegion": "us-east-1",
    }
