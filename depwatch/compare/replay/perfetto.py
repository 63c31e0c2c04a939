"""What becomes of each function over time, as Chrome's trace events: Perfetto and chrome://tracing show them.

The format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU (Trace Event Format). A
process is a trace; a thread is a function that had a handle, and the first one has the changes that broke something.
"""

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from depwatch.compare.output import Output
from depwatch.compare.policies import GIVE_UP_AFTER
from depwatch.compare.trace.entries import NULL
from depwatch.compare.trace.reader import Trace
from depwatch.compare.trace.schema import Row

from ._engine import Step
from .events import Op, events_of
from .lineup import NAMED
from .many import find_traces
from .run import Options
from .title import child, title

type Event = dict[str, Any]

_CHANGES: Final = 0  # the thread


def export(inputs: Sequence[str], options: Options, policy: str, output: str) -> None:
    """Write the events of these traces under policy to output. Raises TraceError, OSError."""
    with Output(output) as file:
        with open(file.path, "w", encoding="utf-8") as stream:
            stream.write('{"displayTimeUnit": "ms", "otherData": ')
            stream.write(json.dumps({"policy": policy, "hot after": options.hot_after[0]}))
            stream.write(', "traceEvents": [')
            separator = "\n"
            paths = find_traces(inputs)
            began = _began(paths)
            for number, path in enumerate(paths, 1):
                with Trace(path) as trace:
                    for event in _History(trace, options, policy, number, began[path]).events():
                        stream.write(separator + json.dumps(event))
                        separator = ",\n"
            stream.write("\n]}\n")
        file.commit()


def _began(paths: Sequence[str]) -> dict[str, float]:
    """When each began, in microseconds: a program at 0, and a child when it was started, if its program is there."""
    times: dict[str, tuple[int, str]] = {}  # in ns, and whose child it is
    for path in paths:
        with Trace(path) as trace:
            process, (_, of, _) = trace.program.get("process"), child(trace.program)
        at = process.get("began") if isinstance(process, dict) else None
        times[path] = (at if isinstance(at, int) else 0, os.path.join(os.path.dirname(path), of) if of else path)
    return {path: max(at - times.get(of, (at,))[0], 0) / 1e3 for path, (at, of) in times.items()}


class _History:
    """Of the functions in one trace."""

    def __init__(self, trace: Trace, options: Options, policy: str, number: int, began: float) -> None:
        self._trace = trace
        self._events = events_of(trace)
        named = NAMED[policy]
        limit = None if named.give_up_after is None else options.give_up_after[0]
        engine = named.variant(options.hot_after[0], GIVE_UP_AFTER if limit is None else limit).engine(self._events)
        engine.keep_history()
        engine.run([])
        steps = engine.steps()
        self._steps = steps[np.argsort(steps[:, 0], kind="stable")].tolist()
        kinds = trace.column("kind")
        self._rows = {row: np.flatnonzero(kinds == at) for at, row in enumerate(Row)}
        self._process = number
        self._began = began
        self._changes = np.flatnonzero(self._events.op == Op.CHANGE)
        self._end = trace.column("time")[-1] / 1e3 if trace.rows else 0.0
        self._optimized = 0

    def events(self) -> Iterator[Event]:
        for name in ("name", "file", "type"):
            self._trace.column(name)  # or their strings are not there
        name = f"{title(self._trace.program.get('command'))} ({os.path.basename(self._trace.path)})"
        yield self._named("process_name", _CHANGES, name)
        yield self._named("thread_name", _CHANGES, "changes that dropped code")
        since: dict[int, float] = {}  # functions whose code may run
        named: set[int] = set()
        told: set[int] = set()
        for time, event, function, step, times, _ in self._steps:
            now, thread = time / 1e3, function + 1
            if function not in named:
                named.add(function)
                yield self._named("thread_name", thread, self._function(function))
            if function in since:
                yield self._slice(thread, since.pop(function), now)
            if step == Step.DROPPED:
                cause = self._cause(event)
                if cause is not None and event not in told:
                    told.add(event)
                    yield self._event("i", cause["by"], now, _CHANGES, s="p", args=cause)
                yield self._event("i", "dropped", now, thread, s="t", args={"times": times} | (cause or {}))
            else:
                since[function] = now
                again = "valid again" if step == Step.RESUMED else "compiled"
                yield self._event("i", again, now, thread, s="t", args={"times": times})
            yield self._event("C", "optimized functions", now, _CHANGES, args={"functions": len(since)})
        for function, begun in since.items():
            yield self._slice(function + 1, begun, self._end)

    def _event(self, kind: str, name: str, time: float, thread: int, **more: Any) -> Event:
        """time: in microseconds, as all of the format's."""
        return {
            "name": name,
            "ph": kind,
            "ts": self._began + time,
            "pid": self._process,
            "tid": thread,
            "cat": "depwatch",
            **more,
        }

    def _named(self, what: str, thread: int, name: str) -> Event:
        return self._event("M", what, 0, thread, args={"name": name})

    def _slice(self, thread: int, begun: float, ended: float) -> Event:
        return self._event("X", "optimized", begun, thread, dur=max(ended - begun, 0.0))

    def _function(self, function: int) -> str:
        row = self._rows[Row.FUNCTION][function]
        file, line = self._text("file", row), int(self._trace.column("line")[row])
        return f"{self._text('name', row)} ({file}:{line})" if file is not None else f"{self._text('name', row)}"

    def _cause(self, event: int) -> Event | None:
        """The change that came last: at a drain, code is dropped for what has happened since the one before."""
        at = int(np.searchsorted(self._changes, event, side="right")) - 1
        if at < 0:
            return None
        change = int(self._events.what[self._changes[at]])
        row = int(self._events.change_row[change])
        facets = self._events.value_facet[self._events.value_start[change] : self._events.value_start[change + 1]]
        names = [self._text("name", self._rows[Row.FACET][facet]) for facet in facets[:3].tolist()]
        objects = self._rows[Row.OBJECT]
        there = objects[self._trace.column("object")[objects] == self._trace.column("object")[row]]
        owner = self._text("name", there[0]) if len(there) else "?"
        by = f"{owner}.{', '.join(filter(None, names))}" if names else f"{owner}"
        file, line = self._text("file", row), int(self._trace.column("line")[row])
        where = "outside Python" if file is None else f"{file}:{line}"
        return {
            "by": by,
            "at": where,
            "change": self._text("type", row),
            "changes": int(self._events.change_count[change]),
        }

    def _text(self, column: str, row: int) -> str | None:
        number = self._trace.column(column)[row]
        return None if number == NULL else self._trace.strings[number]
