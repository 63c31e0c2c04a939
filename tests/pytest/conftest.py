"""A fixture that runs tests of a small package with --depwatch-leaks."""

import json
import textwrap
from types import SimpleNamespace

import pytest

SHOP = """
    MODE = "plain"
    NAMES = ["a", "b"]
    CACHE = None
    class Base:
        limit = 1
        def price(self): return 2
        @staticmethod
        def rate(x=1): return x
    class Goods(Base): pass
    def price(x, y=1, *, rate=2): return x * y * rate
    def fill():
        global CACHE
        CACHE = {}
    def set_mode(mode):
        global MODE
        MODE = mode
    """
HEADING = "depwatch: what tests left changed"


@pytest.fixture
def run(pytester, monkeypatch):
    """run(tests, *arguments, **files): what `pytest --depwatch-leaks` says of these tests of the module shop.

    It runs in this process, which has imported what it needs. plugins: only these; None: all that are installed.
    leaks: the lines of the JSON file; summary: the lines below the heading; outcomes: how many tests passed and so on.
    """

    def run(tests, *arguments, mode="--depwatch-leaks", plugins=("depwatch.integrations.pytest",), **files):
        for name, text in (
            {"shop": SHOP, "test_shop": "import shop, pytest\n" + textwrap.dedent(tests)} | files
        ).items():
            path = pytester.path / f"{name}.py"
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(textwrap.dedent(text).lstrip("\n"))
        file = pytester.path / "leaks.json"
        if plugins is not None:
            monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        options = [f"-p{plugin}" for plugin in plugins or ()] + [mode, f"--depwatch-leaks-json={file}"]
        result = pytester.runpytest_inprocess(*options, *arguments)
        lines = result.outlines
        heading = next((i for i, line in enumerate(lines) if HEADING in line), len(lines))
        end = next((i for i in range(heading, len(lines)) if lines[i].endswith("by the baseline")), heading)
        leaks = json.loads(file.read_text()) if file.exists() else None
        return SimpleNamespace(
            leaks=leaks and [" ".join(str(value) for value in leak.values()) for leak in leaks],
            rows=leaks,
            summary=[line for line in lines[heading + 1 : end + 1] if line],
            outcomes=result.parseoutcomes() if leaks is not None else None,
            errors=result.errlines,
            lines=lines,
            file=file,
        )

    return run
