"""People sign in to the dashboard of a deployed stack at its user pool, and may what their group is for."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from local.browser import browser
from local.stack import PACKED_TEMPLATE, Stack, redeploy
from tests.e2e.conftest import STACK_CLOCK, deployed_with_model, wait_until
from tests.e2e.rights import client
from tests.support.event_files import ndjson, purchase

pytestmark = pytest.mark.e2e

PASSWORD = "Correct-horse-7"
ROLES = ("viewer", "marketer", "operator")
PAGES = ("today", "segments", "customer/889", "audiences", "results", "predictions", "models", "data")
SECONDS = 120
PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with deployed_with_model() as deployed:
        body = ndjson([purchase("889", n) for n in range(5)])
        deployed.s3.put_object(Bucket=deployed.bucket, Key="events/all.ndjson", Body=body)
        wait_until(lambda: deployed.api_get("/customers/889/segment")[0] == 200, SECONDS)
        pool = user_pool(deployed)
        with_people = redeploy(deployed, PACKED_TEMPLATE, STACK_CLOCK, SignInDomain=deployed.endpoint, **pool)
        # The local AWS makes the API anew, under another address.
        come_back_to(with_people, pool, f"{with_people.api_url}/dashboard")
        yield with_people


def come_back_to(stack: Stack, pool: dict[str, str], page: str) -> None:
    """Lets the user pool lead back to an address of the page."""
    client(stack, "cognito-idp").update_user_pool_client(
        UserPoolId=pool["UserPoolArn"].rpartition("/")[2],
        ClientId=pool["SignInClient"],
        AllowedOAuthFlows=["code"],
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthScopes=["openid"],
        CallbackURLs=[page],
        LogoutURLs=[page],
        SupportedIdentityProviders=["COGNITO"],
    )


def user_pool(stack: Stack) -> dict[str, str]:
    """A user of each role; parameters of the template that let them sign in."""
    cognito = client(stack, "cognito-idp")
    pool = cognito.create_user_pool(PoolName="people")["UserPool"]
    app = cognito.create_user_pool_client(UserPoolId=pool["Id"], ClientName="dashboard", GenerateSecret=False)
    app = app["UserPoolClient"]
    for role in ROLES:
        cognito.create_group(UserPoolId=pool["Id"], GroupName=f"tessera-{role}")
        cognito.admin_create_user(UserPoolId=pool["Id"], Username=role, MessageAction="SUPPRESS")
        cognito.admin_set_user_password(UserPoolId=pool["Id"], Username=role, Password=PASSWORD, Permanent=True)
        cognito.admin_add_user_to_group(UserPoolId=pool["Id"], Username=role, GroupName=f"tessera-{role}")
    return {"UserPoolArn": pool["Arn"], "SignInClient": app["ClientId"]}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


def signed_in(chromium: Browser, stack: Stack, role: str, view: str) -> tuple[Page, list[str]]:
    """The dashboard at a view, after the user pool has asked who is there; and what the browser complained of."""
    complaints: list[str] = []
    page = chromium.new_page(locale="en-US")
    page.set_default_timeout(PATIENCE_MS)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(f"{stack.api_url}/dashboard#/{view}")
    page.locator("input[name=username]").fill(role)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("input[name=password]").press("Enter")
    page.wait_for_selector("main h1")
    return page, complaints


def call(page: Page, method: str, path: str, body: Any = None) -> int:
    """The status of a call with the token of the page's user."""
    script = """async ([method, path, body]) => {
        const kept = Object.keys(sessionStorage).find((key) => key.startsWith('oidc.user'));
        const token = JSON.parse(sessionStorage.getItem(kept)).id_token;
        const headers = {'content-type': 'application/json', authorization: token};
        return (await fetch(`.${path}`, {method, headers, body: body && JSON.stringify(body)})).status;
    }"""
    return int(page.evaluate(script, [method, path, body]))


@pytest.mark.parametrize("role", ROLES)
def test_each_role_signs_in_sees_every_page_and_may_what_it_is_for(stack: Stack, chromium: Browser, role: str) -> None:
    page, complaints = signed_in(chromium, stack, role, "models")
    assert page.url.endswith("/v1/dashboard#/models")
    for view in PAGES:
        page.evaluate("(view) => { location.hash = `#/${view}`; }", view)
        page.wait_for_load_state("networkidle")
        page.wait_for_selector(".waiting", state="detached")
        assert page.locator("main h1").count() == 1
    live = "20171001-aaaaaaaa"
    assert call(page, "PUT", "/audiences/all", {"where": "tenure >= 0"}) == (403 if role == "viewer" else 200)
    assert call(page, "GET", "/quarantine/lines") == (200 if role == "operator" else 403)
    asked = {"to": "20170101-00000000", "from": live}
    assert call(page, "POST", "/models/rollback", asked) == (404 if role == "operator" else 403)
    assert call(page, "DELETE", "/customers/nobody") == (202 if role == "operator" else 403)
    assert [one for one in complaints if "40" not in one] == []
    page.close()


def test_without_a_token_the_api_answers_nobody(stack: Stack, chromium: Browser) -> None:
    page = chromium.new_page()
    page.goto(f"{stack.api_url}/dashboard/config.json")
    status = page.evaluate("async () => (await fetch('../segments')).status")
    assert status == 401
    page.close()
