"""One service a process, of the main interpreter: a second interpreter is refused, and the main one goes on."""

import sys
from pathlib import Path

import pytest

import depwatch
from host.versions import HOST
from support import python

PROGRAMS = Path(__file__).with_name("programs")

# new(kind) makes an interpreter: legacy is what Py_NewInterpreter makes, with the GIL of all; isolated has its own GIL.
SUBINTERPRETERS = """
import sys
try:
    import _interpreters as interpreters
    new = interpreters.create
except ImportError:
    import _xxsubinterpreters as interpreters
    new = lambda kind: interpreters.create(isolated=kind == "isolated")

def run(other, code):
    failed = interpreters.run_string(other, code)
    assert not failed, failed
"""
IMPORT = '''
IMPORT = """
try:
    import depwatch
except ImportError as refused:
    assert "depwatch" not in __import__("sys").modules
    print("refused:", refused, flush=True)
else:
    print("imported", flush=True)
"""
'''
USE = """
import depwatch
X = 1
def use():
    recorder = depwatch.Recorder("main")
    assert recorder.read_global(use, "X") == X
    recorder.read_global(use, "len")
    return recorder.commit()
handle = use()
"""
CHANGE = """
assert handle.valid
X = 2
assert handle.broken == 1 and [each.name for each in handle.broken_facets()] == ["X"]
X = 1
assert handle.valid and use().valid
depwatch.drain()
"""


def in_main_and_others(*scripts):
    return python(SUBINTERPRETERS + IMPORT + "\n".join(scripts)).splitlines()


@pytest.mark.parametrize("kind", ["legacy", "isolated"])
def test_another_interpreter_is_refused_each_time_and_the_main_one_goes_on(kind):
    first, second = f"first = new({kind!r})\nrun(first, IMPORT)\n", f"second = new({kind!r})\nrun(second, IMPORT)\n"
    end = "interpreters.destroy(first)\ninterpreters.destroy(second)\n"
    lines = in_main_and_others(USE, first, CHANGE, second, CHANGE, "run(first, IMPORT)", CHANGE, end, CHANGE)
    assert len(lines) == 3
    assert all(line.startswith("refused: ") for line in lines)


def test_an_interpreter_with_its_own_gil_is_refused_before_the_main_one_has_it():
    lines = in_main_and_others(
        'other = new("isolated")\nrun(other, IMPORT)\n', USE, CHANGE, "interpreters.destroy(other)"
    )
    assert len(lines) == 1
    assert lines[0].startswith("refused: ")


@pytest.mark.parametrize("kind", ["legacy", "isolated"])
def test_changes_in_another_interpreter_break_nothing_in_the_main_one(kind):
    change = """
    events = depwatch.stats()["events"]
    run(other, '''if True:
        import builtins, json, sys
        X = 3
        builtins.len = json.x = 1
        json.JSONEncoder.default = None
        (lambda: 1).__defaults__ = (1,)
        exec("def function(): pass")
        del sys.modules["json"], json, function
    ''')
    interpreters.destroy(other)
    assert depwatch.stats()["events"] == events and depwatch.drain() == 0
    """
    assert in_main_and_others(USE, f"other = new({kind!r})\nif True:{change}", CHANGE) == []


@pytest.mark.parametrize("kind", ["legacy", "isolated"])
def test_what_is_pending_when_another_interpreter_runs_is_told_in_the_main_one(kind):
    script = f"""
import collections, itertools, operator
told = []
namespace = {{"X": 1}}
recorder = depwatch.Recorder("pending")
recorder.read_global(namespace, "X")
pending = recorder.commit(on_invalidate=lambda handle: told.append(interpreters.get_current()))
other = new({kind!r})
code = "for i in range(1000): len(str(i))"
# In one C loop: no drain comes between the store and the other interpreter.
calls = [(operator.setitem, namespace, "X", 2), (interpreters.run_string, other, code), (told.append, "then")]
collections.deque(itertools.starmap(operator.call, calls), maxlen=0)
depwatch.drain()
interpreters.destroy(other)
assert told == ["then", interpreters.get_main()], told
"""
    assert in_main_and_others(USE, script) == []


def test_concurrent_interpreters_of_3_14_are_refused_the_same_way():
    script = """
try:
    from concurrent import interpreters as public
except ImportError:
    print("none")
else:
    other = public.create()
    other.exec(IMPORT)
    try:
        other.exec("import depwatch")
    except public.ExecutionFailed as failed:
        print(failed.excinfo.type.__name__)
    other.close()
"""
    lines = in_main_and_others(USE, script, CHANGE)
    if HOST.concurrent_interpreters:
        assert len(lines) == 2
        assert lines[0].startswith("refused: ")
        assert lines[1] == "ImportError"
    else:
        assert lines == ["none"]


def test_another_interpreter_that_lives_on_at_the_end_keeps_nothing_from_ending():
    """CPython 3.14 and later warn of it themselves."""
    script = 'import warnings\nwarnings.simplefilter("ignore")\nother = new("isolated")\nrun(other, IMPORT)\n'
    assert len(in_main_and_others(USE, script, "X = 2\n")) == 1


def test_a_reload_of_the_package_keeps_the_service():
    printed = python(PROGRAMS / "reload.py")
    assert printed == "1 1\n"
    assert sys.modules["depwatch"] is depwatch


def test_an_import_after_the_package_was_forgotten_finds_the_same_service():
    printed = python(PROGRAMS / "forgotten_package.py")
    assert printed == "False 1 1\n1 1 0 0\n"


@pytest.mark.parametrize("kind", ["legacy", "isolated"])
@pytest.mark.parametrize("first", ["main", "other"])
def test_whoever_is_first_only_the_main_interpreter_has_the_service(kind, first):
    other = f"other = new({kind!r})\nrun(other, IMPORT)\n"
    scripts = (USE, other) if first == "main" else (other, USE)
    lines = in_main_and_others(*scripts, CHANGE, "run(other, IMPORT)\ninterpreters.destroy(other)\n", CHANGE)
    assert len(lines) == 2
    for line in lines:
        assert line.startswith("refused: ")
        assert "depwatch" in line
        assert "main interpreter" in line  # the only place where it can be used, and what to do: use it there
