"""Starts the recorder. CPython imports this before a program that `depwatch record` runs, in the same process.

What brought it here is gone then: the program finds the path, the environment, the modules and the sitecustomize that
it would have. Nothing is imported here that a plain start has not imported.
"""

import _frozen_importlib
import _frozen_importlib_external
import builtins
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HERE = os.path.dirname(__file__)
_VARIABLE = "DEPWATCH_RECORD"


def _start() -> None:
    ours = sys.modules.pop("sitecustomize")  # or it would be found in there
    told = _put_back()
    try:
        _run_the_other()
    except _NoneThere:
        _record(told)
        # The import that is under way ends as it would: site takes this for a sitecustomize that is not there.
        raise ImportError("No module named 'sitecustomize'", name="sitecustomize") from None
    except BaseException:
        sys.modules.setdefault("sitecustomize", ours)  # importlib takes it away
        _record(told)
        raise
    _record(told)


def _put_back() -> str | None:
    """What the program would find; what the recorder is told: None in another interpreter of the process."""
    sys.path[:] = [path for path in sys.path if path.rstrip("/") != _HERE]
    for path in (_HERE, _HERE + "/"):
        sys.path_importer_cache.pop(path, None)
    told = os.environ.pop(_VARIABLE, None)
    if told is not None:
        path = os.environ["PYTHONPATH"]
        if path == _HERE:
            del os.environ["PYTHONPATH"]
        else:  # after a colon; if it is empty, after a slash: path_with_ours() in record/program.py
            os.environ["PYTHONPATH"] = path[len(_HERE) + 1 :]
    return told


class _NoneThere(Exception):
    pass


def _run_the_other() -> None:
    """The sitecustomize that Python would have imported."""
    spec = _frozen_importlib._find_spec("sitecustomize", None)  # type: ignore[attr-defined]
    if spec is None or spec.loader is None:
        raise _NoneThere
    sys.modules["sitecustomize"] = other = _frozen_importlib.module_from_spec(spec)
    spec.loader.exec_module(other)


def _record(told: str | None) -> None:
    if told is None:
        return
    modules, paths = set(sys.modules), set(sys.path_importer_cache)
    loader: Any = _frozen_importlib_external._LoaderBasics
    execute, builtins_of_ours = loader.exec_module, dict(vars(builtins))

    def exec_module(self: object, module: "Any") -> None:
        vars(module)["__builtins__"] = builtins_of_ours  # the program may replace its own
        execute(self, module)

    loader.exec_module = exec_module
    try:
        import gc

        objects = gc.get_objects()
        from depwatch.compare.record import process

        process.record(told, objects)
    except Exception as error:
        if '"is_child": true' not in told:  # a child may be of another environment, which has no depwatch
            sys.exit(f"depwatch: the program cannot be recorded: {type(error).__name__}: {error}")
    finally:
        loader.exec_module = execute
        _hide(modules, paths)


def _hide(before: set[str], paths: set[str]) -> None:
    """The modules that the recorder has imported: it has them, and the program imports its own.

    All but depwatch's: there is one depwatch in a process. If the program imports it, record/process.py gives it back.
    """
    for path in set(sys.path_importer_cache) - paths:
        del sys.path_importer_cache[path]
    hidden = {name: module for name, module in list(sys.modules.items()) if name not in before}
    for name in hidden:
        del sys.modules[name]
        package, _, attribute = name.rpartition(".")
        if package in before:
            vars(sys.modules[package]).pop(attribute, None)
    if "depwatch.compare.record.process" in hidden:
        hidden["depwatch.compare.record.process"].hidden.update(
            {name: module for name, module in hidden.items() if name.partition(".")[0] == "depwatch"}
        )


_start()
