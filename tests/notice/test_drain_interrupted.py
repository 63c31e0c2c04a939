"""Signal handlers that raise while depwatch drains: nothing is lost for it, and the program gets what they raised."""

import _thread
import re
import signal
import sys
import types
from array import array
from pathlib import Path

import pytest

import depwatch
from support import at_once, freeze, namespace, python

PROGRAMS = Path(__file__).with_name("programs")

MANY = 3
VALUES = (1, -(2**70), 2**5000, 1.5, "text" * 50, b"bytes" * 50, [1], print, len, types.ModuleType("m"), object(), None)


class Alarm(Exception):
    pass


class Scene:
    """All that a drain can have to do: details for listeners, handles in every new state, an entry, shared cells. All
    that it calls is C code, in which no signal handler can run.
    """

    def __init__(self, old):
        self.events, self.invalid, self.resumed, self.retired = [], [], [], []
        self.globals, self.dying = namespace(X=old, Y=1, Z=1), [namespace(X=1)]
        exec("def f(): return 1", self.globals)

        def commit(recorder):
            told = {
                "on_invalidate": self.invalid.append,
                "on_resume": self.resumed.append,
                "on_retire": self.retired.append,
            }
            return recorder.commit(**told)

        self.handles = [
            commit(freeze(self.globals, "X", name="broken")),
            commit(freeze(self.globals, "Z", name="healed")),
            commit(freeze(self.globals, "Y", name="retired by hand")),
            commit(freeze(self.globals, "Y", name="unstable", unstable_after=1)),
            commit(freeze(self.dying[0], "X", name="died")),
        ]
        self.entry = depwatch.install(self.globals["f"], lambda: 2, self.handles[2])
        recorder = freeze(self.globals, "X", name="many")
        self.cell = recorder.value_cell(self.globals, "Y", "i64")
        self.many = recorder.commit_many(
            array("Q", range(MANY + 1)), array("I", [0] * MANY), on_retire=self.retired.append
        )
        self.subscriptions = [
            depwatch.subscribe(self.events.append, self.globals, "X", "Y"),
            depwatch.subscribe(self.events.append, self.dying[0], "X"),
        ]
        self.globals["Z"] = 2
        depwatch.drain()
        for told in (self.events, self.invalid, self.resumed, self.retired):
            told.clear()

    def changes(self, new):
        """Calls of C code."""
        return (
            (self.globals.update, {"X": new, "Y": 2, "Z": 1}),
            (self.handles[2].retire, "by hand"),
            (self.many[1].retire, "also by hand"),
            (self.many.release,),
            (self.dying.clear,),
        )

    def told(self):
        handles = ([handle.name for handle in told] for told in (self.invalid, self.resumed, self.retired))
        reasons = [re.sub(r"object \d+", "object", str(handle.reason)) for handle in self.handles]
        return [event[2:5] for event in self.events], *handles, reasons, self.entry.installed


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_no_signal_handler_runs_before_a_drain_has_told_everything(value):
    plain, scene, told = Scene(value), Scene(value), []
    at_once(*plain.changes(new=(value,)), (depwatch.drain,))
    expected = plain.told()
    assert [bool(part) for part in expected] == [True, True, True, True, True, False]

    def handler(number, frame):
        told.append(scene.told())
        raise Alarm

    before = signal.signal(signal.SIGALRM, handler)
    try:
        with pytest.raises(Alarm):
            at_once(*scene.changes(new=(value,)), (_thread.interrupt_main, signal.SIGALRM), (depwatch.drain,))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert told == [expected]
    for each in (plain, scene):
        for subscription in each.subscriptions:
            subscription.cancel()


def test_what_a_handler_raises_in_a_listener_is_the_listeners(log, monkeypatch):
    raised, globals_ = [], namespace(X=1)
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: raised.append(unraisable.exc_type))

    def handler(number, frame):
        raise Alarm

    def listener(event):
        pass

    first, second = (depwatch.subscribe(call, globals_, "X") for call in (listener, log.event))
    before = signal.signal(signal.SIGALRM, handler)
    try:
        at_once((globals_.update, {"X": 2}), (_thread.interrupt_main, signal.SIGALRM), (depwatch.drain,))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert (raised, log) == ([Alarm], [("MODIFIED", "X", 1, 2)])
    first.cancel()
    second.cancel()


def test_what_a_handler_raises_in_a_drain_by_itself_is_raised_where_the_program_is():
    """Were it lost, this program would go on for ever."""
    assert python(PROGRAMS / "alarms.py", stderr="").split() == ["40", "True", "True"]


def test_listeners_are_told_however_near_the_recursion_limit_the_program_is():
    assert python(PROGRAMS / "recursion_limit.py").splitlines() == [
        "[(0, 1)]",
        "[(0, 1), (1, 2)]",
        "0",
    ]
