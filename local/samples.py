"""Runs the sample events of `events/` through `sam local invoke`, which needs Docker, against a local stack."""

import json
import subprocess
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from local.emulator import ROOT
from local.stack import SAM, Stack

SAMPLES = sorted((ROOT / "events").glob("*.json"))
INVOKE_SECONDS = 120


def function_of(sample: Path) -> str:
    """Logical id of the function a sample is for: `events/ingest_events.json` is for IngestEventsFunction."""
    name = sample.name.split(".")[0]
    return "".join(word.capitalize() for word in name.split("_")) + "Function"


def address_for_containers() -> str:
    """Address of this machine that containers reach it at: a stack that samples are to run against listens there."""
    command = ["docker", "network", "inspect", "bridge"]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    network = json.loads(found)[0]["IPAM"]["Config"][0]
    return str(network.get("Gateway") or next(ip_network(network["Subnet"]).hosts()))


def invoke_command(stack: Stack, sample: Path) -> list[str]:
    """The command that runs a sample against the stack; it needs the stack's credentials in the environment."""
    return [
        *(SAM, "local", "invoke", function_of(sample), "--event", str(sample)),
        *("--parameter-overrides", f"ParameterKey=LocalEndpoint,ParameterValue={stack.endpoint}"),
        *("--env-vars", str(_names_of_deployed_resources(stack))),
        "--skip-pull-image",
    ]


def invoke(stack: Stack, sample: Path) -> Any:
    """The function's answer to a sample. Raises CalledProcessError, with the log in `stderr`, if it has none."""
    environment = stack.emulator.environment
    command = invoke_command(stack, sample)
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=INVOKE_SECONDS, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def _names_of_deployed_resources(stack: Stack) -> Path:
    # On its own `sam local invoke` takes the logical id of a resource for its name.
    path = stack.emulator.folder / "function-environment.json"
    path.write_text(json.dumps({"Parameters": {"DATA_BUCKET": stack.bucket, "TABLE_NAME": stack.table}}))
    return path
