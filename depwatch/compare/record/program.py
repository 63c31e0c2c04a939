"""Run a Python program as `python SCRIPT` or `python -m MODULE` would, inside a process that already runs us."""

import builtins
import os
import pkgutil
import runpy
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader, SourcelessFileLoader
from types import CodeType, ModuleType, TracebackType
from typing import Any


@dataclass(frozen=True, slots=True)
class Program:
    """What follows `python` on a command line."""

    name: str  # a script, a directory or zip file with a __main__, or a module
    is_module: bool
    arguments: tuple[str, ...]

    @property
    def command(self) -> list[str]:
        return [*(["-m"] if self.is_module else []), self.name, *self.arguments]


_replaced: list[ModuleType] = []  # our own __main__, which code of ours may still be running in


def run(program: Program, before: Callable[[], None], never_ran: Callable[[], None]) -> None:
    """Run program in a new __main__ and let its exceptions out; what Python prints of them does not show our frames.

    before() is called when the program is about to run, and never_ran() if it then turns out that there is none.
    """
    main = _new_main()
    sys.argv = ["-m" if program.is_module else program.name, *program.arguments]
    try:
        if program.is_module:
            _set_first_path(os.getcwd())
            before()
            _run_module(program.name, True)
        elif pkgutil.get_importer(program.name) is not None:
            _set_first_path(os.path.abspath(program.name))
            before()
            _run_module("__main__", False)
        else:
            _run_script(program.name, main, before)
    except BaseException as error:
        if main.__loader__ is None:
            never_ran()
        if not isinstance(error, SystemExit):
            sys.excepthook = _without_our_frames(sys.excepthook)
        raise


def _run_script(path: str, main: ModuleType, before: Callable[[], None]) -> None:
    absolute = os.path.abspath(path)
    try:
        code, loader = _load(absolute)
    except OSError as error:
        reason = f"can't open file {absolute!r}: [Errno {error.errno}] {error.strerror}"
        print(f"{sys.orig_argv[0]}: {reason}", file=sys.stderr)
        sys.exit(2)
    _set_first_path(os.path.dirname(os.path.realpath(path)))
    main.__file__ = absolute
    main.__loader__ = loader("__main__", absolute)
    if sys.version_info < (3, 15):
        main.__dict__["__cached__"] = None
    before()
    exec(code, main.__dict__)


def _load(path: str) -> tuple[CodeType, type[SourceFileLoader | SourcelessFileLoader]]:
    if path.endswith(".pyc"):
        with open(path, "rb") as file:
            code = pkgutil.read_code(file)
        if code is None:
            print("RuntimeError: Bad magic number in .pyc file", file=sys.stderr)
            sys.exit(1)
        return code, SourcelessFileLoader
    with open(path, "rb") as file:
        source = file.read()
    return compile(source, path, "exec", dont_inherit=True), SourceFileLoader


def _run_module(name: str, is_module: bool) -> None:
    """runpy has what `python -m` itself calls: the same errors, and the same frames in a traceback."""
    run_as_main: Callable[[str, bool], Any] = runpy._run_module_as_main  # type: ignore[attr-defined]
    run_as_main(name, is_module)


def _new_main() -> ModuleType:
    main = ModuleType("__main__")
    if sys.version_info < (3, 14):
        main.__annotations__ = {}
    main.__dict__["__builtins__"] = builtins
    _replaced.append(sys.modules["__main__"])
    sys.modules["__main__"] = main
    return main


def _set_first_path(path: str) -> None:
    """Python puts the program's directory first, and has put ours there; with -P and -I it does neither."""
    if not sys.flags.safe_path:
        sys.path[0] = path


type _Hook = Callable[[type[BaseException], BaseException, TracebackType | None], object]


def _without_our_frames(hook: _Hook) -> _Hook:
    """The program's own sys.excepthook, given what it would have got without us."""

    def show(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        sys.excepthook = hook
        ours = None
        at = traceback
        while at is not None:
            if at.tb_frame.f_globals is globals():
                ours = at
            at = at.tb_next
        traceback = ours.tb_next if ours is not None else traceback
        error.__traceback__ = sys.last_traceback = traceback
        hook(kind, error, traceback)

    return show
