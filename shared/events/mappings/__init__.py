"""Mappings that come with the product, of exports whose columns are publicly documented: a TOML file each, by its name.

The first line of a file says in a comment what it reads, and the next ones by which pages.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from shared.events.mapping import InvalidMapping

_FOLDER = Path(__file__).parent
NAMES = tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))
"""What `--mapping` and `--put` take in place of a file."""


def document(name: str) -> bytes:
    """The mapping of this name, one of NAMES."""
    return (_FOLDER / f"{NAMES[NAMES.index(name)]}.toml").read_bytes()


def title(name: str) -> str:
    """What it reads."""
    return document(name).decode().partition("\n")[0].removeprefix("# ")


def named(path: Path) -> bytes:
    """The mapping in a file, or of this name where there is no such file. Raises InvalidMapping, OSError."""
    if path.is_file() or str(path) not in NAMES:
        if not path.exists():
            raise InvalidMapping(f"there is no such file, and no mapping of that name; there are {', '.join(NAMES)}")
        return path.read_bytes()
    return document(str(path))


def with_options(document: bytes, options: Mapping[str, str]) -> bytes:
    """The same mapping with other values of options that stand outside of its tables."""
    before, *tables = re.split(rb"(?m)^(?=\s*\[)", document, maxsplit=1)
    kept = [
        line for line in before.split(b"\n") if line.partition(b"=")[0].decode(errors="replace").strip() not in options
    ]
    at = next((at for at, line in enumerate(kept) if not line.startswith(b"#")), len(kept))
    # A text of JSON is one of TOML too, but for a control character that JSON writes as it is.
    texts = {name: json.dumps(value.replace("\x7f", "?"), ensure_ascii=False) for name, value in options.items()}
    added = [f"{name} = {text}".encode(errors="replace") for name, text in texts.items()]
    return b"\n".join([*kept[:at], *added, *kept[at:]]) + b"".join(tables)
