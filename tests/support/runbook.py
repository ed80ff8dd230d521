"""The runbook as its sections and the commands in them."""

import re
import shlex
from pathlib import Path

RUNBOOK = Path(__file__).parents[2] / "docs/runbook.md"
_SECTION = re.compile(r"^#{2,3} (.+)$", re.MULTILINE)
_COMMAND = re.compile(r"^\$ (.+)$", re.MULTILINE)


def sections() -> dict[str, str]:
    """The text of each section, by its title."""
    parts = _SECTION.split(RUNBOOK.read_text())
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def commands(text: str | None = None) -> list[list[str]]:
    """The commands of a text, or of the whole page, each once and in order, as words."""
    lines = _COMMAND.findall(RUNBOOK.read_text() if text is None else text)
    return [shlex.split(line) for line in dict.fromkeys(lines)]
