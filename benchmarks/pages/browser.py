"""Chromium, driven by playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ARGUMENTS = (
    "--headless",
    "--no-sandbox",  # which root, and so a container, has to do without
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NAMES = ("chromium", "chromium-browser")
REMEDY = "no chromium on PATH: apt-get install -y chromium (or your system's package of that name)"


class NoChromium(Exception):
    """This machine has none."""


def executable() -> str | None:
    """The system's own, not one that playwright would download."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Runs it. Raises NoChromium, with the remedy."""
    from playwright.sync_api import sync_playwright

    path = executable()
    if path is None:
        raise NoChromium(REMEDY)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()
