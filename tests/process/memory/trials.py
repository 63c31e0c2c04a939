"""Runs scenarios in children of one process that lets memory run out: python trials.py CORE SHORTAGE CAPI_USER HOW...

A scenario is a generator: it makes a situation, yields the public operation, gets its result, and looks at it. Each
trial is a child, in which one allocation of the operation fails, or one and all after it. What it raises must be
MemoryError; then it is called again, and must succeed. In the end all must be as in the trial in which nothing fails.
Prints what was found as JSON.
"""

import collections
import contextlib
import ctypes
import gc
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import random
import re
import signal
import sys
import traceback
import weakref

SECONDS = 30  # for a trial


class Finder:
    """Finds depwatch._core where the one to starve is."""

    def __init__(self, path):
        self.path = path

    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_file_location(name, self.path) if name == "depwatch._core" else None


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Value:
    """A value of the program's: its death can be seen."""


class Stage:
    """What a trial has seen."""

    def __init__(self, shortage, c):
        self.shortage, self.c = shortage, c
        self.log, self.faults, self.refused = [], [], []
        self.claims = []  # (handle, name, whether what it assumes is so now)
        self.values = []  # weak references
        self.ends = []
        self.raised = False

    # --- for scenarios

    def value(self):
        value = Value()
        self.values.append(weakref.ref(value))
        return value

    def mortal(self, thing):
        """A class or a function that must be dead in the end."""
        self.values.append(weakref.ref(thing))
        return thing

    def told(self, state):
        return self.with_memory(lambda handle: self.log.append(f"{state} {handle.name}"))

    def with_memory(self, callback):
        """What a callback needs is not asked for by the core; its frames on the C stack do not always tell."""

        def calls(told):
            armed = self.shortage.disarm()
            callback(told)
            if armed:
                self.shortage.arm(True)

        return calls

    @property
    def heard(self):
        return self.with_memory(self.hear)

    def hear(self, event):
        place = None if event.filename is None else pathlib.Path(event.filename).name
        self.log.append(
            f"{event.change.name} {event.facet} {plain(event.old)} {plain(event.new)} {place}:{event.lineno}"
        )

    def callbacks(self):
        return {f"on_{state}": self.told(state) for state in ("invalidate", "resume", "retire")}

    def commit(self, recorder, holds=lambda: True, artifact=None):
        handle = recorder.commit(artifact, **self.callbacks())
        return self.claim(handle, holds)

    def claim(self, handle, holds=lambda: True):
        self.claims.append((handle, handle.name, holds))
        return handle

    def finally_do(self, end):
        """Before the trial ends."""
        self.ends.append(end)

    # --- the trial

    def attempt(self, operation):
        try:
            self.shortage.arm(not self.raised)
            try:
                result = operation()
            finally:
                self.shortage.disarm()
        except MemoryError:
            self.raised = True
        else:
            self.check("after the operation")
            return result
        self.check("after it failed")
        return operation()

    def check(self, when):
        for handle, name, holds in self.claims:
            if not handle.released and handle.valid and not holds():
                self.faults.append(f"{name} is stale {when}")
        try:
            self.depwatch._core.check_index()
        except AssertionError as error:
            self.faults.append(f"{error} {when}")

    def run(self, scenario):
        generator = scenario(self)
        result = None
        with contextlib.suppress(StopIteration):
            while True:
                operation = generator.send(result)
                result = self.attempt(operation)

    def outcome(self, scenario):
        import depwatch

        self.depwatch = depwatch
        sys.unraisablehook = lambda unraisable: self.refused.append(f"{unraisable.exc_type.__name__} unraisable")
        try:
            self.run(scenario)
            depwatch.drain()
            self.check("after a drain")
            seen = sorted(self.log)
            states = [f"{name} {'released' if handle.released else handle.broken}" for handle, name, _ in self.claims]
            reasons = [re.sub(r"object \d+", "object", str(handle.reason)) for handle, _, _ in self.claims]
            for end in self.ends:
                end()
            for handle, _, _ in self.claims:
                if not handle.released:
                    handle.release()
            self.claims.clear(), self.ends.clear()
            handle = None
            for _ in range(3):
                gc.collect()
                depwatch.drain()
            left = depwatch.stats()
            counts = {name: left[name] for name in ("objects", "facets", "handles", "dependencies", "details_dropped")}
            alive = [str(reference()) for reference in self.values if reference() is not None]
            self.check("in the end")
        except BaseException:
            self.faults.append(traceback.format_exc())
            return {"faults": self.faults}
        return {
            "log": seen,
            "states": states,
            "reasons": reasons,
            "left": counts,
            "alive": alive,
            "unraisable": self.refused,
            "faults": self.faults,
        }


def plain(value):
    return "Value" if isinstance(value, Value) else type(value).__name__ if callable(value) else str(value)


