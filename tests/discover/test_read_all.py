"""Recorder.read_all(): all that discover() found becomes assumptions of one handle."""

import pytest
from discovered import program

import depwatch

TEXT = """
import math
RATE = 2
KEYS = {'a': 1}
TABLE = {'t': 1}
class C:
    k = 1
    def m(self): return self.k
def helper(x, y=1): return x * RATE
def f(x):
    return helper(x), math.pi, C.k, C().m(), len, KEYS['a'], TABLE.get(x)
"""
CHANGES = [
    "RATE = 3", "del RATE", "f.__code__ = helper.__code__", "helper.__code__ = f.__code__",
    "helper.__defaults__ = (2,)",
    "helper = f", "len = 1", "math.pi = 3", "C.k = 2", "C.m = 1", "del C.m", "KEYS['a'] = 2", "del KEYS['a']",
    "KEYS.clear()", "TABLE['new'] = 1", "C.__init__ = helper", "C = 1",
]  # fmt: skip
RED_HERRINGS = ["OTHER = 1", "KEYS['b'] = 2", "helper.__name__ = 'x'", "f.attribute = 1", "math.other = 1"]


def committed(names, log):
    recorder = depwatch.Recorder("all")
    recorder.read_all(depwatch.discover(names["f"], argument_types=(int,)))
    return log.commit(recorder)


@pytest.fixture
def names():
    names = program(TEXT)
    pi = names["math"].pi
    yield names
    names["math"].pi = pi
    names["math"].__dict__.pop("other", None)


@pytest.mark.parametrize("change", CHANGES)
def test_every_read_is_an_assumption(change, names, log):
    handle = committed(names, log)
    assert handle.valid and log.drained() == []
    exec(change, names)
    assert not handle.valid
    assert [state for state, _ in log.drained()] in (["invalidated"], ["retired"], ["invalidated", "retired"])


@pytest.mark.parametrize("change", RED_HERRINGS)
def test_what_is_not_read_changes_nothing(change, names, log):
    handle = committed(names, log)
    exec(change, names)
    assert handle.valid and log.drained() == []


ABSENT = {
    "a global": ("def f(): return NEW", "NEW = 1"),
    "a builtin": ("def f(): return NEW", "__builtins__['NEW'] = 1"),
    "an attribute of a module": ("import types\nm = types.ModuleType('m')\ndef f(): return m.x", "m.x = 1"),
    "its __getattr__": ("import types\nm = types.ModuleType('m')\ndef f(): return m.x", "m.__getattr__ = id"),
    "an attribute of a class": ("class B: pass\nclass C(B): pass\ndef f(): return C.x", "B.x = 1"),
    "a key of a dict": ("D = {}\ndef f(): return D['k']", "D['k'] = 1"),
}


@pytest.mark.parametrize("text, change", ABSENT.values(), ids=ABSENT)
def test_a_name_that_is_absent_is_assumed_to_stay_absent(text, change, log):
    names = {"__builtins__": dict(vars(__import__("builtins")))}
    exec(text, names)
    handle = committed(names, log)
    assert handle.valid
    exec(change, names)
    assert not handle.valid
    assert [state for state, _ in log.drained()] == ["invalidated"]


@pytest.mark.parametrize("change", ["RATE = 3", "del RATE", "C.k = 2", "math.pi = 3", "KEYS['a'] = 2", "helper = f"])
def test_what_changed_since_it_was_found_is_stale(change, names):
    found = depwatch.discover(names["f"])
    exec(change, names)
    recorder = depwatch.Recorder("late")
    with pytest.raises(depwatch.Stale, match=r"is not what discover\(\) found: discover again"):
        recorder.read_all(found)
    recorder.close()


@pytest.mark.parametrize("text, change", ABSENT.values(), ids=ABSENT)
def test_what_was_absent_and_came_is_stale(text, change):
    names = {"__builtins__": dict(vars(__import__("builtins")))}
    exec(text, names)
    found = depwatch.discover(names["f"])
    exec(change, names)
    recorder = depwatch.Recorder("late")
    with pytest.raises(depwatch.Stale):
        recorder.read_all(found)
    recorder.close()


def test_only_a_result_of_discover_will_do():
    recorder = depwatch.Recorder("wrong")
    with pytest.raises(TypeError, match=r"takes what discover\(\) returns, not 1"):
        recorder.read_all(1)
    recorder.close()
    with pytest.raises(depwatch.Released):
        recorder.read_all(1)
