"""Signal handlers that raise while depwatch drains: nothing is lost for it, and the program gets what they raised."""

import gc
import os
import re
import sys
from array import array
from pathlib import Path

import pytest

import depwatch
from fuzz.keys import Key
from support import Log, few_objects, freeze, freeze_attribute, namespace, python, without_automatic_drain

PROGRAMS = Path(__file__).with_name("programs")

OURS = str(Path(depwatch.__file__).parent) + os.sep
MANY = 3


class Alarm(Exception):
    pass


class Interruption:
    """Raises Alarm before the at-th line of depwatch's own Python code that runs, where a signal handler may."""

    def __init__(self, at):
        self.at = at
        self.passed = 0

    def __enter__(self):
        sys.settrace(self.trace)
        return self

    def __exit__(self, *exception):
        sys.settrace(None)

    def trace(self, frame, event, argument):
        code = frame.f_code
        if not code.co_filename.startswith(OURS) or code is depwatch.drain.__code__:
            return None
        if event in ("call", "line"):
            self.passed += 1
            if self.passed == self.at:
                raise Alarm
        return self.trace


class Scene:
    """All that a drain can have to do: details for listeners, handles in every new state, an entry, shared cells."""

    def __init__(self):
        self.log = log = Log()
        self.globals = namespace(X=1, Y=1, Z=1)
        exec("def f(): return 1", self.globals)
        cls = type("C", (), {"x": 1})
        self.classes = [cls]
        self.handles = [
            log.commit(freeze(self.globals, "X", name="broken")),
            log.commit(freeze(self.globals, "Z", name="healed")),
            log.commit(freeze(self.globals, "Y", name="retired by hand")),
            log.commit(freeze(self.globals, "Y", name="unstable", unstable_after=1)),
            log.commit(freeze_attribute(cls, "x", name="died")),
        ]
        self.entry = depwatch.install(self.globals["f"], lambda: 2, self.handles[2])
        recorder = freeze(self.globals, "X", name="many")
        self.cell = recorder.value_cell(self.globals, "Y", "i64")
        self.many = recorder.commit_many(array("Q", range(MANY + 1)), array("I", [0] * MANY), on_retire=log.retired)
        self.subscriptions = [
            depwatch.subscribe(log.event, self.globals, "X", "Y"),
            depwatch.subscribe(log.event, self.globals, "X"),
            depwatch.subscribe(log.event, cls, "x"),
        ]
        self.globals["Z"] = 2
        log.drained()

    def change(self):
        self.globals |= {"X": 2, "Y": 2, "Z": 1}
        self.handles[2].retire("by hand")
        self.many[1].retire("also by hand")
        self.many.release()
        self.classes.clear()
        gc.collect()

    def reasons(self):
        return [re.sub(r"object \d+", "object", str(handle.reason)) for handle in self.handles]

    def end(self):
        """What there is now, of things that must not be left behind."""
        for subscription in self.subscriptions:
            subscription.cancel()
        for handle in self.handles:
            handle.release()
        log = self.log.drained()
        left = {name: depwatch.stats()[name] for name in ("objects", "facets", "handles", "dependencies")}
        return log, self.entry.installed, self.cell._reference.released, left


def play(at):
    """The scene with that interruption. (What was told and is left, how many lines ran, whether it raised)."""
    scene = Scene()
    scene.change()
    raised = False
    with Interruption(at) as interruption:
        try:
            depwatch.drain()
        except Alarm:
            raised = True
    told = (list(scene.log), scene.reasons(), scene.entry.installed)
    end = scene.end()
    return (told, end), interruption.passed, raised


@without_automatic_drain
def test_wherever_an_exception_interrupts_a_drain_all_is_told_once_and_it_is_raised():
    with few_objects():  # each collection is to look at one scene only
        depwatch.drain()  # nor is a drain to find what earlier tests left
        plain, lines, raised = play(0)
        (told, _, _), _ = plain
        assert (raised, lines > 100) == (False, True)
        states = {entry[0] for entry in told}
        assert {"MODIFIED", "DESTROYED", "invalidated", "resumed", "retired"} <= states
        for at in range(1, lines + 1):
            same, _, raised = play(at)
            assert (same, raised) == (plain, True), f"before line {at}"


@without_automatic_drain
def test_a_reused_handle_id_is_not_taken_for_the_retired_one(log):
    globals_ = namespace(X=1, Y=1)
    gone = log.commit(freeze(globals_, "X", name="gone"))
    number, made = gone.id, []

    def commit_at_once(frame, event, argument):
        if frame.f_code.co_filename.startswith(OURS) and frame.f_code is not depwatch.drain.__code__:
            sys.settrace(None)
            made.append(log.commit(freeze(globals_, "Y", name="new")))

    gone.release()
    sys.settrace(commit_at_once)
    depwatch.drain()
    sys.settrace(None)
    assert [handle.id for handle in made] == [number]
    globals_["Y"] = 2
    assert log.drained() == [("invalidated", "new")]


@without_automatic_drain
def test_an_interrupt_while_a_drain_looks_again_is_raised_when_all_is_told(log):
    """The hash of a key is asked for anew, and takes Python: there an interrupt may come."""

    def interrupt():
        raise KeyboardInterrupt

    key = Key()
    builtins = {key: 0, "X": 1}
    globals_ = namespace(builtins, X=2, Y=1)
    handles = [log.commit(freeze(globals_, name, name=name)) for name in "XY"]
    key.on_hash.append(interrupt)
    globals_["Y"] = 2
    del globals_["X"]
    with pytest.raises(KeyboardInterrupt):
        depwatch.drain()
    assert not any(handle.valid for handle in handles)
    assert "can no longer be watched" in handles[0].reason
    assert log == [("invalidated", "Y"), ("retired", "X")]


def test_what_a_handler_raises_in_a_drain_by_itself_is_raised_where_the_program_is():
    """Were it lost, this program would go on for ever."""
    assert python(PROGRAMS / "alarms.py", stderr="").split() == ["40", "True", "True"]


def test_listeners_are_told_however_near_the_recursion_limit_the_program_is():
    assert python(PROGRAMS / "recursion_limit.py").splitlines() == [
        "[(0, 1)]",
        "[(0, 1), (1, 2)]",
        "0",
    ]
