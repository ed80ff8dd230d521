"""The local AWS: one ministack process with a folder of its own, which leaves nothing behind."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import FrameType

import boto3
from botocore.credentials import Credentials

from local.console import console

ROOT = Path(__file__).resolve().parent.parent
KEPT_LOG = ROOT / ".cache/ministack.log"
UV = shutil.which("uv") or str(ROOT / ".cache/uv/bin/uv")
REGION = "us-east-1"
LOOPBACK = "127.0.0.1"
START_SECONDS = 60
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


class LocalStackError(Exception):
    """The local stack could not do what was asked; the message says what, where and the last lines of the log."""


@dataclass(frozen=True)
class Emulator:
    """A running local AWS and the credentials of an administrator in it."""

    endpoint: str
    folder: Path
    credentials: Credentials

    @cached_property
    def session(self) -> boto3.Session:
        """A boto3 session of the administrator; its clients need `endpoint_url=emulator.endpoint`."""
        return boto3.Session(self.credentials.access_key, self.credentials.secret_key, region_name=REGION)

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that make AWS tools use this local AWS, and never the user's account."""
        return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": self.credentials.secret_key,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "SAM_CLI_TELEMETRY": "0",
            "__SAM_CLI_APP_DIR": str(ROOT / ".cache/sam"),
            "SAM_LAYER_CACHE_BASEDIR": str(ROOT / ".cache/sam/layers"),
            "SAM_CLI_POLL_DELAY": "0.2",
        }

    @property
    def log(self) -> Path:
        """What the emulator and the functions in it wrote."""
        return self.folder / "ministack.log"

    @property
    def access(self) -> Path:
        """Every check of rights that it made, one JSON object a line: who, action, on, allowed."""
        return self.folder / "access.ndjson"


@contextmanager
def emulator(host: str = LOOPBACK, port: int | None = None) -> Iterator[Emulator]:
    """Run a local AWS that enforces IAM, on `port` or a free one, until the body ends, fails or is told to stop.

    `host` is the address of this machine that it listens on.

    Raises LocalStackError if it is not installed, or does not start.
    """
    program = [ROOT / ".venv-ministack/bin/python", ROOT / "local/emulator_fixes.py"]
    if not program[0].exists():
        raise LocalStackError("The local AWS is not installed: run `make setup`.")
    port = port or _free_port(host)
    folder = Path(tempfile.mkdtemp(prefix="tessera-"))
    with _signals_handled_by(_leave, signal.SIGTERM, signal.SIGHUP), (folder / "ministack.log").open("wb") as log:
        process = subprocess.Popen(
            program, env=_settings(host, port, folder), stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            endpoint = f"http://{host}:{port}"
            _wait_until_healthy(endpoint, process, folder / "ministack.log")
            yield Emulator(endpoint, folder, _create_administrator(endpoint))
        except Exception:
            KEPT_LOG.parent.mkdir(exist_ok=True)
            shutil.copyfile(folder / "ministack.log", KEPT_LOG)
            console.print(f"[yellow]![/] The log of the local AWS is kept in {KEPT_LOG}", soft_wrap=True)
            raise
        finally:
            with _signals_handled_by(signal.SIG_IGN, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                _stop_with_its_functions(process, folder)
                shutil.rmtree(folder, ignore_errors=True)


def tail(log: Path, lines: int = 30) -> str:
    """The last lines of a log file, for an error message."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _settings(host: str, port: int, folder: Path) -> dict[str, str]:
    # Functions run with the interpreter the emulator finds first, which must be the one the layer was built for.
    path = os.pathsep.join([str(ROOT / ".venv/bin"), os.environ.get("PATH", os.defpath)])
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
    return own | {
        "PATH": path,
        "GATEWAY_PORT": str(port),
        "BIND_HOST": host,
        "MINISTACK_HOST": host,
        "AUTH": "true",
        "MINISTACK_REGION": REGION,
        "TMPDIR": str(folder),
        "STATE_DIR": str(folder / "state"),
        "S3_DATA_DIR": str(folder / "s3"),
        "ACCESS_RECORD": str(folder / "access.ndjson"),
        "LAYERS": str(ROOT / ".cache/layers"),
        # What stands for the image of builds: as if the libraries of the lock had been installed into it.
        "IMAGE_ENVIRONMENT": json.dumps(
            {
                "PATH": os.pathsep.join([path, str(Path(UV).parent)]),
                "UV_PROJECT_ENVIRONMENT": str(ROOT / ".venv"),
                "UV_OFFLINE": "1",
            }
        ),
        # What stands for what a job of EMR Serverless is given: `make spark` installs it.
        "SPARK_ENVIRONMENT": str(ROOT / ".venv-spark"),
        # Listeners on fixed ports, which would keep a second stack from starting.
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
    }


def _wait_until_healthy(endpoint: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=5):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.1)
    raise LocalStackError(f"The local AWS did not start at {endpoint}. The end of its log:\n\n{tail(log)}")


def _create_administrator(endpoint: str) -> Credentials:
    # "test" is the emulator's root, whose signatures it does not check; a user's are checked as on AWS.
    iam = boto3.Session("test", "test", region_name=REGION).client("iam", endpoint_url=endpoint)
    iam.create_user(UserName="developer")
    iam.put_user_policy(UserName="developer", PolicyName="Everything", PolicyDocument=json.dumps(EVERYTHING))
    key = iam.create_access_key(UserName="developer")["AccessKey"]
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"])


def _stop_with_its_functions(process: subprocess.Popen[bytes], folder: Path) -> None:
    # Nothing of it is to be kept, so nothing has to be asked to save itself.
    for group in (process.pid, *map(int, _builds(folder))):
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    process.wait()


def _builds(folder: Path) -> list[str]:
    """The groups of processes of builds that are running: each has one of its own, by which it can be stopped."""
    return [path.read_text() for path in folder.glob("builds/*/pid")]


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


@contextmanager
def _signals_handled_by(
    handler: Callable[[int, FrameType | None], None] | signal.Handlers, *numbers: signal.Signals
) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _free_port(host: str) -> int:
    with socket.socket() as listener:
        listener.bind((host, 0))
        port: int = listener.getsockname()[1]
        return port
