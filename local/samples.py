"""Runs the sample events of `events/` through `sam local invoke`, which needs Docker, against a local stack.

`python -m local.samples` starts such a stack and prints the command of every sample.
"""

import json
import shlex
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from local.emulator import ROOT
from local.packed import LAYERS, SAMPLES_TEMPLATE
from local.stack import SAM, STACK_NAME, Stack, credentials_to_paste, keep_running

SAMPLES = sorted((ROOT / "events").glob("*.json"))
INVOKE_SECONDS = 120


def function_of(sample: Path) -> str:
    """Logical id of the function a sample is for: `ingest_live_events.sqs.json` is for IngestLiveEventsFunction."""
    name = sample.name.split(".")[0]
    return "".join(word.capitalize() for word in name.split("_")) + "Function"


def address_for_containers() -> str:
    """Address of this machine that containers reach it at: a stack that samples are to run against listens there."""
    command = ["docker", "network", "inspect", "bridge"]
    description = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    network = json.loads(description)[0]["IPAM"]["Config"][0]
    return str(network.get("Gateway") or next(ip_network(network["Subnet"]).hosts()))


def invoke_command(stack: Stack, sample: Path, *, packed: bool = True) -> list[str]:
    """The command that runs a sample against the stack; it needs the stack's credentials in the environment.

    With `packed` the layer comes from the folder where `local.packed` put it, which spares a call seven seconds.
    """
    event = str(sample.relative_to(ROOT))
    environment = str(_environment_of_functions(stack))
    command = [SAM, "local", "invoke", function_of(sample), "--event", event, "--env-vars", environment]
    template, layers = (str(path.relative_to(ROOT)) for path in (SAMPLES_TEMPLATE, LAYERS))
    where = ["--template-file", template, "--layer-cache-basedir", layers] if packed else []
    return [*command, *where, "--skip-pull-image"]


def invoke(stack: Stack, sample: Path, *, packed: bool = True) -> Any:
    """The function's answer to a sample. Raises CalledProcessError, with the log in `stderr`, if it has none."""
    done = subprocess.run(
        invoke_command(stack, sample, packed=packed),
        cwd=ROOT,
        env=stack.emulator.environment,
        capture_output=True,
        text=True,
        timeout=INVOKE_SECONDS,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def _environment_of_functions(stack: Stack) -> Path:
    # On its own `sam local invoke` takes the logical id of a resource for its name, and resolves no conditions. So
    # functions get what those of the stack have.
    path = stack.emulator.folder / "environment.json"
    if path.exists():
        return path
    session, endpoint = stack.emulator.session, stack.endpoint
    resources = session.client("cloudformation", endpoint_url=endpoint).get_paginator("list_stack_resources")
    functions = session.client("lambda", endpoint_url=endpoint)
    variables = {
        resource["LogicalResourceId"]: functions.get_function_configuration(
            FunctionName=resource["PhysicalResourceId"]
        )["Environment"]["Variables"]
        for page in resources.paginate(StackName=STACK_NAME)
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] == "AWS::Lambda::Function"
    }
    path.write_text(json.dumps(variables))
    return path


def _how_to_invoke(stack: Stack) -> str:
    lines = "\n".join(f"  {shlex.join(invoke_command(stack, sample))}" for sample in SAMPLES)
    return f"""
Tessera is running where containers reach it. Ctrl-C stops it. In another terminal:

{credentials_to_paste(stack)}

{lines}
"""


if __name__ == "__main__":
    sys.exit(keep_running(_how_to_invoke, host=address_for_containers()))
