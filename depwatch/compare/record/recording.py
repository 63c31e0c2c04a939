"""Records a running program: what its functions depend on is looked up when they have been called often enough.

It runs inside the program's own calls (sys.monitoring's callbacks) and in depwatch's drain, in whichever thread that
is, and takes no lock: a signal handler or a finalizer of the program could come in between and deadlock. Instead,
every step leaves the state usable, and what must not be torn apart is one call of the tap.
"""

import _frozen_importlib
import json
import os
import sys
from types import CodeType, FrameType, ModuleType, SimpleNamespace
from typing import Any, Final

import depwatch
from depwatch.compare.policies import HOT_AFTER
from depwatch.values import dict_of_module

from . import _tap, bytecode
from .function import Function
from .objects import MISSING, Objects
from .places import STDLIB, Places
from .resolve import Found, Resolver, first_argument
from .sites import TABLES, Finder, lookups

KNOWN_AFTER: Final = 10  # calls: from then on a function is in the trace

_MOST_FILES: Final = 10_000  # names that are remembered
OURS: Final = os.path.dirname(depwatch.__file__) + os.sep
_monitoring: Final = SimpleNamespace(**_tap.monitoring(), events=sys.monitoring.events)
_CALL: Final = _monitoring.events.PY_START
_LINE: Final = _monitoring.events.LINE
_FIND_MODULE: Final[CodeType] = _frozen_importlib._find_and_load.__code__  # type: ignore[attr-defined]


