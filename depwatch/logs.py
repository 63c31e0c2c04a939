"""What depwatch logs if the environment asks for it: DEPWATCH_LOG, DEPWATCH_LOG_JSON and DEPWATCH_LOG_VALUES.

Lines go to the program's handlers of the logger "depwatch", or to stderr if it has none; and to a file, as JSON. The
program's logging configuration stays as it is, and a line that cannot be written is dropped.
"""

import collections
import contextlib
import functools
import re
import sys
from collections.abc import Callable
from json import dumps
from logging import INFO, WARNING, LogRecord, getLogger
from os import O_APPEND, O_CLOEXEC, O_CREAT, O_WRONLY, close, environ, getpid, open, path, write
from threading import get_ident
from time import time
from typing import Any, Final, final

from depwatch import _core
from depwatch.notice import HandleEvent, on_any
from depwatch.redaction import shown

KINDS: Final = ("invalidations", "recompiles", "refusals")
_WAITING: Final = 10_000  # lines, for the program to leave its logging
# A drain runs between two bytecodes of the program. A thread that is in one of these modules may hold a lock that is
# not reentrant, and that a handler of the program would wait for.
_LOCKING: Final = frozenset(
    ("logging", "logging.handlers", "queue", "threading", "multiprocessing.queues", "multiprocessing.synchronize")
)
_STARTING: Final = frozenset(("_bootstrap", "_bootstrap_inner", "run"))  # what threading calls a thread's function by
_QUOTED: Final = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")


def say(text: str) -> None:
    """One line on stderr, whatever the program has made of sys.stderr."""
    with contextlib.suppress(OSError):
        write(2, f"depwatch: {text}\n".encode(errors="backslashreplace"))


def _kinds(given: str) -> frozenset[str]:
    """What DEPWATCH_LOG asks for. What it cannot ask for is named on stderr."""
    words = [word.strip() for word in given.split(",") if word.strip()]
    if wrong := [word for word in words if word not in (*KINDS, "all")]:
        say(f"DEPWATCH_LOG has {', '.join(map(repr, wrong))}; it can have {', '.join(KINDS)} or all, with commas")
    return frozenset(KINDS if "all" in words else words)


def _name_in(text: str) -> str:
    """The name in the words of a facet ("global 'RATE' of module shop"), or the words if there is none."""
    found = _QUOTED.search(text)
    return text if found is None else found[1] or found[2] or ""


def _harmless[**Given](method: Callable[Given, None]) -> Callable[Given, None]:
    """Lets no exception of a log reach the program. (This file imports names, as a program may patch modules.)"""

    @functools.wraps(method)
    def tried(*args: Given.args, **kwargs: Given.kwargs) -> None:
        with contextlib.suppress(Exception):
            method(*args, **kwargs)

    return tried


