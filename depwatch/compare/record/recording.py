"""Records a running program: what its functions depend on is looked up when they have been called often enough.

It runs inside the program's own calls (sys.monitoring's callbacks) and in depwatch's drain, in whichever thread that
is, and takes no lock: a signal handler or a finalizer of the program could come in between and deadlock. Instead,
every step leaves the state usable, and what must not be torn apart is one call of the tap.
"""

import atexit
import json
import os
import sys
from types import CodeType, FrameType, ModuleType
from typing import Any, Final

import depwatch
from depwatch.compare.policies import HOT_AFTER
from depwatch.values import dict_of_module, is_a

from . import _tap, bytecode
from .function import Function
from .live import Live
from .objects import MISSING, Objects
from .places import STDLIB, Places
from .program import START
from .resolve import Found, Resolver, first_argument
from .sites import Classes

KNOWN_AFTER: Final = 10  # calls: from then on a function is in the trace

_MOST_FILES: Final = 10_000  # names that are remembered
_OURS: Final = os.path.dirname(depwatch.__file__) + os.sep
_monitoring: Final = sys.monitoring
_CALL: Final = _monitoring.events.PY_START
_LINE: Final = _monitoring.events.LINE


def record_this_process(directory: str, hot_after: int, script: str | None) -> None:
    """Record from now to the end of the process. directory: for the journal. script: None where a module is run.

    Raises OSError; RuntimeError.
    """
    process = os.getpid()
    where = os.getcwd() if script is None else os.path.dirname(os.path.realpath(script))
    recording = Recording(directory, Places(where), hot_after)

    def end() -> None:
        if os.getpid() == process:
            recording.end()

    # Registered before the program can register anything: runs after its threads and its own exit functions.
    atexit.register(end)
    os.register_at_fork(after_in_child=recording.abandon)
    recording.start()


