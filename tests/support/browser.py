"""Chromium for the tests: find it, or install it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.apt import apt_install

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


class NoBrowserError(Exception):
    """There is no Chromium, and it could not be installed."""


def chromium_path() -> str | None:
    """Return the path of Chromium from `INVOKE_WIDGETS_CHROMIUM`, the system or playwright, or None."""
    if chosen := os.environ.get("INVOKE_WIDGETS_CHROMIUM"):
        return chosen
    if found := next(filter(None, map(shutil.which, _NAMES)), None):
        return found
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def install_chromium() -> str:
    """Return the path of Chromium, installing it first if necessary.

    Raises:
        NoBrowserError: it could not be installed.
    """
    if found := chromium_path():
        return found
    attempts = apt_install("chromium")
    if found := chromium_path():
        return found
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    attempts.append(" ".join(command))
    print("+", attempts[-1], flush=True)
    if not subprocess.run(command, stdin=subprocess.DEVNULL).returncode and (found := chromium_path()):
        return found
    tried = "; ".join(attempts)
    raise NoBrowserError(
        f"The browser tests need Chromium, and it could not be installed (tried: {tried}). Install it and have it on "
        "the PATH, or name it in INVOKE_WIDGETS_CHROMIUM; `python -m tests --quick` runs what needs no browser."
    )
