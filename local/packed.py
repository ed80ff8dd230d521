"""Packs what `sam build` made, once, so that no deployment on this machine has to: `python -m local.packed`.

`sam deploy` compresses all 230 MB each time; archives it uploads as they are. And `sam` reads a template seven times to
deploy it, which took 4 of 9 seconds until it was JSON, which is YAML too.
"""

import json
import re
import shutil
import zipfile
from pathlib import Path

import yaml

from local.emulator import ROOT

BUILT = ROOT / ".aws-sam/build"
PACKED = ROOT / ".aws-sam/packed"
PACKAGE = re.compile(r'("(?:CodeUri|ContentUri)": )"(\w+)"')


def pack(built: Path = BUILT, packed: Path = PACKED) -> None:
    """Writes the built template as JSON, an archive for each package of it, and the template that names those."""
    shutil.rmtree(packed, ignore_errors=True)
    packed.mkdir(parents=True)
    template = json.dumps(yaml.safe_load((built / "template.yaml").read_text()), indent=1)
    (built / "template.yaml").write_text(template)
    for _, name in PACKAGE.findall(template):
        # Speed counts here, not size: nothing leaves the machine.
        with zipfile.ZipFile(packed / f"{name}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for path in sorted((built / name).rglob("*")):
                archive.write(path, path.relative_to(built / name))
    # Last, so that it stands for a whole one.
    (packed / "template.yaml").write_text(PACKAGE.sub(r'\1"\2.zip"', template))


if __name__ == "__main__":
    pack()
