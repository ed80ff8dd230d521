"""A Chromium for whoever looks at a page: one that is installed, else Playwright's own, else the system's.

python -m local.browser    finds one, or installs one
"""

import atexit
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from playwright.sync_api import Browser, BrowserType, Error, Playwright, sync_playwright

INSTALLED = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
HELP = "install Chromium, for example by `apt-get install chromium`, and try again"


class NoBrowser(Exception):
    """No Chromium starts on this machine; the message says what was tried."""


@contextmanager
def browser() -> Iterator[Browser]:
    """A headless Chromium. Raises NoBrowser."""
    started = _start(_playwright().chromium)
    try:
        yield started
    finally:
        started.close()


@cache
def _playwright() -> Playwright:
    """One for all browsers: a process may have no second one while the first runs."""
    playwright = sync_playwright().start()
    atexit.register(playwright.stop)
    return playwright


def _start(chromium: BrowserType) -> Browser:
    tried = []
    for path in [*filter(None, map(shutil.which, INSTALLED)), None]:
        try:
            return chromium.launch(executable_path=path)
        except Error as error:
            tried.append(f"{path or 'the one of Playwright'}: {error.message.strip().splitlines()[0]}")
    raise NoBrowser(f"{'; '.join(tried)}; {HELP}")


def _starts() -> bool:
    try:
        with browser() as started:
            sys.stdout.write(f"Chromium {started.version} is there\n")
    except NoBrowser:
        return False
    return True


def main() -> int:
    """Finds a browser or installs one; its exit status is 1 where none can be had."""
    root = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
    apt = [*root, "apt-get", "--quiet=2"]
    ways = [
        [[sys.executable, "-m", "playwright", "install", "--only-shell", "chromium"]],
        [[*apt, "update"], [*apt, "install", "--yes", "--no-install-recommends", "chromium"]],
    ]
    if _starts():
        return 0
    for commands in ways:
        if shutil.which(commands[0][0]) is None:
            continue
        sys.stdout.write(f"Installing a browser for the tests: {' '.join(commands[-1][:6])} …\n")
        sys.stdout.flush()
        done = all(
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
            for command in commands
        )
        if done and _starts():
            return 0
    sys.stderr.write(f"No browser can be had for the tests of report.html, which will fail: {HELP}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
