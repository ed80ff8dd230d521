"""EMR Serverless as it is on AWS: runs what jobs are begun with, by `spark-submit`, with the rights of their role.

Run by ministack's own Python, never imported by the project. ministack 1.5.33 has no EMR Serverless. Here
- a template may have an application, of which one job is run at a time, and others wait;
- whoever begins a job needs the right to lend it its role, and has to give a token: the same one gets the same job;
- the program and the archive are read by the role; for what the archive holds stands the Python of SPARK_ENVIRONMENT,
  and for all workers this machine;
- a job ends as its program does, and its log is the local AWS's.
"""

import json
import logging
import os
import shlex
import shutil
import subprocess
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import boto3
import emulator_builds  # type: ignore[import-not-found]  # it stands beside this script
import emulator_rights  # type: ignore[import-not-found]  # so does it
from botocore.exceptions import ClientError
from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.core.router import extract_access_key_id
from ministack.services.cloudformation import provisioners

type Record = dict[str, Any]

SERVICE = "emr-serverless"
RESOURCE = "AWS::EMRServerless::Application"
DRIVER = "spark.emr-serverless.driverEnv."
ARCHIVES = "spark.archives"
PRINCIPAL = "emr-serverless.amazonaws.com"

_applications: dict[str, Record] = {}
_jobs: dict[str, Record] = {}
_one_at_a_time = threading.Lock()
_resource_arn: Any = iam_actions.extract_resource_arn


def install() -> None:
    """Puts what is missing in its place."""
    app.SERVICE_HANDLERS[SERVICE] = _handle
    iam_actions.SERVICE_TO_IAM_NAMESPACE[SERVICE] = SERVICE
    iam_actions._BOTOCORE_SERVICE_MAP[SERVICE] = [SERVICE]
    iam_actions.extract_resource_arn = _arn_of
    provisioners._RESOURCE_HANDLERS[RESOURCE] = {"create": _create, "delete": _delete}


def _arn_of(service: str, method: str, path: str, *rest: Any) -> str:
    return _arn(path) if service == SERVICE else str(_resource_arn(service, method, path, *rest))


def _arn(path: str) -> str:
    """Of an application, or of one of its jobs; who begins one or lists them asks the application."""
    return f"arn:aws:{SERVICE}:{get_region()}:{get_account_id()}:{path.removesuffix('/jobruns')}"


# ---- Applications ----------------------------------------------------------------------------------------------------


def _create(logical_id: str, props: Record, stack_name: str) -> tuple[str, Record]:
    name = uuid.uuid4().hex[:16]
    _applications[name] = props
    return name, {"ApplicationId": name, "Arn": _arn(f"/applications/{name}")}


def _delete(physical_id: str, props: Record) -> None:
    _applications.pop(physical_id, None)


# ---- Jobs ------------------------------------------------------------------------------------------------------------


async def _handle(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
    parts = path.strip("/").split("/")
    if parts[0] != "applications" or parts[1] not in _applications or parts[2:3] != ["jobruns"]:
        return error_response_json("ResourceNotFoundException", f"there is no {path}", 404)
    own = [job for job in _jobs.values() if job["applicationId"] == parts[1]]
    if method == "GET" and len(parts) == 3:
        return json_response({"jobRuns": [_told(job) for job in own]})
    if method == "GET":
        told = next((_told(job) for job in own if job["id"] == parts[3]), None)
        return json_response({"jobRun": told}) if told else error_response_json("ResourceNotFoundException", path, 404)
    asked = json.loads(body)
    if denied := _may_not_lend(extract_access_key_id(headers, query), asked["executionRoleArn"]):
        return error_response_json("AccessDeniedException", f"iam:PassRole: {denied}", 403)
    job = next((one for one in own if one["clientToken"] == asked["clientToken"]), None) or _begun(parts[1], asked)
    return json_response({"applicationId": parts[1], "jobRunId": job["id"], "arn": job["arn"]})


def _may_not_lend(access_key: str, role: str) -> Any:
    context = {"iam:PassedToService": PRINCIPAL}
    return iam_evaluator.enforce(access_key, "iam:PassRole", "iam", get_region(), role, context)


def _told(job: Record) -> Record:
    return {name: value for name, value in job.items() if name != "clientToken"} | {"jobRunId": job["id"]}


def _begun(application: str, asked: Record) -> Record:
    name = uuid.uuid4().hex[:16]
    job = {
        "applicationId": application,
        "id": name,
        "arn": _arn(f"/applications/{application}/jobruns/{name}"),
        "name": asked["name"],
        "clientToken": asked["clientToken"],
        "createdAt": time.time(),
        "executionRole": asked["executionRoleArn"],
        "state": "SUBMITTED",
        "stateDetails": "",
        "releaseLabel": _applications[application]["ReleaseLabel"],
        "jobDriver": asked["jobDriver"],
    }
    _jobs[name] = job
    given = emulator_rights.credentials(job["executionRole"], "EMRServerless") | {
        "AWS_REGION": get_region(),
        "AWS_ENDPOINT_URL": f"http://{os.environ['MINISTACK_HOST']}:{os.environ['GATEWAY_PORT']}",
    }
    threading.Thread(target=_run, args=(job, given), daemon=True).start()
    return job


def _run(job: Record, given: dict[str, str]) -> None:
    with _one_at_a_time:
        job["state"] = "RUNNING"
        folder = Path(tempfile.mkdtemp(dir=emulator_builds._folders()))
        try:
            _submit(job["jobDriver"]["sparkSubmit"], given, folder)
        except (ClientError, subprocess.CalledProcessError) as error:
            job.update(state="FAILED", stateDetails=str(error))
        except Exception:
            logging.exception("Job %s could not be run", job["id"])
            job.update(state="FAILED", stateDetails="it could not be run")
        else:
            job["state"] = "SUCCESS"
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _submit(submission: Record, given: dict[str, str], folder: Path) -> None:
    words = shlex.split(submission["sparkSubmitParameters"])
    settings = dict(word.split("=", 1) for word in words if word != "--conf")
    program = _fetched(submission["entryPoint"], given, folder / "program")
    archive, _, name = settings.pop(ARCHIVES).partition("#")
    _fetched(archive, given, folder / "archive")
    bin_of_spark = Path(os.environ["SPARK_ENVIRONMENT"], "bin")
    python = folder / name / "bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {bin_of_spark}/python "$@"\n')
    python.chmod(0o755)
    own = {key.removeprefix(DRIVER): value for key, value in settings.items() if key.startswith(DRIVER)}
    confs = [word for key, value in settings.items() for word in ("--conf", f"{key}={value}")]
    process = subprocess.Popen(
        [
            str(bin_of_spark / "spark-submit"),
            "--master",
            "local[2]",
            *confs,
            str(program),
            *submission["entryPointArguments"],
        ],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "SPARK_LOCAL_IP": "127.0.0.1", **own, **given},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    (folder / "pid").write_text(str(process.pid))
    if status := process.wait():
        raise subprocess.CalledProcessError(status, "spark-submit")


def _fetched(place: str, given: dict[str, str], folder: Path) -> Path:
    bucket, _, key = place.removeprefix("s3://").partition("/")
    s3 = boto3.Session(
        given["AWS_ACCESS_KEY_ID"],
        given["AWS_SECRET_ACCESS_KEY"],
        given["AWS_SESSION_TOKEN"],
        region_name=given["AWS_REGION"],
    ).client("s3", endpoint_url=given["AWS_ENDPOINT_URL"])
    folder.mkdir()
    path = folder / key.rpartition("/")[2]
    path.write_bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    return path
