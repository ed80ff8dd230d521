"""E-mails by the local AWS's SES, with the rights that functions have and no others."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.request import urlopen

import pytest

from local.emulator import REGION
from local.stack import Stack
from shared.destinations.deliveries import SENDING
from shared.destinations.known_destinations import CHECK_EVERY_SECONDS
from tests.e2e.acting_stories import deliveries
from tests.e2e.conftest import deployed_with_model, wait_until
from tests.e2e.looks import SECONDS, put
from tests.e2e.rights import Caller, client, functions_roles, used
from tests.support.event_files import purchase

pytestmark = pytest.mark.e2e

SHOP, OTHER = "shop.example", "other.example"
IDENTITY = f"arn:aws:ses:{REGION}:000000000000:identity/{SHOP}"
CUSTOMER = "ann@customers.example"
MAIL = """
vendor = "ses"
base_url = "{address}"
identify = {{email = "customer_id"}}
options = {{from = "{sender}", template = "hello"}}
[fields]
segment = "segment.name"
"""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with deployed_with_model(Destinations="mail", MailIdentityArn=IDENTITY) as deployed:
        mail = client(deployed, "sesv2")
        for domain in (SHOP, OTHER):
            mail.create_email_identity(EmailIdentity=domain)
        content = {"Subject": "Hello", "Text": "You are of {{segment}}."}
        mail.create_email_template(TemplateName="hello", TemplateContent=content)
        sends_from(deployed, f"hello@{SHOP}")
        yield deployed


def sends_from(stack: Stack, sender: str) -> None:
    put(stack, "destinations/mail.toml", MAIL.format(address=stack.endpoint, sender=sender).encode())


def enters(stack: Stack, customer: str) -> None:
    """Somebody buys, which is what the audience is of."""
    assert stack.api("POST", "/events", {"events": [purchase(customer)]})[0] == 202
    wait_until(lambda: stack.api_get(f"/customers/{customer}/segment")[0] == 200, SECONDS)


def sent(stack: Stack) -> list[Any]:
    """E-mails that the local AWS has sent."""
    with urlopen(f"{stack.endpoint}/_ministack/ses/messages") as answer:
        mailbox = json.loads(answer.read())
    return [message for messages in mailbox["messages"].values() for message in messages]


def states(stack: Stack, customer: str) -> list[str]:
    return [row["state"] for row in deliveries(stack, customer)]


def bulk(sender: str, template: str = "hello") -> Callable[[Any], object]:
    entry = {"Destination": {"ToAddresses": ["x@customers.example"]}}
    content = {"Template": {"TemplateName": template, "TemplateData": "{}"}}
    return lambda mail: mail.send_bulk_email(FromEmailAddress=sender, DefaultContent=content, BulkEmailEntries=[entry])


def test_who_enters_an_audience_gets_an_e_mail_by_the_functions_own_right(stack: Stack) -> None:
    definition = {"where": "orders(3650) > 0", "holdout": 0.0, "destinations": ["mail"], "why": "a test"}
    assert stack.api("PUT", "/audiences/buyers", definition)[0] == 200
    enters(stack, CUSTOMER)
    wait_until(lambda: bool(sent(stack)), SECONDS)
    (message,) = sent(stack)
    assert (message["Source"], message["To"], message["Subject"]) == (f"hello@{SHOP}", [CUSTOMER], "Hello")
    segment = stack.api_get(f"/customers/{CUSTOMER}/segment")[1]["segment"]["name"]
    assert message["BodyText"] == f"You are of {segment}."
    wait_until(lambda: states(stack, CUSTOMER) == ["accepted"], SECONDS)
    assert ("DeliverRole", "ses:SendBulkEmail") in used(stack)


def test_from_another_identity_nothing_is_sent_though_it_is_verified(stack: Stack) -> None:
    before = len(sent(stack))
    sends_from(stack, f"hello@{OTHER}")
    time.sleep(CHECK_EVERY_SECONDS + 1)
    enters(stack, "bob@customers.example")
    wait_until(lambda: states(stack, "bob@customers.example") not in ([], [SENDING]), SECONDS)
    (row,) = deliveries(stack, "bob@customers.example")
    assert row["state"] == "waiting"
    assert row["reason"].startswith("403")
    assert len(sent(stack)) == before


def test_only_what_sends_may_and_only_from_the_shops_own_identity(stack: Stack) -> None:
    roles = functions_roles(stack)
    deliver = Caller(stack, roles.pop("DeliverRole"))
    assert not deliver.is_refused("sesv2", bulk(f"hello@{SHOP}"))
    assert deliver.is_refused("sesv2", bulk(f"hello@{OTHER}"))
    assert deliver.is_refused("sesv2", bulk(f"hello@mail.{SHOP}"))
    changes: tuple[Callable[[Any], object], ...] = (
        lambda mail: mail.delete_email_template(TemplateName="hello"),
        lambda mail: mail.create_email_identity(EmailIdentity="third.example"),
        lambda mail: mail.list_email_identities(),
        lambda mail: mail.send_email(
            FromEmailAddress=f"hello@{SHOP}",
            Destination={"ToAddresses": ["x@customers.example"]},
            Content={"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}},
        ),
    )
    assert [number for number, change in enumerate(changes) if not deliver.is_refused("sesv2", change)] == []
    others = [
        name for name, role in roles.items() if not Caller(stack, role).is_refused("sesv2", bulk(f"hello@{SHOP}"))
    ]
    assert others == []
