"""An earlier release of this repository, built beside the one that is here, to upgrade from it and to go back to it."""

import io
import json
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

from local.api_document import imported
from local.emulator import ROOT, UV
from local.packed import BUILT
from local.stack import PYTHON

GIT = shutil.which("git") or "git"
LAYER_PLATFORM = "x86_64-manylinux_2_28"


class NoSuchRelease(Exception):
    """The repository does not hold the commit, as where it was cloned without its history."""


def build_release(commit: str, folder: Path) -> Path:
    """The release of `commit`, built into the empty `folder`; its template, ready for `sam deploy`.

    Libraries come from the layer that was built last, and what its lock says otherwise from the package registry: so it
    takes a second. Raises NoSuchRelease.
    """
    archived = subprocess.run([GIT, "archive", commit], cwd=ROOT, capture_output=True, check=False)
    if archived.returncode:
        raise NoSuchRelease(
            f"this clone does not hold commit {commit}, the release before, without which no upgrade can be tried:"
            " `git fetch --unshallow` brings it"
        )
    with tarfile.open(fileobj=io.BytesIO(archived.stdout)) as archive:
        archive.extractall(folder, filter="data")
    _build_layer(folder)
    (folder / "samconfig.toml").unlink()  # `sam` reads the one beside a template; ours are given on the command line
    document = folder / ".aws-sam/openapi.json"
    document.parent.mkdir()
    document.write_text(json.dumps(imported((folder / "api/openapi.yaml").read_text())))
    template = folder / "template.yaml"
    text = re.sub(r"ContentUri: shared$", "ContentUri: built/layer", template.read_text(), flags=re.MULTILINE)
    for name in re.findall(r"CodeUri: functions/(\w+)$", text, flags=re.MULTILINE):
        package = folder / "built" / name / "functions"
        shutil.copytree(folder / "functions" / name, package / name)
        shutil.copy(folder / "functions/__init__.py", package)
    template.write_text(re.sub(r"CodeUri: functions/(\w+)$", r"CodeUri: built/\1", text, flags=re.MULTILINE))
    return template


def _build_layer(folder: Path) -> None:
    layer = folder / "built/layer/python"
    shutil.copytree(BUILT / "SharedLayer/python", layer, copy_function=_linked)
    shutil.rmtree(layer / "shared")
    shutil.copytree(folder / "shared", layer / "shared")
    lock = folder / "pylock.toml"
    export = [UV, "export", "--quiet", "--frozen", "--no-default-groups", "--no-emit-project"]
    export += ["--format", "pylock.toml"]
    subprocess.run([*export, "--project", folder, "--output-file", lock], cwd=folder, check=True)
    install = [UV, "pip", "install", "--quiet", "--preview-features", "pylock", "--python", str(PYTHON), "--no-deps"]
    install += ["--link-mode", "copy", "--python-platform", LAYER_PLATFORM, "--only-binary", ":all:"]
    subprocess.run([*install, "--target", layer, "-r", lock], cwd=folder, check=True)


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk
        shutil.copy2(source, target)
