"""A plugin of pytest: $VERDICTS gets what became of each test.

A test that is marked as one which may fail says no more: those of sparse pass or fail by their random data.
"""

import json
import os
from pathlib import Path
from typing import Any

_verdicts: dict[str, str] = {}


def pytest_runtest_logreport(report: Any) -> None:
    if report.when == "call" or report.outcome != "passed":
        when = "" if report.when == "call" else f" in {report.when}"
        _verdicts[report.nodeid] = "may fail" if hasattr(report, "wasxfail") else f"{report.outcome}{when}"


def pytest_collectreport(report: Any) -> None:
    if report.outcome != "passed":
        _verdicts[report.nodeid] = f"{report.outcome} in collection"


def pytest_sessionfinish() -> None:
    Path(os.environ["VERDICTS"]).write_text(json.dumps(_verdicts, indent=1))
