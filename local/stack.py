"""Tessera deployed from its template to a local AWS: `python -m local.stack`, or `with local_stack() as stack:`."""

import argparse
import http.client
import json
import subprocess
import sys
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from local.console import console, step
from local.emulator import LOOPBACK, REGION, ROOT, Emulator, LocalStackError, emulator, tail
from local.packed import PACKED
from operations.dashboard import dashboard

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

STACK_NAME = "tessera"
BUCKET, ARTIFACTS = "tessera-data", "tessera-artifacts"
PACKED_TEMPLATE = PACKED / "template.yaml"
SAM = ".venv-sam/bin/sam"
PYTHON = ROOT / ".venv/bin/python"
ANSWER_SECONDS = 60


@dataclass(frozen=True)
class Stack:
    """A deployed stack: its addresses and clients signed as an administrator."""

    emulator: Emulator
    bucket: str
    table: str
    queue_url: str
    dlq_url: str
    bus: str
    live_queue_url: str
    api_url: str
    rescore_arn: str
    backfill_arn: str

    @property
    def endpoint(self) -> str:
        """URL of the local AWS."""
        return self.emulator.endpoint

    @property
    def log(self) -> Path:
        """Log of the local AWS, with what the functions wrote."""
        return self.emulator.log

    @cached_property
    def s3(self) -> "S3Client":
        """S3 client."""
        return self.emulator.session.client("s3", endpoint_url=self.endpoint)

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        """DynamoDB client."""
        return self.emulator.session.client("dynamodb", endpoint_url=self.endpoint)

    @cached_property
    def sqs(self) -> "SQSClient":
        """SQS client."""
        return self.emulator.session.client("sqs", endpoint_url=self.endpoint)

    def api(self, method: str, path: str, body: Any = None, *, signed: bool = True) -> tuple[int, Any]:
        """HTTP status and decoded JSON of a call of the API; `path` starts with a slash and is percent-encoded."""
        url = urlsplit(self.api_url + path)
        data = None if body is None else json.dumps(body).encode()
        request = AWSRequest(method, url.geturl(), data=data, headers={"content-type": "application/json"})
        if signed:
            SigV4Auth(self.emulator.credentials, "execute-api", REGION).add_auth(request)
        connection = http.client.HTTPConnection(url.netloc, timeout=ANSWER_SECONDS)
        try:
            connection.request(method, f"{url.path}?{url.query}".rstrip("?"), body=data, headers=dict(request.headers))
            answer = connection.getresponse()
            return answer.status, json.load(answer)
        finally:
            connection.close()

    def api_get(self, path: str, *, signed: bool = True) -> tuple[int, Any]:
        """HTTP status and decoded JSON of a GET on the API."""
        return self.api("GET", path, signed=signed)


@contextmanager
def local_stack(
    clock: str = "",
    host: str = LOOPBACK,
    port: int | None = None,
    template: Path = PACKED_TEMPLATE,
    **parameters: str,
) -> Iterator[Stack]:
    """Deploy a built template to a local AWS of its own, and take everything down after the body.

    `clock` is the ISO 8601 instant the functions take for now; empty is the real time. `host` and `port` are where it
    listens on this machine; `parameters` are further ones of the template.
    Raises LocalStackError, with the end of the log, if the template is not built or does not deploy.
    """
    if not template.exists():
        raise LocalStackError("Nothing is built yet: run `make build`.")
    with emulator(host, port) as aws:
        with step("Deployed template.yaml with sam"):
            aws.session.client("s3", endpoint_url=aws.endpoint).create_bucket(Bucket=ARTIFACTS)
            given = {"LocalEndpoint": aws.endpoint, "DataBucketName": BUCKET, "FrozenTime": clock, **parameters}
            _deploy(aws, template, given)
        yield _describe(aws)


def redeploy(stack: Stack, template: Path, clock: str, **parameters: str) -> Stack:
    """Deploy another built template over the stack, with its clock at another instant and other `parameters`; the stack
    as it is then."""
    with step("Deployed it again" if parameters else f"Deployed {template} over it"):
        _deploy(stack.emulator, template, {"FrozenTime": clock, **parameters})
    return _describe(stack.emulator)


