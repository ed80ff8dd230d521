from dataclasses import replace

import pytest

from shared.destinations.contract import Answer, Request
from shared.destinations.delivering import BROKEN_OFF_MS
from shared.destinations.messages import ENTERED, LEFT, WANTED, Message
from shared.destinations.sending import Unanswered, signed
from shared.destinations.vendors.ses import VENDOR
from tests.destinations.accounts import NOW_MS, account, record, said
from tests.destinations.worlds import World, message
from tests.support.vendors.ses import Ses

ACCOUNT = account(
    VENDOR, "email", {}, base_url="https://email.eu-west-1.amazonaws.com", template="t", **{"from": "a@s"}
)
FILE = b"""
vendor = "ses"
base_url = "https://email.eu-west-1.amazonaws.com"
identify = {email = "customer_id"}
fields = {segment = "segment.id"}
options = {from = "shop@shop.example", template = "win-back"}
"""


def entered(customer: str, number: int = 1, receives: int = 1) -> Message:
    return message(customer, number, ENTERED, receives, audience="win_back", arm="treatment")


def world(vendor: object = None) -> World:
    made = World(vendor=vendor or Ses(), file=FILE, secret="none is needed")  # type: ignore[arg-type]
    made.store("a@x", "b@x")
    return made


def test_who_enters_gets_an_e_mail_of_the_template_and_nobody_else() -> None:
    mail = world()
    others = [message("a@x", 5), message("a@x", 6, LEFT, audience="win_back"), message("b@x", 7, WANTED)]
    mail.deliver(entered("a@x"), *others)
    assert isinstance(mail.vendor, Ses)
    assert mail.vendor.sent == [("a@x", {"segment": 1})]
    assert mail.states("b@x") == []


def test_what_comes_twice_is_sent_once_and_who_changes_meanwhile_gets_one() -> None:
    mail = world()
    mail.before_answer = lambda: mail.store("a@x", segment=2, version=2)
    mail.deliver(entered("a@x"))
    mail.deliver(entered("a@x", receives=2))
    assert isinstance(mail.vendor, Ses)
    assert len(mail.vendor.sent) == 1


def test_what_may_have_been_sent_is_not_sent_again() -> None:
    mail = world()

    def lost() -> None:
        raise Unanswered("ReadTimeoutError")

    mail.before_answer = lost
    assert mail.deliver(entered("a@x")).again == set()
    assert mail.states("a@x") == [("rejected", "no answer (ReadTimeoutError): whether it was sent is not known")]
    mail.deliver(entered("a@x", receives=2))
    assert len(mail.requests) == 1
    failing = world(lambda request: Answer(500))
    failing.deliver(entered("a@x"))
    assert failing.states("a@x") == [("rejected", "status 500: whether it was sent is not known")]


def test_what_was_not_sent_is_tried_again() -> None:
    mail = world(Ses(statuses={"a@x": "ACCOUNT_THROTTLED"}))
    assert mail.deliver(entered("a@x"), entered("b@x")).again == {"m-a@x-1"}
    assert mail.states("a@x") == [("waiting", "ACCOUNT_THROTTLED: because")]
    mail.vendor = Ses()
    mail.deliver(entered("a@x", receives=2))
    assert mail.states("a@x") == [("accepted", "")]


def test_of_two_functions_that_have_the_same_message_one_sends() -> None:
    mail = world()
    other = world(mail.vendor)
    other.table.items = mail.table.items
    again: list[set[str]] = []
    mail.before_answer = lambda: again.append(other.deliver(entered("a@x")).again)
    mail.deliver(entered("a@x"))
    assert again == [{"m-a@x-1"}]
    assert isinstance(mail.vendor, Ses)
    assert len(mail.vendor.sent) == 1


def test_a_function_that_broke_off_leaves_a_row_that_says_so_in_the_end() -> None:
    mail = world()

    def killed() -> None:
        raise KeyboardInterrupt

    mail.before_answer = killed
    with pytest.raises(KeyboardInterrupt):
        mail.deliver(entered("a@x"))
    assert mail.states("a@x") == [("sending", "")]
    assert mail.deliver(entered("a@x", receives=2)).again == {"m-a@x-1"}
    mail.now_ms += BROKEN_OFF_MS
    assert mail.deliver(entered("a@x", receives=3)).again == set()
    assert mail.states("a@x") == [("rejected", "it broke off: whether it was sent is not known")]


def test_rows_are_told_apart_and_a_batch_that_is_refused_is_tried_apart() -> None:
    ses = Ses(statuses={"b@x": "MESSAGE_REJECTED"})
    records = [record("a@x"), record("b@x")]
    answer = ses(VENDOR.upsert(ACCOUNT, records, NOW_MS))
    assert said(VENDOR, records, answer) == [("accepted", ""), ("rejected", "MESSAGE_REJECTED: because")]
    assert said(VENDOR, records, Answer(400, body=b'{"message": "bad"}')) == [("apart", "bad")] * 2
    assert said(VENDOR, records, Answer(429))[0][0] == "again"
    assert said(VENDOR, records, Answer(200, body=b"{}"))[0][0] == "rejected"


def test_calls_are_signed_for_the_region_that_the_address_names() -> None:
    request = VENDOR.upsert(ACCOUNT, [record("a@x")], NOW_MS)
    headers = signed(request)
    assert "/eu-west-1/ses/aws4_request" in headers["Authorization"]
    assert headers["content-type"] == "application/json"
    elsewhere: Request = replace(request, url="https://email.ap-southeast-2.amazonaws.com/v2")
    assert "/ap-southeast-2/ses/" in signed(elsewhere)["Authorization"]
