"""A plugin of pytest: keeps a call of each function of $PRICED_PACKAGE that its tests run, in $PRICED_CALLS.

With NUMBA_DISABLE_JIT=1, so that what compiled code calls is seen, too.
"""

import os
import pickle
import sys
import time
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from calls import SUSPENDED, TOOL, arguments  # in corpus/jit

PACKAGE = os.environ["PRICED_PACKAGE"]
SECONDS = 150.0  # after that the tests end, with what was seen
LARGEST = 10_000_000  # bytes of the arguments
TRIES = 20  # calls of a function, until one has arguments that can be kept

kept: dict[tuple[str, str], bytes] = {}  # by module and name: (positional, named), pickled
tries: dict[tuple[str, str], int] = {}


def started(code: CodeType, offset: int) -> Any:
    frame = sys._getframe(1)
    module = str(frame.f_globals.get("__name__"))
    where = module, code.co_qualname
    tries[where] = tries.get(where, 0) + 1
    foreign = module.partition(".")[0] != PACKAGE or ".test" in module
    if foreign or where in kept or tries[where] > TRIES or code.co_flags & SUSPENDED or "<" in code.co_qualname:
        return sys.monitoring.DISABLE
    try:
        arguments_then = pickle.dumps(arguments(frame))
    except Exception:  # whatever an object of the tests raises
        return None
    if len(arguments_then) <= LARGEST:
        kept[where] = arguments_then
    return None


class Plugin:
    def __init__(self) -> None:
        self.until = time.monotonic() + SECONDS

    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        if time.monotonic() > self.until:
            item.session.shouldstop = f"{SECONDS:.0f} s are over"


def pytest_configure(config: pytest.Config) -> None:
    sys.monitoring.use_tool_id(TOOL, "depwatch prices")
    sys.monitoring.register_callback(TOOL, sys.monitoring.events.PY_START, started)
    sys.monitoring.set_events(TOOL, sys.monitoring.events.PY_START)
    config.pluginmanager.register(Plugin())


def pytest_sessionfinish() -> None:
    sys.monitoring.set_events(TOOL, 0)
    Path(os.environ["PRICED_CALLS"]).write_bytes(pickle.dumps(kept))