@final
class Log:
    """Where lines go, and which."""

    def __init__(self, kinds: frozenset[str], as_text: bool, file: str | None, values: bool) -> None:
        self.kinds: Final = kinds
        self._as_text: Final = as_text
        self._file: Final = file
        self._values: Final = values
        self._logger: Final = getLogger("depwatch")
        self._waiting: Final[collections.deque[LogRecord]] = collections.deque(maxlen=_WAITING)

    # --- what happened ------------------------------------------------------------------------------------------------

    @_harmless
    def handle_changed(self, event: HandleEvent) -> None:
        """A listener of on_any()."""
        name = "a handle of C code" if event.handle is None else event.handle.name
        known: dict[str, Any] = {"event": event.what, "handle": name}
        about = event.text or ""
        match event.what:
            case "invalidated":
                old, new = (None if each is None else self._shown(about, each) for each in (event.old, event.new))
                change = None if event.change is None else event.change.name.lower()
                known |= {"facet": about, "change": change, "old": old, "new": new, "file": event.filename}
                known["line"] = event.lineno
                place = "outside Python code" if event.filename is None else f"{event.filename}:{event.lineno}"
                values = f"{old or '(unknown)'} -> {new or '(unknown)'}, " if change == "modified" else ""
                said = f"{name!r} invalidated: {about}: {values}{change or 'changed'} at {place}"
            case "resumed":
                known["facet"] = about
                said = f"{name!r} may run again: {about} holds again"
            case _:
                known["cause"], known["reason"] = self._reason(about)
                said = f"{name!r} retired: {known['reason']}"
        self.write(INFO, said, known)

    @_harmless
    def recompiled(self, name: str) -> None:
        self.write(INFO, f"{name!r} compiled again", {"event": "recompiled", "handle": name})

    @_harmless
    def refused(self, name: str, kind: str, message: str) -> None:
        why = shown(None, message, self._values)
        known = {"event": f"refused_{kind}", "handle": name, "reason": why}
        self.write(WARNING, f"{name!r} refused: {why}", known)

    def _shown(self, about: str, value: str) -> str:
        return shown(_name_in(about), value, self._values)

    def _reason(self, text: str) -> tuple[str, str]:
        """The cause, and the reason for which a handle was retired, without the values that are to be hidden."""
        for cause, words in _core.REASONS.items():
            about, found, change = text.partition(f" {words}: ")
            if found:
                values, at, place = change.rpartition(" at ")
                return cause, about + found + self._shown(about, values) + at + place
            if text.endswith(f" {words}"):
                return cause, text
        return "called", shown(None, text)

    # --- writing ------------------------------------------------------------------------------------------------------

    def write(self, level: int, said: str, known: dict[str, Any]) -> None:
        if self._file is not None:
            with contextlib.suppress(Exception):  # the text is written all the same
                self._write_json(known)
        if self._as_text:
            self._write_text(level, said, known)

    def _write_json(self, known: dict[str, Any]) -> None:
        about = {"time": time(), "process": getpid(), "thread": get_ident()}
        line = dumps(about | known, ensure_ascii=True) + "\n"
        # Opened for each line: the program may close all files, and files may be rotated.
        file = open(self._file or "", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        try:
            write(file, line.encode())
        finally:
            close(file)

    def _write_text(self, level: int, said: str, known: dict[str, Any]) -> None:
        logger = self._logger
        if level < logger.level or level <= logger.manager.disable or logger.disabled:
            return
        if not logger.hasHandlers():
            say(said)
            return
        place, line = known.get("file") or "(unknown file)", known.get("line") or 0
        record = LogRecord("depwatch", level, place, line, said, None, None)
        record.depwatch = known
        self._waiting.append(record)
        if not _may_hold_a_lock():
            self.flush()

    def flush(self) -> None:
        """Hand waiting lines to the program's handlers."""
        while self._waiting:
            with contextlib.suppress(Exception):
                self._logger.handle(self._waiting.popleft())


def _may_hold_a_lock() -> bool:
    """Whether this thread is somewhere in a module with locks that a handler could wait for."""
    frame = sys._getframe(1).f_back
    while frame is not None:
        name = frame.f_globals.get("__name__")
        if type(name) is str and name in _LOCKING and frame.f_code.co_name not in _STARTING:
            return True
        frame = frame.f_back
    return False


def start() -> Log | None:
    """The log that the environment asks for, or None."""
    asked, file = environ.get("DEPWATCH_LOG", ""), environ.get("DEPWATCH_LOG_JSON") or None
    kinds = _kinds(asked) if asked else frozenset(KINDS if file else ())
    if not kinds:
        return None
    values = environ.get("DEPWATCH_LOG_VALUES", "")
    if values not in ("", "on", "off"):
        say(f"DEPWATCH_LOG_VALUES is {values!r}, so no value is shown; it can be on or off")
    log = Log(kinds, bool(asked), file and path.abspath(file), values in ("", "on"))
    if log._file is not None:
        try:
            log._write_json({"event": "started", "python": sys.version.split()[0], "depwatch": _core.RELEASE})
        except OSError as error:
            say(f"DEPWATCH_LOG_JSON={file}: {error.strerror}, so nothing is logged there")
            log = Log(kinds, bool(asked), None, log._values)
    if "invalidations" in kinds:
        on_any(log.handle_changed)
    return log
