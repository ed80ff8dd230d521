"""Packs what `sam build` made, once, so that no deployment on this machine has to: `python -m local.packed`.

`sam deploy` compresses all 230 MB each time; archives it uploads as they are.
"""

import re
import shutil
import zipfile
from pathlib import Path

from local.emulator import ROOT

BUILT = ROOT / ".aws-sam/build"
PACKED = ROOT / ".aws-sam/packed"
PACKAGE = re.compile(r"^( +(?:CodeUri|ContentUri): )(\w+)$", re.MULTILINE)


def pack(built: Path = BUILT, packed: Path = PACKED) -> None:
    """Writes an archive for each package of the built template, and the template that names those."""
    shutil.rmtree(packed, ignore_errors=True)
    packed.mkdir(parents=True)
    template = (built / "template.yaml").read_text()
    for _, name in PACKAGE.findall(template):
        # Speed counts here, not size: nothing leaves the machine.
        with zipfile.ZipFile(packed / f"{name}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for path in sorted((built / name).rglob("*")):
                archive.write(path, path.relative_to(built / name))
    # Last, so that it stands for a whole one.
    (packed / "template.yaml").write_text(PACKAGE.sub(r"\1\2.zip", template))


if __name__ == "__main__":
    pack()
