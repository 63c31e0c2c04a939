"""The end of the interpreter: the right status and nothing on stderr, whatever still lives and whoever was first."""

import pytest

from support import python


def test_finalizers_at_exit_still_run_once_and_everything_goes_quietly():
    printed = python("""
        import depwatch

        class Value:
            def __init__(self, name):
                self.name = name
            def __del__(self):
                print("destroyed", self.name, flush=True)

        class Type:
            attribute = Value("attribute")

        VALUE = Value("global")
        OLD = [Value("replaced")]

        def function(default=Value("default")):
            return VALUE

        recorder = depwatch.Recorder("exit")
        recorder.read_global(function, "VALUE")
        recorder.read_global(function, "OLD")
        recorder.read_type_attr(Type, "attribute")
        recorder.read_function(function, "code", "defaults", "existence")
        cell = recorder.value_cell(function, "VALUE", "object")
        recorder.guard_cell(function, "OLD")
        handle = recorder.commit(on_retire=print, on_invalidate=lambda handle: None)
        kept = depwatch.subscribe(lambda event: None, globals())
        OLD = None
        """)
    destroyed = ("attribute", "default", "global", "replaced")
    assert sorted(printed.splitlines()) == [f"destroyed {name}" for name in destroyed]


def test_changes_by_finalizers_during_exit_are_survived():
    python("""
        import sys, types, depwatch

        class Meddler:
            def __init__(self, globals_):
                self.globals = globals_
            def __del__(self):
                self.globals["X"] = 2
                self.globals.pop("Y", None)
                self.globals.clear()

        module = types.ModuleType("meddled")
        module.X = module.Y = 1
        sys.modules["meddled"] = module
        for globals_ in (vars(module), globals()):
            globals_.update(X=1, Y=1)
            recorder = depwatch.Recorder("exit")
            recorder.read_global(globals_, "X")
            recorder.read_global(globals_, "Y")
            recorder.depend_on(globals_)
            globals_["HANDLE"] = recorder.commit(on_retire=lambda handle: None)
            globals_["MEDDLER"] = Meddler(globals_)
            depwatch.subscribe(lambda event: None, globals_, "X")
        """)


@pytest.mark.parametrize("end", ["sys.exit(3)", "raise SystemExit(3)", "os._exit(3)"])
def test_the_exit_status_stays_as_it_is(end):
    python(
        f"""
        import os, sys, depwatch
        X = 1
        recorder = depwatch.Recorder("exit")
        recorder.read_global(globals(), "X")
        handle = recorder.commit(on_invalidate=lambda handle: None)
        X = 2
        {end}
        """,
        status=3,
    )


def test_what_is_used_in_atexit_functions_still_works_or_says_why():
    printed = python("""
        import atexit
        X = 1
        handle = None

        @atexit.register
        def at_exit():
            global X
            X = 2
            print(handle.valid, flush=True)
            depwatch.drain()

        import depwatch
        recorder = depwatch.Recorder("exit")
        recorder.read_global(at_exit, "X")
        handle = recorder.commit()
        """)
    assert printed == "False\n"


def test_a_thread_that_still_changes_things_at_exit_is_survived():
    python("""
        import threading, time, depwatch
        X = 0
        def change():
            global X
            while True:
                X += 1
                time.sleep(1e-5)
        recorder = depwatch.Recorder("exit", 60000)
        recorder.read_global(change, "X")
        handle = recorder.commit(on_invalidate=lambda handle: None)
        depwatch.subscribe(lambda event: None, globals(), "X")
        threading.Thread(target=change, daemon=True).start()
        """)
