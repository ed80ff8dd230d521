"""CodeBuild as it is on AWS: runs what a project's buildspec says, on its source, with the rights of its role.

Run by ministack's own Python, never imported by the project. ministack 1.5.33 runs builds in Docker or not at all, and
calls those that it does not run done. Here
- the source is an archive in S3, read by the project's role;
- each phase is one shell, so that what a command changes of it holds until the phase ends; after a command that fails,
  none of the phase is run, and after a failed `install` or `pre_build` nothing more;
- the shell has what the image of builds has (IMAGE_ENVIRONMENT: a Python and libraries that are installed already), the
  project's variables, and the credentials of its role, which the local AWS checks as those of anybody;
- of a project one is run at a time, and others are refused;
- its log is where the project's record says; a build ends as its commands do, is stopped with all that it started, and
  takes no longer than its project allows.

State machines start them by `emulator_machines.py` beside this file.
"""

import io
import json
import logging
import os
import platform
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import emulator_rights  # type: ignore[import-not-found]  # it stands beside this script
import yaml
from botocore.exceptions import ClientError
from ministack.core.responses import error_response_json, get_region
from ministack.services import codebuild

type Record = dict[str, Any]

PHASES = ("install", "pre_build", "build", "post_build")
ENDING = {"install", "pre_build"}
"""Phases without which those behind them make no sense."""
FOLDERS = "builds"
"""Below the emulator's folder: of each build one, whose `pid` is the group of its processes."""

_running: dict[str, subprocess.Popen[bytes]] = {}


_start_build: Any = codebuild._start_build


class _Failed(Exception):
    """A phase that did not come to its end: the code that its record has, and why."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


class _Handle:
    """A build's processes, as ministack stops them."""

    def __init__(self, build_id: str) -> None:
        self._build_id = build_id

    def remove(self, **_: Any) -> None:
        if process := _running.get(self._build_id):
            _kill(process)


def install() -> None:
    """Puts builds that run in the place of those that do not."""
    codebuild.EXECUTE_BUILDS = True
    codebuild._start_build = _start
    codebuild._execute_build = _execute
    codebuild._container_for_build = _Handle


# ---- A build ---------------------------------------------------------------------------------------------------------


def _start(data: Record) -> Any:
    """Starts a build, one of a project at a time: other limits are not told to the local AWS."""
    name = data.get("projectName")
    if any(one["projectName"] == name and one["buildStatus"] == "IN_PROGRESS" for one in codebuild._builds.values()):
        return error_response_json("AccountLimitExceededException", f"{name} is being built", 400)
    return _start_build(data)


def _execute(build_id: str, project: Record) -> None:
    record = codebuild._builds[build_id]
    folder = Path(tempfile.mkdtemp(dir=_folders()))
    late = threading.Event()
    try:
        ended = _Build(record, project, folder, late).run()
    except Exception:
        logging.exception("Build %s could not be run", build_id)
        ended = "FAULT"
    finally:
        _running.pop(build_id, None)
        shutil.rmtree(folder, ignore_errors=True)
    if codebuild._stop_requested(build_id):
        ended = "STOPPED"
    elif late.is_set():
        ended = "TIMED_OUT"
    codebuild._clear_stopped(build_id)
    codebuild._finish_build(record, ended)


