"""From a stated size on, what is learned is learned by a job, which is begun once and may do no more than people do."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.conftest import BUCKET
from tests.support.emr import Emr
from tests.training.conftest import Shop
from tests.training.data.test_stored import put_snapshot
from tests.training.test_learn import DAY, bus, report  # noqa: F401  # a fixture
from training import learn
from training.learn import main
from training.registry import jobs, packed
from training.registry.packed import ENTRY, PACKED, pack
from training.registry.published import Registry

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROLE = "arn:aws:iam::123456789012:role/tessera-spark"


@pytest.fixture
def emr(s3: "S3Client", shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emr]:
    """EMR Serverless, whose jobs run the command in this process, up to where it trains."""
    put_snapshot(s3, DAY, shop.profiles)
    monkeypatch.setattr(jobs, "LOOK_EVERY_SECONDS", 0)
    monkeypatch.setattr(packed, "write", lambda path, checkout: path.write_bytes(b"an environment"))
    monkeypatch.setattr(learn, "learn", learned)
    service = Emr(lambda arguments: main(arguments[1:]))
    with service.answering(boto3.client("emr-serverless")):
        yield service


def learned(registry: Registry, *_: Any) -> dict[str, Any]:
    """As if a snapshot had been learned from; test_learn.py learns, and test_spark.py by Spark."""
    gains: dict[str, float] = {}
    report = {"snapshot": DAY, "bundle_id": "b", "live_before": None, "publish": True, "why": "better", "gains": gains}
    learn._keep(registry, report | {learn.TOLD: None})
    return report | {learn.TOLD: None}


def given(shop: Shop, *more: str, at_least: int = 0) -> list[str]:
    from_size = str(at_least or len(shop.profiles))
    return ["--bucket", BUCKET, "--spark-from", from_size, "--application", "00f1", "--job-role", ROLE, *more]


def test_below_the_size_no_job_is_begun(emr: Emr, shop: Shop, s3: "S3Client") -> None:
    assert main(given(shop, at_least=len(shop.profiles) + 1)) == 0
    assert emr.jobs == []
    assert report(s3)["publish"]


def test_from_the_size_on_a_job_learns_and_the_bus_is_told(
    emr: Emr,
    shop: Shop,
    s3: "S3Client",
    bus: Any,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    emr.failing = [(429, "ThrottlingException"), (500, "InternalServerException")]
    assert main(given(shop, "--bus", "news", "--least-gain", "0.5")) == 0
    (job,) = emr.jobs
    release = pack(Registry(s3, BUCKET)).release
    asked = {name: job.asked[name] for name in ("name", "clientToken", "executionRoleArn")}
    assert asked == {"name": f"learn-{DAY}", "clientToken": f"learn-{DAY}-{release}-0", "executionRoleArn": ROLE}
    submitted = job.asked["jobDriver"]["sparkSubmit"]
    command = [f"--bucket={BUCKET}", "--least-gain=0.5", "--margin=0.05", "--engine=spark"]
    assert submitted["entryPointArguments"] == ["learn", *command]
    assert submitted["entryPoint"] == f"s3://{BUCKET}/{PACKED}{release}/{ENTRY}"
    archive = f"s3://{BUCKET}/{PACKED}{release}/environment.tar.gz#environment"
    assert f"--conf spark.archives={archive} " in submitted["sparkSubmitParameters"]
    assert (report(s3)["publish"], report(s3)["told"]) == (True, "news")
    assert [one["detail-type"] for one in bus()] == ["Model Learned"]
    said = capsys.readouterr().out
    assert [line for line in said.splitlines() if line.startswith("job job0: ")] == [
        "job job0: RUNNING",
        "job job0: SUCCESS",
    ]

    # What was learned from is not learned from again, whoever did it.
    assert main(given(shop, "--bus", "news")) == 0
    assert (len(emr.jobs), bus()) == (1, [])


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED"])
def test_a_job_that_does_not_end_well_is_said_and_the_next_begins_another(
    emr: Emr,
    shop: Shop,
    s3: "S3Client",
    bus: Any,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    state: str,
) -> None:
    emr.states = ["RUNNING", state]
    assert main(given(shop, "--bus", "news")) == 2
    assert f"error: job job0 of application 00f1 ended as {state}: its log says why" in capsys.readouterr().err
    assert bus() == []
    with pytest.raises(ClientError):
        report(s3)
    emr.states = ["RUNNING", "SUCCESS"]
    assert main(given(shop, "--bus", "news")) == 0
    assert [job.asked["clientToken"][-2:] for job in emr.jobs] == ["-0", "-1"]
    assert report(s3)["publish"]


def test_what_is_killed_while_it_waits_follows_the_same_job_when_it_is_given_again(
    emr: Emr,
    shop: Shop,
    s3: "S3Client",
    bus: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    emr.failing = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        main(given(shop, "--bus", "news"))
    assert main(given(shop, "--bus", "news")) == 0
    assert len(emr.jobs) == 1
    assert [one["detail-type"] for one in bus()] == ["Model Learned"]


def test_what_is_killed_before_it_knows_of_its_job_gets_the_same(
    emr: Emr, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(given(shop)) == 0
    (job,) = emr.jobs
    # As if the list did not tell of it yet.
    monkeypatch.setattr(jobs.Jobs, "_runs", lambda *_: [])
    assert main(given(shop, "--again")) == 0
    assert emr.jobs == [job]


def test_news_of_a_job_that_were_not_told_are_told_by_the_next(
    emr: Emr,
    shop: Shop,
    s3: "S3Client",
    bus: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(learn, "_announce", broken)
        with pytest.raises(KeyboardInterrupt):
            main(given(shop, "--bus", "news"))
    assert main(given(shop, "--bus", "news")) == 0
    assert [one["detail-type"] for one in bus()] == ["Model Learned"]
    assert len(emr.jobs) == 1


def test_a_service_that_refuses_is_told_of_in_a_line(emr: Emr, shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    emr.failing = [(403, "AccessDeniedException")]
    assert main(given(shop)) == 2
    assert "error: application 00f1: An error occurred (AccessDeniedException)" in capsys.readouterr().err


def test_what_a_job_cannot_be_given_is_said_before_it_begins(
    emr: Emr, shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--bucket", BUCKET, "--spark-from", "1"]) == 2
    assert "needs --application and --job-role" in capsys.readouterr().err
    assert main(given(shop, "--config", str(shop.config))) == 2
    assert "a job trains as the live bundle was trained" in capsys.readouterr().err
    assert emr.jobs == []
