"""The report of forty programs, opened in Chromium; and of the corpus, where its results are there."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from depwatch.compare.report.inputs import read
from depwatch.compare.report.page import render, write
from measure import RESULTS, Row, Spread, finish, interleave
from pages.browser import NoChromium, chromium
from pages.made import replay

if TYPE_CHECKING:
    from playwright.sync_api import Browser

OPENINGS = 5
PROGRAMS = 40
BOUND = 2.0  # seconds
EMPTY = "<!DOCTYPE html><title>empty</title>"
# When everything is laid out and has been drawn once.
DRAWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit with status 1 if a bound is missed")
    parser.add_argument("--no-write", action="store_true", help="write no JSON")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="depwatch-") as folder, chromium() as browser:
            rows = measure(Path(folder), browser)
    except NoChromium as error:
        sys.exit(f"benchmarks: {error}")
    title = "A report in Chromium: base, an empty page"
    return finish("report", title, rows, check=options.check, write=not options.no_write)


def measure(folder: Path, browser: Browser) -> list[Row]:
    empty = folder / "empty.html"
    empty.write_text(EMPTY)
    made = folder / "made.json"
    made.write_text(json.dumps(replay(PROGRAMS)))
    inputs = {f"invented programs: {PROGRAMS}": [str(made)]}
    if corpus := sorted(map(str, RESULTS.glob("corpus-*.json"))):
        inputs["the corpus"] = corpus[-1:]
    pages = {"an empty page": empty}
    rows = []
    for number, (name, paths) in enumerate(inputs.items()):
        started = time.perf_counter()
        found = read(paths)
        text = render(found, paths)
        seconds = time.perf_counter() - started
        pages[name] = folder / f"{number}.html"
        size = write(str(pages[name]), text)
        rows.append(Row(f"{name}: made", "s", Spread.of([seconds]), note=f"{size / 1e6:.2f} MB"))
    variants = {name: lambda page=page: opening(browser, page) for name, page in pages.items()}
    taken = interleave(variants, OPENINGS)
    nothing = Spread.of(taken.pop("an empty page"))
    opened = [Row(f"{name}: opened", "s", Spread.of(times), bound=BOUND) for name, times in taken.items()]
    return [Row("an empty page: opened", "s", nothing), *rows, *opened]


def opening(browser: Browser, path: Path) -> float:
    """Seconds until all of it is drawn, in a context that has nothing cached."""
    context: Any = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    started = time.perf_counter()
    page.goto(path.as_uri())
    page.evaluate(DRAWN)
    seconds = time.perf_counter() - started
    context.close()
    return seconds


if __name__ == "__main__":
    sys.exit(main())
