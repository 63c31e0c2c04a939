"""The process that is recorded, and those that it forks: each has a journal of its own."""

import atexit
import gc
import itertools
import json
import os
import sys
import time
from types import FrameType, ModuleType
from typing import Any, Final

from depwatch._core import find_static_tables

from . import _tap
from .places import Places
from .program import START, Given, split
from .recording import OURS, Recording

# depwatch's modules, by which the recorder runs: start/sitecustomize.py has taken them out of sys.modules.
hidden: Final[dict[str, ModuleType]] = {}


def record(told: str, objects: list[object]) -> None:
    """Record this process from now to its end.

    told: a Given, as JSON. objects: those that the garbage collector knew before the recorder came. It need not look at
    the recorder's own, and the program does not find them in its lists. Raises OSError; RuntimeError.
    """
    Process(Given(**json.loads(told))).start()
    if sys.hexversion < 0x030D0300:  # where the core cannot find them any more once they are frozen (gh-131740)
        find_static_tables()
    _tap.freeze_others(objects, gc.freeze)


class Process:
    def __init__(self, given: Given) -> None:
        self._given: Final = given
        _, self._command = split(sys.orig_argv)
        self._place: Final = _place(self._command, given)
        self._id = os.getpid()
        self._recording: Recording | None = None

    def start(self) -> None:
        directory = _own_directory(self._given.journal) if self._given.is_child else self._given.journal
        more = {"command": self._command} if self._given.is_child else {}
        self._recording = Recording(directory, Places(self._place), self._given.hot_after, hidden)
        told = Given(self._given.journal, self._given.hot_after, self._place, True).told()
        _tap.let_children_in(os.fsencode(START), os.fsencode(json.dumps(told)), os.fsencode(sys.executable), self._end)
        # Registered before the program can register anything: runs after its threads and its own exit functions.
        atexit.register(self._end)
        os.register_at_fork(after_in_child=self._forked)
        self._recording.start(more | self._described("start"))

    def _end(self, status: int | None = None) -> None:
        """status: with which os._exit() is called; None: the exit functions run."""
        if self._recording is not None and os.getpid() == self._id:
            self._recording.end(status)

    def _forked(self) -> None:
        """In the child: what is known of its functions is forgotten, and it is recorded as if it had just begun."""
        before, self._recording = self._recording, None
        self._id = os.getpid()
        if before is None or not _tap.was_on():
            return
        if _runs_code_of_ours(sys._getframe().f_back):  # a signal handler has forked: that code still uses it all
            before.abandon()
            return
        before.forget()
        try:
            self._recording = before.again(_own_directory(self._given.journal))
        except OSError:  # depwatch record has ended, and its directory is gone
            before.abandon()
            return
        more = {"command": self._command} if self._given.is_child else {}
        self._recording.start(more | self._described("fork"))

    def _described(self, how: str) -> dict[str, Any]:
        return {"process": {"id": self._id, "parent": os.getppid(), "how": how, "began": time.monotonic_ns()}}


def _place(command: list[str], given: Given) -> str:
    """The directory that <program> stands for: that of the script; in a child without one the program's."""
    if not command or command[0].startswith("-"):
        return given.place or os.getcwd()
    return os.path.dirname(os.path.realpath(command[0]))


def _own_directory(journals: str) -> str:
    """A new directory for this process, which may run several programs one after the other (os.exec)."""
    for number in itertools.count(1):
        path = os.path.join(journals, f"{os.getpid()}.{number}")
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            continue
        return path
    raise AssertionError


def _runs_code_of_ours(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith(OURS):
            return True
        frame = frame.f_back
    return False
