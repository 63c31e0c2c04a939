"""What stays plain numba because it cannot be watched, with the reason: kept here, and listed once at the end."""

import atexit
import contextlib
import multiprocessing
import os
import sys
import warnings
from typing import Any, Final, Literal

import numba

type OnRefusal = Literal["raise", "plain"]
ON_REFUSAL: Final = ("raise", "plain")

_NOT_THE_PROGRAM: Final = (os.path.dirname(__file__), os.path.dirname(numba.__file__))


class Listed:
    """What a process was asked to watch as a whole, and what of it is not watched."""

    def __init__(self) -> None:
        self.reasons: Final[dict[str, str]] = {}  # by full name, in the order of refusal
        self.without_disk: Final[dict[str, str]] = {}  # watched, but compiled anew in each process; with the reason
        self._process: int | None = None  # that lists them at its end

    def note(self, name: str, why: str) -> None:
        self.reasons.setdefault(name, why)

    @property
    def is_asked(self) -> bool:
        """Whether a list comes at the end, so that nothing need be said before."""
        return self._process is not None

    def at_end(self) -> None:
        """Let this process list them when it ends; one that multiprocessing has started is a part of another."""
        if self._process is None:
            self._process = os.getpid()
            if multiprocessing.parent_process() is None:
                atexit.register(self._list)

    def _list(self) -> None:
        if os.getpid() == self._process and sys.stderr is not None and (text := str(self)):
            with contextlib.suppress(OSError, ValueError):  # nobody reads it
                print(text, file=sys.stderr)

    def __str__(self) -> str:
        lines = []
        if self.reasons:
            lines.append(f"depwatch: plain numba, not watched: {len(self.reasons)}")
            lines += [f"  {name}: {why}" for name, why in self.reasons.items()]
        if self.without_disk:
            lines.append(f"depwatch: compiled in each process, in spite of cache=True: {len(self.without_disk)}")
            lines += [f"  {name}: {why}" for name, why in self.without_disk.items()]
        return "\n".join(lines)


listed: Final = Listed()


def tell_without_disk(name: str, why: str) -> None:
    """Say, once of each, that what has cache=True is compiled in each process."""
    first = name not in listed.without_disk
    listed.without_disk[name] = why
    if first and not listed.is_asked:
        warnings.warn(
            f"{name} has cache=True and is compiled in each process: {why}",
            RuntimeWarning,
            skip_file_prefixes=_NOT_THE_PROGRAM,
        )


def note_function(dispatcher: Any, why: str) -> None:
    """Note a dispatcher, but not one that numba has made itself, for a jitclass that is listed."""
    code = dispatcher.py_func.__code__
    if not any(name.startswith("__numba_") for name in (*code.co_names, *code.co_varnames)):
        listed.note(full_name(dispatcher), why)


def full_name(made: Any) -> str:
    """The module and name of what a decorator of numba's has made."""
    if hasattr(made, "class_type"):  # a jitclass, which numba's own module makes
        return f"{made.class_type.methods['__init__'].__module__}.{made.__name__}"
    found = getattr(made, "py_func", getattr(made, "_pyfunc", made))  # of a dispatcher, of a C callback
    if hasattr(found, "kernel_ir"):  # a stencil
        found = found.kernel_ir.func_id.func
    name = getattr(found, "__qualname__", None) or getattr(found, "__name__", "?")
    return f"{getattr(found, '__module__', None) or '?'}.{name}"
