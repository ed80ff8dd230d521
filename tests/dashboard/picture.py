"""The picture of the dashboard in README.md, of a page that was saved.

python -m tests.dashboard.picture build/demo/dashboard.html    writes docs/dashboard.png
"""

import io
import sys
from pathlib import Path

from PIL import Image

from local.browser import browser
from local.emulator import ROOT

PICTURE = ROOT / "docs/dashboard.png"
WIDTH, HEIGHT = 1280, 860
COLOURS = 64


def main() -> int:
    """Draws the page of segments."""
    saved = Path(sys.argv[1]).resolve()
    with browser() as chromium:
        page = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT}, locale="en-US")
        page.goto(f"file://{saved}#/segments")
        page.wait_for_selector(".drawing svg")
        page.wait_for_selector(".waiting", state="detached")
        # What says that it is a snapshot is true of the page, not of the picture.
        page.evaluate("() => document.querySelector('.banner').remove()")
        picture = Image.open(io.BytesIO(page.screenshot()))
    picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(PICTURE, optimize=True)
    sys.stdout.write(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size:,} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
