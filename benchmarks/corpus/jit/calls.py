"""Keeps a call of each function that a program runs, and makes it again, timed, at the program's end."""

import gc
import inspect
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from itertools import repeat, starmap
from types import CodeType, FrameType, FunctionType
from typing import Any

KEPT = 50  # the call that is kept: with it a function is hot, as in a replay
MOST = 20  # functions of a program that are timed
LONGEST = 200_000  # ns of a call that is timed
WARM = 0.25  # seconds of the CPU for calls, or so many calls, before it is timed
WARM_CALLS = 50_000
SAMPLES, SAMPLE = 9, 3_000_000  # ns
SUSPENDED = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
TOOL = 4  # of sys.monitoring: none of those that have a name

type Call = Callable[[], Any]


class Calls:
    """Of the functions that run between begin() and end()."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[CodeType, tuple[Any, ...], dict[str, Any]]] = {}  # by address of the code
        self._seen: dict[int, int] = {}

    def begin(self) -> None:
        monitoring = sys.monitoring
        monitoring.use_tool_id(TOOL, "depwatch prices")
        monitoring.register_callback(TOOL, monitoring.events.PY_START, self._started)
        monitoring.set_events(TOOL, monitoring.events.PY_START)

    def end(self) -> None:
        """Of the program, too: what it prints from now on, as its calls are made again, nobody reads."""
        sys.monitoring.set_events(TOOL, 0)
        sys.monitoring.free_tool_id(TOOL)
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")

    def _started(self, code: CodeType, offset: int) -> Any:
        seen = self._seen[id(code)] = self._seen.get(id(code), 0) + 1
        if seen < KEPT:
            return None
        if not code.co_flags & SUSPENDED:
            self._kept[id(code)] = code, *arguments(sys._getframe(1))
        return sys.monitoring.DISABLE

    def again(self) -> Iterator[tuple[str, FunctionType, Call]]:
        """Name, function and call of those that can be called twice and take little time; at most MOST.

        Those first that became hot last: what runs while modules are imported is the same in all programs. Not those of
        which several functions have the code: which of them ran is not known.
        """
        of: dict[int, list[FunctionType]] = {}
        for each in gc.get_objects():
            if type(each) is FunctionType and id(each.__code__) in self._kept:
                of.setdefault(id(each.__code__), []).append(each)
        left = MOST
        for key, (code, positional, named) in reversed(self._kept.items()):
            if left and not code.co_filename.startswith("<frozen") and len(of.get(key, ())) == 1:
                call = partial(of[key][0], *positional, **named)
                if repeatable(call):
                    left -= 1
                    yield f"{code.co_qualname} {code.co_filename}:{code.co_firstlineno}", of[key][0], call


def arguments(frame: FrameType) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """With which the function was called that begins to run in this frame."""
    code, values = frame.f_code, frame.f_locals
    names = iter(code.co_varnames)
    positional = [values[next(names)] for _ in range(code.co_argcount)]
    named = {name: values[name] for name, _ in zip(names, range(code.co_kwonlyargcount), strict=False)}
    rest = code.co_varnames[code.co_argcount + code.co_kwonlyargcount :]
    if code.co_flags & inspect.CO_VARARGS:
        positional += values[rest[0]]
        rest = rest[1:]
    if code.co_flags & inspect.CO_VARKEYWORDS:
        named |= values[rest[0]]
    return tuple(positional), named


class Late(BaseException):
    """No program catches it by chance."""


def too_late(*_: Any) -> None:
    raise Late


def repeatable(call: Call) -> bool:
    """Whether it ends three times, soon and without an exception."""
    before = signal.signal(signal.SIGALRM, too_late)
    try:
        for _ in range(3):
            signal.setitimer(signal.ITIMER_REAL, 1.0)
            begun = time.perf_counter_ns()
            call()
            if time.perf_counter_ns() - begun > LONGEST:
                return False
    except BaseException:  # SystemExit, too: it is the program's
        return False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    return True


def warm(call: Call) -> None:
    until = time.thread_time() + WARM
    for _ in range(WARM_CALLS // 100):
        many(call, 100)
        if time.thread_time() > until:
            break


def many(call: Call, times: int) -> None:
    """From C, so that what calls it is no faster where there is a JIT."""
    deque(starmap(call, repeat((), times)), maxlen=0)


def per_call(call: Call) -> float:
    """ns of the CPU a call: the least of several samples, as what comes between only adds."""
    call()
    begun = time.thread_time_ns()
    call()
    times = max(1, min(100_000, SAMPLE // max(1, time.thread_time_ns() - begun)))
    taken = []
    gc.disable()
    for _ in range(SAMPLES):
        begun = time.thread_time_ns()
        many(call, times)
        taken.append((time.thread_time_ns() - begun) / times)
    gc.enable()
    return min(taken)
