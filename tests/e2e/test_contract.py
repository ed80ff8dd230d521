"""The deployed API answers as its document says, whatever it is asked."""

from collections.abc import Iterator
from functools import partial

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from requests.auth import AuthBase

from local.emulator import REGION
from local.stack import Stack
from tests.e2e.conftest import wait_until
from tests.support.contract import CHECKS, Request, requests_of
from tests.support.event_files import purchase

pytestmark = pytest.mark.e2e

api = requests_of(examples=20)


class Signed(AuthBase):
    """Signs requests as an IAM user."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        signed = AWSRequest(str(request.method), str(request.url), data=request.body)
        SigV4Auth(self._credentials, "execute-api", REGION).add_auth(signed)
        request.headers.update(dict(signed.headers))
        return request


@pytest.fixture(scope="module")
def caller(stack: Stack) -> Iterator[requests.Session]:
    """Who may call the API of a shop whose customer "0" has been in two segments."""
    for moves, orders in ((1, 1), (2, 12)):
        events = [purchase("0", n, day=n + 1) for n in range(orders)]
        assert stack.api("POST", "/events", {"events": events})[0] == 202
        wait_until(partial(_has_moved, stack, moves))
    with requests.Session() as session:
        yield session


def _has_moved(stack: Stack, times: int) -> bool:
    return len(stack.api_get("/customers/0/history")[1].get("transitions", ())) == times


@api.parametrize()
def test_every_answer_is_one_that_the_document_allows(case: Request, stack: Stack, caller: requests.Session) -> None:
    auth = Signed(stack.emulator.credentials)
    case.call_and_validate(base_url=stack.api_url, session=caller, auth=auth, checks=CHECKS)
