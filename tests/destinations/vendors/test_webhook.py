import base64
import json

import pytest

from shared.destinations.contract import Answer, BadAccount
from shared.destinations.vendors.webhook import VENDOR, signature
from tests.destinations.accounts import NOW_MS, account, record, said
from tests.support.vendors.webhook import SECRET, Receiver

ACCOUNT = account(VENDOR, "id", {"signing_secret": SECRET})


def test_the_signature_is_that_of_the_standards_own_example() -> None:
    # From the specification's test vectors, as its libraries have them.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    made = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_receiver_that_checks_takes_the_newest_and_each_once() -> None:
    receiver = Receiver()
    new, old = record("889", 2, segment="Loyal"), record("889", 1, segment="New")
    for one in (new, new, old):
        answer = receiver(VENDOR.upsert(ACCOUNT, [one], NOW_MS))
        assert said(VENDOR, [one], answer) == [("accepted", "")]
    assert receiver.customers["889"]["fields"] == {"segment": "Loyal"}
    assert len(receiver.effects) == 2


def test_while_a_secret_is_replaced_both_sign() -> None:
    both = account(VENDOR, "id", {"signing_secret": f"whsec_{base64.b64encode(b'k' * 24).decode()} {SECRET}"})
    request = VENDOR.upsert(both, [record("889")], NOW_MS)
    assert request.headers["webhook-signature"].count("v1,") == 2
    assert Receiver()(request).status == 204


@pytest.mark.parametrize("secret", ["", "plain", "whsec_", "whsec_!!", "whsec_QUJD", "A" * 40])
def test_a_secret_that_is_none_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(BadAccount) as refusal:
        VENDOR.upsert(account(VENDOR, "id", {"signing_secret": f"{SECRET} {secret or 'x'}"}), [record("889")], NOW_MS)
    assert SECRET not in str(refusal.value)


def test_whatever_is_not_taken_comes_again() -> None:
    for status in (301, 400, 404, 410, 429, 500):
        ((state, reason),) = said(VENDOR, [record("889")], Answer(status, body=b'{"error": "no"}'))
        assert (state, reason) == ("again", f"status {status} no")


def test_an_erasure_is_told() -> None:
    receiver = Receiver()
    receiver(VENDOR.upsert(ACCOUNT, [record("889")], NOW_MS))
    assert VENDOR.erase
    request = VENDOR.erase(ACCOUNT, "889", NOW_MS)
    assert receiver(request).status == 204
    assert receiver.erased == ["889"]
    assert receiver.customers == {}
    assert json.loads(request.body)["type"] == "customer.erased"
