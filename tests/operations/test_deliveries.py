import base64
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from operations import deliveries
from operations.stack import DeployedStack
from shared.audiences.audience import Publication, encode_publication
from shared.decisions.audience_moves import AudienceMove
from shared.decisions.transitions import Cause, Transition
from shared.destinations.deliveries import REJECTED, Deliveries, Delivery
from shared.destinations.messages import WANTED
from shared.ledger.audience_rows import AudienceLedger
from shared.ledger.rows import Ledger
from shared.profiles.item import encode_profile
from tests.conftest import BUCKET, TABLE
from tests.destinations.worlds import HUBSPOT, WIN_BACK
from tests.support.stored_profiles import profile

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def queue(s3: "S3Client", dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch) -> str:
    """Of the second destination of a stack."""
    url = str(boto3.client("sqs").create_queue(QueueName="crm")["QueueUrl"])
    resources = {"DataBucket": BUCKET, "ProfileTable": TABLE, "Destination2Queue": url}
    monkeypatch.setattr(DeployedStack, "resource", lambda self, name: resources[name])
    monkeypatch.setattr(DeployedStack, "parameters", {"Destinations": "mail,crm", "LocalEndpoint": ""})
    monkeypatch.setattr(DeployedStack, "client", lambda self, service: boto3.client(service))
    monkeypatch.setattr(DeployedStack, "s3", s3)
    monkeypatch.setattr(DeployedStack, "dynamodb", dynamodb)
    monkeypatch.setattr(DeployedStack, "sqs", boto3.client("sqs"))
    return url


def messages(queue: str) -> list[Any]:
    sqs = boto3.client("sqs")
    bodies: list[Any] = []
    while some := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        bodies += [json.loads(message["Body"]) for message in some]
    return bodies


@pytest.mark.usefixtures("queue")
def test_a_destination_is_put_listed_and_taken_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "crm.toml").write_bytes(HUBSPOT)
    assert deliveries.main(["--put", str(tmp_path / "crm.toml")]) == 0
    assert deliveries.main(["--put", str(tmp_path / "crm.toml"), "--as", "other"]) == 0
    said = capsys.readouterr().out
    assert "crm: hubspot, by email from customer_id, 1 fields\nits secret has token\n" in said
    assert "deploy with Destinations naming other too" in said
    assert deliveries.main([]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "mail: no file yet; --put takes one",
        "crm: hubspot, by email from customer_id, 1 fields",
        "other: hubspot, by email from customer_id, 1 fields; not in the parameter Destinations: nothing is sent",
    ]
    assert deliveries.main(["--remove", "crm"]) == 0
    assert "crm: no file yet" in capsys.readouterr().out


@pytest.mark.usefixtures("queue")
def test_what_is_wrong_is_said_and_nothing_is_put(
    s3: "S3Client", tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "crm.toml").write_bytes(HUBSPOT.replace(b"segment.id", b"segment.nr"))
    assert deliveries.main(["--put", str(tmp_path / "crm.toml")]) == 2
    assert "'segment.nr', which is none of" in capsys.readouterr().out
    (tmp_path / "crm.toml").write_bytes(HUBSPOT)
    assert deliveries.main(["--put", str(tmp_path / "crm.toml"), "--as", "../x"]) == 2
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


@pytest.mark.usefixtures("queue")
def test_a_file_that_came_by_other_means_and_is_wrong_is_named(
    s3: "S3Client", capsys: pytest.CaptureFixture[str]
) -> None:
    s3.put_object(Bucket=BUCKET, Key="destinations/mail.toml", Body=b"vendor = 1")
    assert deliveries.main([]) == 0
    assert "mail: not used, " in capsys.readouterr().out


@pytest.mark.usefixtures("queue")
def test_a_secret_is_kept_and_replaced_and_of_a_webhook_made_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    client = boto3.client("secretsmanager")
    for token in ("one", "two"):
        monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({"token": token})))
        assert deliveries.main(["--secret", "crm"]) == 0
        assert client.get_secret_value(SecretId="tessera/destinations/crm")["SecretString"] == f'{{"token": "{token}"}}'
        assert token not in capsys.readouterr().out
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert deliveries.main(["--secret", "mail"]) == 0
    made = json.loads(client.get_secret_value(SecretId="tessera/destinations/mail")["SecretString"])["signing_secret"]
    assert len(base64.b64decode(made.removeprefix("whsec_"))) == 32
    monkeypatch.setattr("sys.stdin", io.StringIO("hush"))
    assert deliveries.main(["--secret", "crm"]) == 2