class Recording:
    def __init__(self, directory: str, places: Places, hot_after: int = HOT_AFTER) -> None:
        """directory: for the journal. Raises OSError; RuntimeError if the program's tools leave no ID to us."""
        self.live: Final = Live()
        self._hot_after: Final = hot_after
        self._places: Final = places
        self._objects: Final = Objects(places)
        self._classes: Final = Classes()
        self._missing = 0  # look-ups that found nothing: NameError, or an attribute made by __getattr__
        self._unwatchable = 0
        self._files: Final[dict[str, int | None]] = {}
        self._has_begun = False  # the program
        self._tool: Final = _free_tool()
        on_call, on_line = _tap.begin(
            directory, self._on_first_call, self._on_threshold, hot_after, depwatch.drain.__code__
        )
        _monitoring.use_tool_id(self._tool, "depwatch record")
        _monitoring.register_callback(self._tool, _CALL, on_call)
        _monitoring.register_callback(self._tool, _LINE, on_line)

    def start(self) -> None:
        places = {"program": self._places.program, "stdlib": STDLIB}
        _tap.json(json.dumps({"python": sys.version.split()[0], "places": places}))
        _tap.switch(True)
        _monitoring.set_events(self._tool, _CALL)

    def end(self) -> None:
        """The program has ended: say what depwatch's own handles did."""
        if not _tap.is_on():
            return
        if not self._has_begun:
            _tap.json(json.dumps({"ran": False}))
            self.abandon()
            return
        self._leave_monitoring()
        _tap.drain()
        report = self.live.report(*self.live.missed())
        report["missing"], report["unwatchable"] = self._missing, self._unwatchable
        _tap.json(json.dumps({"live": report}))
        _tap.end()

    def abandon(self) -> None:
        """This is a forked child, or there was no program: what still runs is not recorded."""
        _tap.switch(False)
        self._leave_monitoring()

    def _leave_monitoring(self) -> None:
        """Code that is still instrumented then calls nobody."""
        if _monitoring.get_tool(self._tool) is not None:
            _monitoring.set_events(self._tool, 0)
            for event in (_CALL, _LINE):
                _monitoring.register_callback(self._tool, event, None)
            _monitoring.free_tool_id(self._tool)

    # -- the program's calls -------------------------------------------------------------------------------------------

    def _on_first_call(self, code: CodeType) -> int | None:
        """The number of the file's name; None: code of ours."""
        file = code.co_filename
        if not self._has_begun and code.co_name == "<module>":
            self._look_for_program(sys._getframe(1))
        try:
            return self._files[file]
        except KeyError:
            number = None if file.startswith(_OURS) else _tap.string(self._places.name(file))
            if self._files.__len__() == _MOST_FILES:  # of code that the program makes up; it may replace len, too
                self._files.clear()
            self._files[file] = number
            return number

    def _look_for_program(self, frame: FrameType) -> None:
        """Whether it is the program that begins, and not what CPython runs before it."""
        if frame.f_globals is dict_of_module(sys.modules["__main__"]):
            self._has_begun = True
            if _starter(sys.modules.get("sitecustomize")):
                del sys.modules["sitecustomize"]

    def _on_threshold(
        self, code: CodeType, called: object, function: Function | None, calls: int, reasons: int
    ) -> None:
        try:
            if function is None and calls < min(KNOWN_AFTER, self._hot_after):
                _monitoring.set_local_events(self._tool, code, _LINE)
            else:
                self._look_at(code, called, function, calls, reasons)
        except RecursionError:  # the program is about to get one, too; the next call is as good
            raise
        except Exception as error:
            if not _is_ours(error):  # a signal handler of the program ran in between
                raise
            self._fail(error)

    def _look_at(self, code: CodeType, called: object, function: Function | None, calls: int, reasons: int) -> None:
        _need_room()
        _tap.drain()  # a change counts before this call does
        for dead in _tap.dead():
            self.live.release(dead)
        if function is None:
            uses, sites, count = bytecode.read(code)
            function = Function(called, code.co_qualname, uses, sites)
            _tap.function(called, function.name, count, function)
        is_hot = not function.hot and calls >= self._hot_after
        commits = is_hot or bool(reasons & _tap.COLD) or function.bereft
        found = self._resolve(code, function, must=commits or bool(reasons & _tap.LOOK))
        function.hot = function.hot or is_hot
        if commits:
            self._commit(function, found)

    def _resolve(self, code: CodeType, function: Function, must: bool) -> list[Found]:
        """Look up the dependencies, unless they are known to be the same as before: then the list is empty."""
        frame = _frame_of(code)
        argument = first_argument(code, frame)
        kind = next((each if is_a(each, type) else type(each) for each in argument), None)
        seen = (_tap.lines_run(function.called), id(kind))
        if not must and seen == function.seen:
            return []
        resolver = Resolver(self._objects, frame, argument)
        lines = _tap.lines(function.called)
        resolver.resolve(function.uses, lines)
        resolver.resolve_seen(self._classes.seen(code, function.sites, lines, function.last))
        self._missing += resolver.missing
        self._unwatchable += resolver.unwatchable
        found = list(resolver.found.values())
        keys = tuple(each.key() for each in found)
        is_new = function.seen is None or keys != function.keys
        rows = [
            (
                each.facet,
                each.places,
                None if each.via is None else each.via.number,
                each.patchable,
                () if each.value is MISSING else (each.value,),
            )
            for each in found
        ]
        function.seen, function.keys = seen, keys
        if not _tap.resolved(function.called, rows, is_new):
            _tap.look(function.called)  # another thread has changed something
        return found

    def _commit(self, function: Function, found: list[Found]) -> None:
        if self.live.commit(function, found) and function.handle is not None:
            _tap.hold(function.called, function.handle.broken_address)
            _tap.set_cold(function.called, 0)
        else:  # it stays cold; at the next call again
            _tap.hold(function.called, 0)
            _tap.set_cold(function.called, self._hot_after - 1)

    def _fail(self, error: Exception) -> None:
        """A callback may not raise: it would be the program that raises."""
        _tap.json(json.dumps({"failure": repr(error)}))
        self.abandon()


def _starter(module: ModuleType | None) -> bool:
    return module is not None and getattr(module, "__file__", None) == os.path.join(START, "sitecustomize.py")


def _free_tool() -> int:
    # 5 is for optimizers, and hardly used; 3 and 4 have no usual owner. A program that wants the one that is taken gets
    # the ValueError of CPython, as beside any other tool.
    for tool in (5, 4, 3, 1, 0, 2):
        if _monitoring.get_tool(tool) is None:
            return tool
    raise RuntimeError("one of the six tool IDs of sys.monitoring must be free")


def _is_ours(error: BaseException) -> bool:
    """Whether code of ours raised it, or what that calls."""
    traceback, file = error.__traceback__, ""
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        traceback = traceback.tb_next
    return file.startswith((_OURS, os.path.join(STDLIB, "dis.py")))


def _need_room(depth: int = 50) -> None:
    """Raise RecursionError now if the program has recursed so deep that resolving would raise it halfway."""
    if depth:
        _need_room(depth - 1)


def _frame_of(code: CodeType) -> Any:
    """The frame that is about to run code, in this thread."""
    frame: Any = sys._getframe(1)
    while frame.f_code is not code:
        frame = frame.f_back
    return frame
