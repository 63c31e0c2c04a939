"""Starts the recorder. CPython imports this before a program that `depwatch record` runs, in the same process.

What brought it here is gone then: the program finds the path, the environment and the sitecustomize that it would have.
"""

import importlib.util
import json
import os
import sys
from typing import Any


def _put_back() -> Any:
    """What the program would find; what the recorder is told. None in another interpreter of the process."""
    here = os.path.dirname(__file__)
    sys.path[:] = [path for path in sys.path if path != here]
    sys.path_importer_cache.pop(here, None)
    if "DEPWATCH_RECORD" not in os.environ:
        return None
    given = json.loads(os.environ.pop("DEPWATCH_RECORD"))
    if given["PYTHONPATH"] is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = given["PYTHONPATH"]
    return given


def _run_the_other() -> None:
    """The sitecustomize that Python would have imported. Until the program begins, this one stays where there is none:
    the import that is under way wants a module of that name."""
    spec = importlib.util.find_spec("sitecustomize")
    if spec is not None and spec.loader is not None:
        sys.modules["sitecustomize"] = other = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(other)


def _start() -> None:
    ours = sys.modules.pop("sitecustomize")  # or it would be found in there
    given = _put_back()
    try:
        _run_the_other()
    finally:
        sys.modules.setdefault("sitecustomize", ours)
        if given is not None:
            _record(given)


def _record(given: Any) -> None:
    try:
        from depwatch.compare.record.recording import record_this_process

        record_this_process(given["journal"], given["hot_after"], given["script"])
    except Exception as error:
        sys.exit(f"depwatch: the program cannot be recorded: {type(error).__name__}: {error}")


_start()