class Trials:
    def __init__(self, shortage, c, mode):
        self.shortage, self.c, self.mode = shortage, c, mode
        self.reached, self.failed, self.faults = set(), set(), []
        self.count, self.memory_errors = 0, 0

    def trial(self, scenario, site=-1, is_allocation=False, occurrence=0, all_after=False):
        """(outcome, events, or those that failed, whether MemoryError was raised) of a child."""
        self.count += 1
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.close(reading)
                signal.alarm(SECONDS)
                self.shortage.choose(site, is_allocation, occurrence, all_after)
                outcome, raised = self.in_child_that_imports() if scenario is None else self.in_child(scenario)
                told = outcome, [event for event in self.shortage.told() if site < 0 or event[2]], raised
                with open(writing, "w") as pipe:
                    json.dump(told, pipe)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        os.close(writing)
        with open(reading) as pipe:
            text = pipe.read()
        _, status = os.waitpid(child, 0)
        if status != 0:
            return {"faults": [f"ended with status {status}"]}, [], False
        return json.loads(text)

    def in_child(self, scenario):
        from support import without_automatic_drain

        stage = Stage(self.shortage, self.c)
        outcome = []
        runs = lambda: outcome.append(stage.outcome(scenario))
        runs() if getattr(scenario, "automatic", False) else without_automatic_drain(runs)()
        return outcome[0], stage.raised

    def in_child_that_imports(self):
        """Imports depwatch; where that fails, once more; then it must work."""
        faults, failed = [], False
        try:
            self.shortage.arm(True)
            try:
                import depwatch
            finally:
                self.shortage.disarm()
        except MemoryError:
            failed = True
        try:
            import depwatch

            mapping = {"X": 1}
            recorder = depwatch.Recorder("imported")
            recorder.depend_on(mapping)
            handle = recorder.commit(on_retire=lambda handle: mapping.clear())
            mapping["X"] = 2
            depwatch.drain()
            if handle.valid or mapping:
                faults.append("what was imported does not work")
        except BaseException:
            faults.append(traceback.format_exc())
        return {"faults": faults}, failed

    def all_of(self, scenario):
        name = scenario.__name__ if scenario else "the core is imported"
        expected, events, _ = self.trial(scenario)
        for fault in expected["faults"]:
            self.faults.append(f"{name}: {fault}")
        if expected["faults"]:
            return
        differs = getattr(scenario, "differs", set())
        counts = collections.Counter((site, is_allocation) for site, is_allocation, _ in events)
        self.reached.update(site for site, _ in counts)
        for (site, is_allocation), count in counts.items():
            if self.mode == "quick" and (site, is_allocation) in self.failed:
                continue
            occurrences = [0] if self.mode == "quick" else sorted({*range(min(count, 3)), count - 1})
            for occurrence in occurrences:
                self.compare(scenario, differs, expected, site, is_allocation, occurrence)
            if self.mode != "quick":
                self.compare(scenario, differs, expected, site, is_allocation, 0, all_after=True)

    def compare(self, scenario, differs, expected, site, is_allocation, occurrence, all_after=False):
        outcome, failed, raised = self.trial(scenario, site, is_allocation, occurrence, all_after)
        self.memory_errors += raised
        self.failed.update((failed_site, was_allocation) for failed_site, was_allocation, _ in failed)
        faults = list(outcome["faults"])
        for what in expected.keys() - differs:
            if what == "unraisable" and set(outcome.get(what, ())) <= {"MemoryError unraisable"}:
                continue
            if not faults and what != "faults" and outcome[what] != expected[what]:
                faults.append(f"{what}: {difference(expected[what], outcome[what])}")
        for fault in faults:
            name = scenario.__name__ if scenario else "import"
            self.faults.append([name, site, is_allocation, occurrence, all_after, raised, fault])


def difference(expected, found):
    if isinstance(expected, dict):
        return {name: (expected[name], found[name]) for name in expected if expected[name] != found[name]}
    missing = collections.Counter(expected) - collections.Counter(found)
    return {
        "missing": list(missing.elements()),
        "too many": list((collections.Counter(found) - collections.Counter(expected)).elements()),
    }


def main(core, shortage_path, capi_path, hows, mode, *names):
    random.seed(0)
    sys.meta_path.insert(0, Finder(core))
    shortage = load("shortage", shortage_path)
    if names == ("import",):
        for name in ("array", "atexit", "enum", "typing", "pyroaring"):  # all that depwatch imports
            importlib.import_module(name)
        ctypes.CDLL(core)
        chosen, c = [None], None
    else:
        import scenarios

        import depwatch  # noqa: F401

        chosen = [scenario for scenario in scenarios.ALL if not names or scenario.__name__ in names]
        c = load("capi_user", capi_path)
    shortage.attach(core, json.loads(hows))
    trials = Trials(shortage, c, mode)
    gc.collect()
    gc.freeze()
    gc.disable()
    for scenario in chosen:
        trials.all_of(scenario)
    json.dump(
        {
            "reached": sorted(trials.reached),
            "failed": sorted(trials.failed),
            "faults": trials.faults,
            "trials": trials.count,
            "memory_errors": trials.memory_errors,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
