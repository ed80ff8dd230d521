"""Packs what `sam build` made, once, so that no deployment on this machine has to: `python -m local.packed`.

`sam deploy` compresses all 230 MB each time; archives it uploads as they are. And `sam` reads a template seven times to
deploy it, which took 4 of 9 seconds until it was JSON, which is YAML too. `sam local invoke` puts a layer of the same
template into its image anew for each call, which takes some seven seconds; one that is named by an ARN and lies in its
cache it puts there once.
"""

import hashlib
import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import yaml

from local.emulator import ROOT

BUILT = ROOT / ".aws-sam/build"
PACKED = ROOT / ".aws-sam/packed"
SAMPLES_TEMPLATE, LAYERS = PACKED / "samples.yaml", PACKED / "layers"
PACKAGE = re.compile(r'("(?:CodeUri|ContentUri)": )"(\w+)"')


def pack(built: Path = BUILT, packed: Path = PACKED) -> None:
    """Writes the built template as JSON, an archive for each package of it, the template that names those, and the one
    for samples.
    """
    shutil.rmtree(packed, ignore_errors=True)
    packed.mkdir(parents=True)
    template = json.dumps(yaml.safe_load((built / "template.yaml").read_text()), indent=1)
    (built / "template.yaml").write_text(template)
    for _, name in PACKAGE.findall(template):
        # Speed counts here, not size: nothing leaves the machine.
        with zipfile.ZipFile(packed / f"{name}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for path in sorted((built / name).rglob("*")):
                archive.write(path, path.relative_to(built / name))
    _write_for_samples(json.loads(template), built, packed)
    # Last, so that it stands for a whole one.
    (packed / "template.yaml").write_text(PACKAGE.sub(r'\1"\2.zip"', template))


def _write_for_samples(template: Any, built: Path, packed: Path) -> None:
    resources = template["Resources"]
    layer = built / resources["SharedLayer"]["Properties"]["ContentUri"]
    with zipfile.ZipFile(packed / f"{layer.name}.zip") as archive:
        content = repr([(member.filename, member.CRC) for member in archive.infolist()]).encode()
    # `sam` knows its images by layers' names: another content has to have another.
    arn = f"arn:aws:lambda:us-east-1:123456789012:layer:tessera-{hashlib.sha256(content).hexdigest()[:16]}:1"
    template["Globals"]["Function"]["Layers"] = [arn]
    for resource in resources.values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = str(built / resource["Properties"]["CodeUri"])
    (packed / SAMPLES_TEMPLATE.name).write_text(json.dumps(template, indent=1))
    _, name, version = arn.rsplit(":", 2)
    folder = packed / LAYERS.name
    folder.mkdir()
    (folder / f"{name}-{version}-{hashlib.sha256(arn.encode()).hexdigest()[:10]}").symlink_to(layer)


if __name__ == "__main__":
    pack()
