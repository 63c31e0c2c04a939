"""Refuses to be imported in any interpreter but the main one, which is the only one that the core serves.

depwatch imports this module before the core, because the core would belong for ever to the first interpreter that loads
it. In an interpreter with its own GIL CPython would refuse the core, but without saying what to do.
"""

import importlib


def _is_main() -> bool:
    for name in ("_interpreters", "_xxsubinterpreters"):  # CPython 3.13+, 3.12
        try:
            interpreters = importlib.import_module(name)
        except ModuleNotFoundError:
            continue
        return bool(interpreters.get_current() == interpreters.get_main())
    return True  # CPython was built without that module, so Python code can make no other interpreter


if not _is_main():
    raise ImportError(
        "depwatch serves only the main interpreter of a process: import it there, or start a process instead of a "
        "second interpreter"
    )