def _deploy(aws: Emulator, template: Path, parameters: dict[str, str]) -> None:
    log = aws.folder / "deploy.log"
    # What has blanks in it, such as a schedule, is one value only in quotes.
    overrides = [f'ParameterKey={name},ParameterValue="{value}"' for name, value in parameters.items() if value]
    command = [SAM, "deploy", "--template-file", str(template), "--stack-name", STACK_NAME]
    command += ["--region", REGION, "--capabilities", "CAPABILITY_IAM", "--s3-bucket", ARTIFACTS]
    command += ["--no-confirm-changeset", "--parameter-overrides", *overrides]
    with log.open("wb") as out:
        status = subprocess.run(command, cwd=ROOT, env=aws.environment, stdout=out, stderr=out, check=False).returncode
    if status:
        raise LocalStackError(
            f"`sam deploy` failed with status {status}. The end of what it wrote:\n\n{tail(log)}\n\n"
            f"The end of the local AWS's log:\n\n{tail(aws.log)}"
        )


def _describe(aws: Emulator) -> Stack:
    cloudformation = aws.session.client("cloudformation", endpoint_url=aws.endpoint)
    description = cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in description["Outputs"]}

    def identifier(resource: str) -> str:
        description = cloudformation.describe_stack_resource(StackName=STACK_NAME, LogicalResourceId=resource)
        return str(description["StackResourceDetail"]["PhysicalResourceId"])

    return Stack(
        emulator=aws,
        bucket=outputs["DataBucketName"],
        table=outputs["ProfileTableName"],
        queue_url=outputs["IngestQueueUrl"],
        dlq_url=outputs["IngestDeadLetterQueueUrl"],
        bus=outputs["EventBusName"],
        live_queue_url=identifier("LiveQueue"),
        api_url=f"{aws.endpoint}/_aws/execute-api/{identifier('Api')}/v1",
        rescore_arn=outputs["RescoreStateMachineArn"],
        backfill_arn=outputs["BackfillStateMachineArn"],
    )


def keep_running(
    describe: Callable[[Stack], str],
    clock: str = "",
    host: str = LOOPBACK,
    port: int | None = None,
    beside: Callable[[Stack], AbstractContextManager[None]] = lambda _: nullcontext(),
) -> int:
    """Start a stack, print what `describe` says of it, and keep it until Ctrl-C, with what is to run `beside` it; the
    exit status of a command."""
    try:
        with local_stack(clock, host, port) as stack:
            console.print(describe(stack), soft_wrap=True)
            with beside(stack):
                while True:
                    time.sleep(3600)
    except LocalStackError as error:
        console.print(f"[red]✗[/] {error}", soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("\nStopped; nothing is left running.")
        return 0


def credentials_to_paste(stack: Stack) -> str:
    """Shell lines that point any AWS tool at the stack."""
    credentials = stack.emulator.credentials
    return f"""\
  export AWS_ENDPOINT_URL={stack.endpoint} AWS_DEFAULT_REGION={REGION} \\
    AWS_ACCESS_KEY_ID={credentials.access_key} AWS_SECRET_ACCESS_KEY={credentials.secret_key}"""


def _how_to_use(stack: Stack) -> str:
    sign = f'--aws-sigv4 aws:amz:{REGION}:{{service}} --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"'
    return f"""
Tessera is running. Ctrl-C stops it.

  API      {stack.api_url}
  Bucket   {stack.bucket}
  Table    {stack.table}
  Log      {stack.log}

In another terminal, point any AWS tool at it:

{credentials_to_paste(stack)}

Drop a file of events, and ask for the segment of customer 889:

  curl {sign.format(service="s3")} \\
    --request PUT --data-binary @orders.ndjson {stack.endpoint}/{stack.bucket}/events/orders.ndjson
  curl {sign.format(service="execute-api")} \\
    {stack.api_url}/customers/889/segment
"""


@contextmanager
def _with_dashboard(stack: Stack, *, opens: bool) -> Iterator[None]:
    """Serves the stack's dashboard, signed as its administrator, says where, and has a browser show it."""
    with dashboard(stack.api_url, REGION, lambda: stack.emulator.credentials) as address:
        console.print(f"  Dashboard {address}\n", soft_wrap=True)
        if opens:
            webbrowser.open(address)
        yield


def main() -> int:
    """Keep a local stack running and say how to use it, until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m local.stack", description="Run Tessera on this machine.")
    parser.add_argument("--clock", default="", metavar="TIMESTAMP", help="ISO 8601 instant to take for now")
    parser.add_argument("--host", default=LOOPBACK, help="address of this machine to listen on; default: %(default)s")
    parser.add_argument("--port", type=int, help="port of the local AWS; default: a free one")
    parser.add_argument("--no-browser", action="store_true", help="only say where the dashboard is")
    arguments = parser.parse_args()
    beside = partial(_with_dashboard, opens=sys.stdout.isatty() and not arguments.no_browser)
    return keep_running(_how_to_use, arguments.clock, arguments.host, arguments.port, beside)


if __name__ == "__main__":
    sys.exit(main())