@pytest.mark.usefixtures("queue")
def test_what_was_sent_of_a_customer_is_told_in_words(
    dynamodb: "DynamoDBClient", capsys: pytest.CaptureFixture[str]
) -> None:
    row = Delivery("customer#889", "crm", "t", 1_500_000_000_000, REJECTED, 1, "no address", 2, "win_back", "treatment")
    Deliveries(dynamodb, TABLE).put([row])
    assert deliveries.main(["--customer", "889"]) == 0
    assert capsys.readouterr().out == (
        "2017-07-14T02:40:00Z crm win_back (treatment) rejected after 2 tries: no address\n"
    )
    assert deliveries.main(["--customer", "890"]) == 0
    assert capsys.readouterr().out == "nothing was sent of customer 890\n"


def test_everybody_who_is_decided_on_is_sent_when_a_destination_is_connected(
    queue: str, dynamodb: "DynamoDBClient", capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(23):
        dynamodb.put_item(TableName=TABLE, Item=encode_profile(profile(f"customer#{number}")))
    dynamodb.put_item(TableName=TABLE, Item=encode_profile(profile("customer#undecided", decision=None)))
    dynamodb.put_item(TableName=TABLE, Item=encode_profile(profile("visitor#v")))
    assert deliveries.main(["--send", "crm"]) == 0
    assert capsys.readouterr().out.startswith("23 customers are on their way to crm")
    sent = messages(queue)
    assert {(message["destination"], message["detail-type"]) for message in sent} == {("crm", WANTED)}
    assert sorted(message["detail"]["customer_id"] for message in sent) == sorted(map(str, range(23)))


def test_who_is_in_an_audience_is_sent_as_the_ledger_has_their_entry(
    queue: str, s3: "S3Client", dynamodb: "DynamoDBClient", capsys: pytest.CaptureFixture[str]
) -> None:
    published = encode_publication(Publication(WIN_BACK, "2017-11-01", "somebody", "to win them back"))
    s3.put_object(Bucket=BUCKET, Key="audiences/current.json", Body=published)
    moves = [
        entry("1", 1, "win_back"),
        entry("1", 2, "quiet"),
        entry("2", 1, "win_back", arm="control"),
        entry("3", 1, "quiet"),
    ]
    AudienceLedger(dynamodb, TABLE).record(moves)
    assert deliveries.main(["--send", "crm", "--audience", "win_back"]) == 0
    assert capsys.readouterr().out.startswith("2 customers are on their way to crm")
    sent = sorted(
        (one["detail"]["customer_id"], one["detail"]["arm"], one["detail"]["transition_id"]) for one in messages(queue)
    )
    assert sent == [("1", "treatment", moves[0].id), ("2", "control", moves[2].id)]
    assert deliveries.main(["--send", "crm", "--audience", "quiet"]) == 2


def entry(customer: str, version: int, audience: str, arm: str = "treatment") -> AudienceMove:
    return AudienceMove(
        f"customer#{customer}", version, audience, 1, True, arm, Cause.EVENTS, 1_500_000_000_000 + version, "m"
    )


def test_a_span_of_time_is_sent_again(queue: str, dynamodb: "DynamoDBClient") -> None:
    day_ms = 86_400_000
    for number in range(4):
        at_ms = 1_500_000_000_000 + number * day_ms
        Ledger(dynamodb, TABLE).record([Transition(f"customer#{number}", 1, None, 1, Cause.EVENTS, at_ms, "model")])
    since, until = "2017-07-15T02:40:00Z", "2017-07-17T02:40:00Z"
    assert deliveries.main(["--send", "crm", "--since", since, "--until", until]) == 0
    assert sorted(message["detail"]["customer_id"] for message in messages(queue)) == ["1", "2"]


@pytest.mark.usefixtures("queue")
def test_what_cannot_be_sent_is_refused_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert deliveries.main(["--send", "other"]) == 2
    assert (
        capsys.readouterr().err == "error: stack tessera has no destination other: deploy with Destinations naming it\n"
    )
    with pytest.raises(SystemExit):
        deliveries.main(["--send", "crm", "--since", "soon"])