class Recording:
    def __init__(
        self,
        directory: str,
        places: Places,
        hot_after: int = HOT_AFTER,
        hidden: dict[str, ModuleType] | None = None,
        before: "Recording | None" = None,
    ) -> None:
        """directory: for the journal. hidden: modules that the program may import, and that are not in sys.modules.
        before: of the process that was forked. Raises OSError; RuntimeError if the program's tools leave no ID to us.
        """
        self._hot_after: Final = hot_after
        self._places: Final = places
        self._objects: Final = Objects(places)
        self._finder: Final = Finder()
        self._missing = 0  # look-ups that found nothing: NameError, or an attribute made by __getattr__
        self._unwatchable = 0
        self._files: Final[dict[str, int | None]] = {}
        self._has_begun: bool = before is not None and before._has_begun  # the program
        self._hidden: Final = {} if hidden is None else hidden
        self._tool: int = _free_tool() if before is None else before._tool
        on_call, on_line = _tap.begin(
            directory, self._on_first_call, self._on_threshold, hot_after, depwatch.drain.__code__, TABLES
        )
        self._callbacks: Final = {_CALL: on_call, _LINE: on_line}
        if before is None:
            self._take_tool()
            _tap.take_last_watcher(lambda: depwatch.id_of({}))
        _tap.hide_tool(self._tool, self._change_tool)

    def start(self, described: dict[str, Any] | None = None) -> None:
        places = {"program": self._places.program, "stdlib": STDLIB}
        _tap.json(json.dumps({"python": sys.version.split()[0], "places": places} | (described or {})))
        _tap.switch(True)
        _tap.look_at_code(_FIND_MODULE)  # in a forked child; else nothing is known of it yet
        _monitoring.set_events(self._tool, _CALL)

    def end(self, status: int | None = None) -> None:
        """The program has ended."""
        if not _tap.is_on():
            return
        if not self._has_begun:
            _tap.json(json.dumps({"ran": False}))
            self.abandon()
            return
        self._leave_monitoring()
        _tap.drain()
        calls, mixed = _tap.calls()
        counts = {"calls": calls, "calls_in_other_namespaces": mixed}
        counts |= {"missing": self._missing, "unwatchable": self._unwatchable}
        _tap.json(json.dumps({"counted": counts}))
        _tap.end(status)
        _tap.json(json.dumps({"lookups": lookups()}))

    def forget(self) -> None:
        """In a forked child: nothing is known of any function, and nobody listens any more."""
        self._objects.forget()
        _tap.forget()

    def again(self, directory: str) -> "Recording":
        """The recording of a forked child, whose parent's this is. Raises OSError."""
        return Recording(directory, self._places, self._hot_after, self._hidden, self)

    def abandon(self) -> None:
        """There was no program, or the child of a fork cannot be recorded: what still runs is not recorded."""
        _tap.switch(False)
        self._leave_monitoring()

    def _take_tool(self) -> None:
        _monitoring.use_tool_id(self._tool, "depwatch record")
        for event, callback in self._callbacks.items():
            _monitoring.register_callback(self._tool, event, callback)

    def _change_tool(self) -> None:
        """The program wants the one that we have."""
        for event in self._callbacks:
            _monitoring.register_callback(self._tool, event, None)
        self._leave_monitoring()
        try:
            self._tool = _free_tool(self._tool)
        except RuntimeError:
            _tap.json(json.dumps({"failure": "RuntimeError: the program uses all six tools of sys.monitoring"}))
            _tap.switch(False)
            return
        self._take_tool()
        _tap.hide_tool(self._tool, self._change_tool)
        _monitoring.set_events(self._tool, _CALL)
        for code in _tap.codes():  # lines that have run are told again; those that have not were still to be told
            _monitoring.set_local_events(self._tool, code, _LINE)

    def _leave_monitoring(self) -> None:
        """Code that is still instrumented then calls nobody."""
        _tap.hide_tool(-1, self._change_tool)
        if _monitoring.get_tool(self._tool) is not None:
            _monitoring.set_events(self._tool, 0)
            # The callbacks stay, and do nothing any more: an audit hook of the program would hear of their going.
            _monitoring.free_tool_id(self._tool)

    # -- the program's calls -------------------------------------------------------------------------------------------

    def _on_first_call(self, code: CodeType) -> int | None:
        """The number of the file's name; None: code of ours."""
        file = code.co_filename
        if code is _FIND_MODULE:
            self._give_back(sys._getframe(1))
        if not self._has_begun and code.co_name == "<module>":
            self._look_for_program(sys._getframe(1))
        try:
            return self._files[file]
        except KeyError:
            number = None if file.startswith(OURS) else _tap.string(self._places.name(file))
            if self._files.__len__() == _MOST_FILES:  # of code that the program makes up; it may replace len, too
                self._files.clear()
            self._files[file] = number
            return number

    def _look_for_program(self, frame: FrameType) -> None:
        """Whether it is the program that begins, and not what CPython runs before it."""
        if frame.f_globals is dict_of_module(sys.modules["__main__"]):
            self._has_begun = True

    def _give_back(self, frame: FrameType) -> bool:
        """The program imports a module that it has not imported yet: depwatch's are as they are. Whether it was another
        one, so that this is to be asked again."""
        name = frame.f_locals.get("name")
        if type(name) is str and name.partition(".")[0] == "depwatch":
            sys.modules.update(self._hidden)
            self._hidden.clear()
        return bool(self._hidden)

    def _on_threshold(self, code: CodeType, called: object, function: Function | None, calls: int) -> None:
        try:
            if code is _FIND_MODULE and self._hidden and self._give_back(_frame_of(code)):
                _tap.look(called)
                if calls not in (2, KNOWN_AFTER, self._hot_after):  # else what it depends on would be found each time
                    return
            if function is None and calls < min(KNOWN_AFTER, self._hot_after):
                _monitoring.set_local_events(self._tool, code, _LINE)
            else:
                self._look_at(code, called, function)
        except RecursionError:  # the program is about to get one, too; the next call is as good
            raise
        except Exception as error:
            if not _is_ours(error):  # a signal handler of the program ran in between
                raise
            self._fail(error)

    def _look_at(self, code: CodeType, called: object, function: Function | None) -> None:
        _need_room()
        _tap.drain()  # a change counts before this call does
        if function is None:
            function = Function(called, code.co_qualname, bytecode.read(code))
            _tap.function(called, function.name, function.read.calls, function)
        self._resolve(code, function)

    def _resolve(self, code: CodeType, function: Function) -> list[Found]:
        """Look up what it depends on now."""
        frame = _frame_of(code)
        resolver = Resolver(self._objects, frame, first_argument(code, frame))
        lines = _tap.lines(function.called)
        resolver.resolve(function.read.uses, lines)
        resolver.resolve_seen(self._finder.seen(code, function.read.sites, lines, function.last))
        function.followed = frozenset(resolver.followed)
        if self._finder.put_off:
            _tap.look_later(function.called)
        self._missing += resolver.missing
        self._unwatchable += resolver.unwatchable
        found = list(resolver.found.values())
        keys = tuple(each.key() for each in found)
        is_new = keys != function.keys
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
        function.keys = keys
        if not _tap.resolved(function.called, rows, is_new):
            _tap.look(function.called)  # another thread has changed something
        return found

    def _fail(self, error: Exception) -> None:
        """A callback may not raise: it would be the program that raises."""
        _tap.json(json.dumps({"failure": repr(error)}))
        self.abandon()


def _free_tool(wanted: int | None = None) -> int:
    """wanted: by the program."""
    for tool in (5, 4, 3, 1, 0, 2):  # 5 is for optimizers, and hardly used; 3 and 4 have no usual owner
        if tool != wanted and _monitoring.get_tool(tool) is None:
            return tool
    raise RuntimeError("one of the six tool IDs of sys.monitoring must be free")


def _is_ours(error: BaseException) -> bool:
    """Whether code of ours raised it, or what that calls."""
    traceback, file = error.__traceback__, ""
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        traceback = traceback.tb_next
    return file.startswith(OURS)


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
