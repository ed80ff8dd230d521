"""The bundle that is committed: made of the sources beside it, small, and without what its security policy forbids."""

import gzip
import hashlib
import json
import re
import subprocess
from pathlib import Path

from local.emulator import ROOT

SOURCES = ROOT / "dashboard"
PAGE = ROOT / "functions/serve_dashboard/page"
MOST_BYTES = 150_000
FILES = ("index.html", "app.js", "app.css")


def sources() -> list[Path]:
    """In the order of dashboard/build.mjs."""
    alone = [SOURCES / name for name in ("build.mjs", "package.json", "package-lock.json")]

    def below(folder: Path) -> list[Path]:
        entries = sorted(folder.iterdir(), key=lambda path: path.name)
        return [path for entry in entries for path in (below(entry) if entry.is_dir() else [entry])]

    return [*alone, *below(SOURCES / "src")]


def test_it_was_made_of_the_sources_as_they_are() -> None:
    digest = hashlib.sha256()
    for path in sources():
        digest.update(f"{path.relative_to(SOURCES).as_posix()}\n".encode() + path.read_bytes())
    committed = (PAGE / "sources.sha256").read_text().strip()
    assert digest.hexdigest() == committed, "run: cd dashboard && npm ci && npm run build"


def test_all_of_it_is_small() -> None:
    sizes = {name: len(gzip.compress((PAGE / name).read_bytes())) for name in FILES}
    assert sum(sizes.values()) <= MOST_BYTES, sizes


def test_it_runs_no_text_as_code_and_loads_nothing_from_elsewhere() -> None:
    script = (PAGE / "app.js").read_text()
    assert not re.search(r"\beval\(|new Function\b|dangerouslySetInnerHTML:|document\.write", script)
    html = (PAGE / "index.html").read_text()
    style, script_file = (
        f"dashboard/{name}?{hashlib.sha256((PAGE / name).read_bytes()).hexdigest()[:12]}"
        for name in ("app.css", "app.js")
    )
    loaded = re.findall(r"""(?:src|href)="(?!data:)([^"]+)""", html)
    assert loaded == [style, "dashboard/config.json", script_file]
    assert "<style" not in html
    assert not re.search(r"<script(?![^>]*\bsrc=)", html)


def test_the_lock_names_every_library_with_its_hash() -> None:
    lock = json.loads((SOURCES / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert len(packages) > 10
    assert [name for name, entry in packages.items() if not entry.get("integrity")] == []
    elsewhere = [entry.get("resolved", "") for entry in packages.values()]
    assert [one for one in elsewhere if one and not one.startswith("https://registry.npmjs.org/")] == []


def test_the_lock_makes_it_again(installed: Path) -> None:
    """Byte for byte, in a copy."""
    subprocess.run(["node", "build.mjs"], cwd=installed, check=True)
    made = installed.parent / "functions/serve_dashboard/page"
    assert {path.name: path.read_bytes() for path in made.iterdir()} == {
        path.name: path.read_bytes() for path in PAGE.iterdir()
    }
