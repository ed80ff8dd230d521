"""The way back to an earlier bundle, over moto."""

import json
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from shared.models import switching
from shared.models.switching import FILES, live, switch
from tests.conftest import BUCKET
from tests.functions.conftest import Context, function
from tests.support.document import check_answer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OLD, NEW = "20170801-aaaaaaaa", "20170901-bbbbbbbb"
ROUTE = "/models/rollback"


@pytest.fixture
def app(s3: "S3Client", monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    for bundle_id in (OLD, NEW):
        for name in FILES:
            s3.put_object(Bucket=BUCKET, Key=f"models/{bundle_id}/{name}", Body=b"{}")
        switch(s3, BUCKET, live(s3, BUCKET), bundle_id, "2017-10-01T00:00:00Z")
    return function("roll_back_model", monkeypatch)


def roll_back(app: ModuleType, **body: Any) -> tuple[int, Any]:
    request = {
        "resource": ROUTE, "path": ROUTE, "httpMethod": "POST", "headers": {}, "body": json.dumps(body),
        "requestContext": {"requestId": "r"},
    }  # fmt: skip
    answer = app.handler(request, Context())
    content = json.loads(answer["body"])
    check_answer("POST", ROUTE, answer["statusCode"], content)
    return answer["statusCode"], content.get("error", {}).get("code", content)


def test_the_earlier_one_is_live_again_and_the_switch_is_remembered(app: ModuleType, s3: "S3Client") -> None:
    assert roll_back(app, **{"to": OLD, "from": NEW}) == (200, {"bundle_id": OLD, "previous": NEW})
    now = live(s3, BUCKET)
    assert (now.bundle_id, now.content["rolled_back_from"]) == (OLD, NEW)
    assert [one["bundle_id"] for one in now.content["history"]] == [OLD, NEW, OLD]


def test_asked_again_it_changes_nothing(app: ModuleType, s3: "S3Client") -> None:
    roll_back(app, **{"to": OLD, "from": NEW})
    before = live(s3, BUCKET)
    assert roll_back(app, **{"to": OLD, "from": OLD})[0] == 200
    assert live(s3, BUCKET) == before


@pytest.mark.parametrize("target", ["20170701-cccccccc", "../20170801-aaaaaaaa", "", None, 7, [], {}])
def test_what_is_no_whole_bundle_does_not_go_live(app: ModuleType, s3: "S3Client", target: Any) -> None:
    assert roll_back(app, **{"to": target, "from": NEW}) == (404, "bundle_not_found")
    assert live(s3, BUCKET).bundle_id == NEW


def test_whoever_looked_at_another_live_bundle_has_to_look_again(app: ModuleType, s3: "S3Client") -> None:
    assert roll_back(app, **{"to": OLD, "from": "20170701-cccccccc"}) == (409, "overtaken")
    assert live(s3, BUCKET).bundle_id == NEW


def test_who_is_overtaken_in_between_changes_nothing(
    app: ModuleType, s3: "S3Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(*_: Any, **__: Any) -> Any:
        raise switching.Overtaken

    monkeypatch.setattr(app, "switch", overtaken)
    assert roll_back(app, **{"to": OLD, "from": NEW}) == (409, "overtaken")


def test_a_damaged_pointer_is_said(app: ModuleType, s3: "S3Client") -> None:
    s3.put_object(Bucket=BUCKET, Key="models/current.json", Body=b"[")
    assert roll_back(app, **{"to": OLD, "from": NEW}) == (409, "pointer_damaged")
