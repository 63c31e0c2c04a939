"""Which interpreter of the process this is: the core serves the main one only, whoever imports it first.

Imported before the core, as that would belong for ever to the interpreter that is the first to load it; and CPython
refuses it in an interpreter with its own GIL without saying what to do.
"""

import importlib


def _is_main() -> bool:
    for name in ("_interpreters", "_xxsubinterpreters"):  # CPython 3.13+, 3.12
        try:
            interpreters = importlib.import_module(name)
        except ModuleNotFoundError:
            continue
        return bool(interpreters.get_current() == interpreters.get_main())
    return True  # built without: then nothing in Python can make another one


if not _is_main():
    raise ImportError(
        "depwatch serves one interpreter of a process, the main one: import and use it there, with what the main "
        "interpreter runs, or start a process of its own instead of an interpreter"
    )