class _Build:
    """One build, in a folder of its own."""

    def __init__(self, record: Record, project: Record, folder: Path, late: threading.Event) -> None:
        """`late` is set where it takes longer than its project allows."""
        self._say: Callable[[str], None] = codebuild._log_sink(record)
        self._record, self._project, self._folder, self._late = record, project, folder, late
        self._source = folder / "src"
        self._deadline = time.monotonic() + codebuild._timeout_seconds(project)
        self._given = _environment(record, project, folder)

    def run(self) -> str:
        """How it ends, unless it is stopped meanwhile."""
        codebuild._record_phase(self._record, "QUEUED", "SUCCEEDED")
        if not self._phase("DOWNLOAD_SOURCE", self._download):
            return "FAILED"
        spec = yaml.safe_load(self._project["source"]["buildspec"])
        shell = spec.get("env", {}).get("shell", "sh")
        ended = "SUCCEEDED"
        for name in PHASES:
            if not self._phase(name.upper(), partial(self._commands, shell, spec["phases"].get(name, {}))):
                ended = "FAILED"
                if name in ENDING or self._late.is_set() or codebuild._stop_requested(self._record["id"]):
                    break
        return ended

    def _phase(self, name: str, work: Callable[[], None]) -> bool:
        """Whether it came to its end, which the record says as well."""
        phases = self._record["phases"]
        phases.append({"phaseType": name, "startTime": int(time.time())})
        self._record["currentPhase"] = name
        self._say(f"[Container] Entering phase {name}")
        try:
            work()
        except _Failed as failed:
            phases[-1]["contexts"] = [{"statusCode": failed.code, "message": str(failed)}]
            self._say(f"[Container] Phase context status code: {failed.code} Message: {failed}")
            codebuild._record_phase(self._record, name, "FAILED")
            return False
        codebuild._record_phase(self._record, name, "SUCCEEDED")
        self._say(f"[Container] Phase complete: {name} State: SUCCEEDED")
        return True

    def _download(self) -> None:
        """Unpacks the source. Raises _Failed."""
        bucket, _, key = self._project["source"]["location"].partition("/")
        s3 = boto3.Session(
            self._given["AWS_ACCESS_KEY_ID"],
            self._given["AWS_SECRET_ACCESS_KEY"],
            self._given["AWS_SESSION_TOKEN"],
            region_name=self._given["AWS_REGION"],
        ).client("s3", endpoint_url=self._given["AWS_ENDPOINT_URL"])
        try:
            archive = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            zipfile.ZipFile(io.BytesIO(archive)).extractall(self._source)
        except (ClientError, zipfile.BadZipFile) as error:
            raise _Failed("CLIENT_ERROR", f"{bucket}/{key}: {error}") from error

    def _commands(self, shell: str, phase: Record) -> None:
        """Runs a phase's commands in one shell, in a group of processes of their own. Raises _Failed."""
        _check_runtimes(phase.get("runtime-versions", {}))
        commands = phase.get("commands", ())
        process = subprocess.Popen(
            [shell, "-c", "\n".join(["set -e", *commands])],
            cwd=self._source,
            env=self._given,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        (self._folder / "pid").write_text(str(process.pid))
        _running[self._record["id"]] = process
        if codebuild._stop_requested(self._record["id"]):
            _kill(process)
        timer = threading.Timer(max(0.0, self._deadline - time.monotonic()), self._end, [process])
        timer.daemon = True
        timer.start()
        for line in process.stdout or ():
            self._say(line.decode(errors="replace").rstrip())
        status = process.wait()
        timer.cancel()
        if status:
            raise _Failed("COMMAND_EXECUTION_ERROR", f"one of {[*commands]} failed. Reason: exit status {status}")

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        self._late.set()
        _kill(process)


def _check_runtimes(asked: Record) -> None:
    here = ".".join(platform.python_version_tuple()[:2])
    if {name: str(version) for name, version in asked.items()} not in ({}, {"python": here}):
        raise _Failed("YAML_FILE_ERROR", f"this image has Python {here}, not {asked}")


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _environment(build: Record, project: Record, folder: Path) -> dict[str, str]:
    variables = project.get("environment", {}).get("environmentVariables", ())
    return {
        **json.loads(os.environ["IMAGE_ENVIRONMENT"]),
        **{variable["name"]: str(variable["value"]) for variable in variables},
        **emulator_rights.credentials(project["serviceRole"], "AWSCodeBuild"),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "AWS_REGION": get_region(),
        "AWS_DEFAULT_REGION": get_region(),
        "AWS_ENDPOINT_URL": f"http://{os.environ['MINISTACK_HOST']}:{os.environ['GATEWAY_PORT']}",
        "CODEBUILD_BUILD_ID": build["id"],
        "CODEBUILD_BUILD_ARN": build["arn"],
        "CODEBUILD_SRC_DIR": str(folder / "src"),
    }


def _folders() -> Path:
    place = Path(tempfile.gettempdir(), FOLDERS)
    place.mkdir(exist_ok=True)
    return place
