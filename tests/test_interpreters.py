"""One service a process: a second interpreter is refused, and the first goes on."""

import sys

import pytest

import depwatch
from support import python

# --- subinterpreters -------------------------------------------------------------------------------------------------

SUBINTERPRETER = """
import sys
if sys.version_info >= (3, 13):
    import _interpreters as interpreters
else:
    import _xxsubinterpreters as interpreters

def run(code):
    other = interpreters.create()
    failed = interpreters.run_string(other, code)
    interpreters.destroy(other)
    assert not failed, failed
"""
IMPORT = """
run('''
try:
    import depwatch
except ImportError:
    print("ImportError", flush=True)
else:
    print("imported", flush=True)
''')
"""
USE = """
import depwatch
X = 1
recorder = depwatch.Recorder("main")
recorder.read_global(globals(), "X")
recorder.read_global(globals(), "len")
handle = recorder.commit()
"""
BREAK = """
X = 2
print(handle.broken, flush=True)
"""


@pytest.mark.parametrize("scripts", [(USE, IMPORT, BREAK), (IMPORT, USE, BREAK)], ids=["after main", "before main"])
def test_a_subinterpreter_cannot_import_it_and_the_main_interpreter_goes_on(scripts):
    lines = python(SUBINTERPRETER + "".join(scripts)).splitlines()
    assert lines == ["ImportError", "1"]


def test_changes_in_a_subinterpreter_break_nothing_in_the_main_one():
    change = 'run("import builtins; X = 3; builtins.len = 1; (lambda: 1).__defaults__ = (1,)")\nprint(handle.broken)'
    assert python(SUBINTERPRETER + USE + change + BREAK).splitlines() == ["0", "1"]


def test_a_reload_of_the_package_keeps_the_service(log):
    printed = python("""
        import importlib, sys, depwatch
        X = 1
        recorder = depwatch.Recorder("before")
        recorder.read_global(globals(), "X")
        handle = recorder.commit()
        importlib.reload(depwatch)
        X = 2
        print(handle.broken, depwatch.stats()["handles"])
        """)
    assert printed == "1 1\n"
    assert sys.modules["depwatch"] is depwatch
