"""A job of EMR Serverless: begun once, however often it is asked for, and followed until it ends."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from training.base import command
from training.base.errors import InputError
from training.registry.packed import Packed

LOOK_EVERY_SECONDS = 30.0
MOST_MINUTES = 450
"""That a job may take, which is less than a build of the template waits."""
ENDED = {"SUCCESS", "FAILED", "CANCELLED"}
BUSY = {"ThrottlingException", "TooManyRequestsException", "InternalServerException", "ServiceUnavailableException"}
"""Answers after which to look again."""
PYTHON = "./environment/bin/python"
SIZES = {
    # Of the driver most is not Java's: models are fitted by Python, on the answers of everyone.
    "spark.driver.cores": "16",
    "spark.driver.memory": "16g",
    "spark.driver.memoryOverhead": "88g",
    "spark.driver.maxResultSize": "0",
    "spark.emr-serverless.driver.disk": "200g",
    # So are histories, of which each of a worker's processors holds some thousand.
    "spark.executor.cores": "4",
    "spark.executor.memory": "8g",
    "spark.executor.memoryOverhead": "20g",
    "spark.emr-serverless.executor.disk": "200g",
}


@dataclass(frozen=True)
class Jobs:
    """The jobs of one application."""

    application: str
    """Its id."""
    role: str
    """ARN of the role whose rights they have."""
    client: Any = field(default_factory=lambda: boto3.client("emr-serverless"))

    def run(self, name: str, packed: Packed, arguments: Sequence[str]) -> None:
        """Runs `tessera` with these arguments as the job `name`, or follows the one of that name that is at work
        already. Raises InputError where it does not end well."""
        try:
            runs = self._runs(name)
            at_work = [run["id"] for run in runs if run["state"] not in ENDED]
            run_id = at_work[0] if at_work else self._begin(name, len(runs), packed, arguments)
            command.say(f"job {run_id} of application {self.application}, {name}")
            ended = self._followed(run_id)
        except (ClientError, BotoCoreError) as error:
            raise InputError(f"application {self.application}: {error}") from error
        if ended["state"] != "SUCCESS":
            why = f"{ended['state']}: {ended['stateDetails'] or 'its log says why'}"
            raise InputError(f"job {run_id} of application {self.application} ended as {why}")

    def _runs(self, name: str) -> list[Any]:
        pages = self.client.get_paginator("list_job_runs").paginate(applicationId=self.application)
        return [run for page in pages for run in page["jobRuns"] if run.get("name") == name]

    def _begin(self, name: str, before: int, packed: Packed, arguments: Sequence[str]) -> str:
        # Whoever is killed before the answer comes asks with the same token, and gets the same job.
        token = f"{name}-{packed.release}-{before}"
        begun = self.client.start_job_run(
            applicationId=self.application,
            clientToken=token,
            name=name,
            executionRoleArn=self.role,
            executionTimeoutMinutes=MOST_MINUTES,
            jobDriver={"sparkSubmit": submission(packed, arguments, self.client.meta.region_name)},
        )
        return str(begun["jobRunId"])

    def _followed(self, run_id: str) -> dict[str, Any]:
        state = ""
        while True:
            try:
                run = self.client.get_job_run(applicationId=self.application, jobRunId=run_id)["jobRun"]
            except ClientError as error:
                if error.response["Error"]["Code"] not in BUSY:
                    raise
            else:
                if run["state"] != state:
                    state = run["state"]
                    command.say(f"job {run_id}: {state}")
                    sys.stdout.flush()  # whoever reads the log of a build sees it now, and not in hours
                if state in ENDED:
                    return dict(run)
            time.sleep(LOOK_EVERY_SECONDS)


def submission(packed: Packed, arguments: Sequence[str], region: str) -> dict[str, Any]:
    """What is given to `spark-submit`."""
    settings = SIZES | {
        "spark.archives": f"{packed.environment}#environment",
        "spark.emr-serverless.driverEnv.PYSPARK_DRIVER_PYTHON": PYTHON,
        "spark.emr-serverless.driverEnv.PYSPARK_PYTHON": PYTHON,
        "spark.executorEnv.PYSPARK_PYTHON": PYTHON,
        "spark.emr-serverless.driverEnv.AWS_DEFAULT_REGION": region,
        "spark.executorEnv.AWS_DEFAULT_REGION": region,
    }
    return {
        "entryPoint": packed.entry,
        "entryPointArguments": list(arguments),
        "sparkSubmitParameters": " ".join(f"--conf {name}={value}" for name, value in settings.items()),
    }
