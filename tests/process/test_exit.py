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


@pytest.mark.parametrize(
    "end",
    [
        "sys.exit(3)",
        "raise SystemExit(3)",
        "os._exit(3)",
        "depwatch.subscribe(lambda event: os._exit(3), globals(), 'X'); X = 3; depwatch.drain()",
        "import atexit; atexit.register(os._exit, 3)",
    ],
)
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
        stderr="",
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


@pytest.mark.parametrize(
    ("error", "status", "stderr"),
    [("ValueError('why')", 1, ""), ("KeyboardInterrupt", -2, ""), ("SystemExit('why')", 1, "why\n")],
)
def test_an_error_that_ends_the_program_is_all_that_is_said(error, status, stderr):
    printed = python(
        f"""
        import sys, depwatch
        sys.excepthook = lambda kind, error, traceback: print(kind.__name__, flush=True)
        X = 1
        recorder = depwatch.Recorder("exit")
        recorder.read_global(globals(), "X")
        handle = recorder.commit(on_invalidate=lambda handle: print("told", flush=True))
        X = 2
        raise {error}
        """,
        status=status,
        stderr=stderr,
    )
    reported = [] if stderr else [error.partition("(")[0]]
    assert sorted(printed.split()) == [*reported, "told"]


def test_a_listener_that_wants_to_exit_is_reported_and_the_program_goes_on():
    """Like a destructor: what a listener or callback raises goes to the unraisable hook, SystemExit too."""
    printed = python("""
        import sys, depwatch
        sys.unraisablehook = lambda problem: print(type(problem.exc_value).__name__, problem.exc_value.code)
        X = 1
        recorder = depwatch.Recorder("exit")
        recorder.read_global(globals(), "X")
        handle = recorder.commit(on_invalidate=lambda handle: sys.exit(4))
        first = depwatch.subscribe(lambda event: sys.exit(5), globals(), "X")
        second = depwatch.subscribe(lambda event: print("the others are told"), globals(), "X")
        X = 2
        depwatch.drain()
        print("goes on", handle.broken)
        """)
    lines = printed.splitlines()
    assert sorted(lines[:3]) == ["SystemExit 4", "SystemExit 5", "the others are told"]
    assert lines[3:] == ["goes on 1"]


def test_what_changed_last_is_told_before_the_end_and_what_changes_later_still_breaks():
    printed = python("""
        import atexit
        @atexit.register
        def after_depwatch():
            namespace["X"] = 3
            print("later", kept.broken, other.broken, depwatch.drain(), flush=True)
        import depwatch
        namespace = {"X": 1, "Y": 1}
        def compiled(name):
            recorder = depwatch.Recorder(name)
            recorder.read_global(namespace, name)
            return recorder.commit(on_invalidate=lambda handle: print("told", handle.name, flush=True))
        kept, other = compiled("X"), compiled("Y")
        @atexit.register
        def before_depwatch():
            namespace["Y"] = 2
        """)
    assert printed == "told Y\nlater 1 255 0\n"  # what was broken when depwatch ended can heal no more: retired


def test_depwatch_can_be_used_to_the_very_end_or_raises():
    """In atexit functions that run after its own, in finalizers of modules, of classes and of what is in a cycle."""
    printed = python("""
        import atexit, sys, types

        def use(namespace, say):
            import depwatch
            recorder = depwatch.Recorder("late")
            recorder.read_global(namespace, "X")
            recorder.guard_cell(namespace, "X")
            handle = recorder.commit(on_invalidate=lambda handle: None, on_retire=lambda handle: None)
            subscription = depwatch.subscribe(lambda event: None, namespace)
            namespace["X"] += 1
            assert handle.broken
            namespace["X"] -= 1  # heals no more after the end of depwatch, as nothing is kept for it
            depwatch.drain()
            depwatch.explain(handle)
            handle.release()
            if say:
                print("used", flush=True)

        class Late:
            def __del__(self, use=use, error=Exception):
                try:
                    use({"X": 1}, False)
                except error:
                    pass  # what it needs is gone

        atexit.register(use, {"X": 1}, True)
        import depwatch
        use({"X": 1}, True)
        early = types.ModuleType("early")
        sys.modules["aaa"] = early
        early.late = Late()
        depwatch.late = Late()
        class Class:
            late = Late()
        def function(late=Late()):
            pass
        cycle = [Late()]
        cycle.append(cycle)
        late = Late()
        """)
    assert printed == "used\nused\n"


def test_watched_things_that_die_or_change_with_their_module_are_survived():
    """Finalizers that change classes, functions, modules and each other's namespaces, all of which are watched."""
    python("""
        import sys, types, depwatch

        SOURCE = '''if True:
            class Base:
                attribute = 1
            class Other:
                attribute = 2
            class Class(Base):
                pass
            def function(a=1, *, b=2):
                return a
            X = Y = 1
        '''

        modules = {}

        class Meddler:
            def __init__(self, number):
                self.number = number
            def __del__(self, modules=modules, code=(lambda a=1: a).__code__):
                for name, other in list(modules.items()):
                    other["X"] = self.number
                    other.pop("Y", None)
                    if other.get("Class") is not None and other.get("Other") is not None:
                        other["Class"].attribute = self.number
                        other["Class"].__bases__ = (other["Other"],)
                    if other.get("function") is not None:
                        other["function"].__defaults__ = (self.number,)
                        other["function"].__code__ = code
                        other["function"].__kwdefaults__ = {"b": self.number}

        for number in range(4):
            module = types.ModuleType(f"module{number}")
            sys.modules[module.__name__] = module
            exec(SOURCE, vars(module))
            modules[module.__name__] = vars(module)
            recorder = depwatch.Recorder(module.__name__)
            for name in ("X", "Y", "Class", "len"):
                recorder.read_global(vars(module), name)
            recorder.read_type_attr(module.Class, "attribute")
            recorder.read_function(module.function, "code", "defaults", "kwdefaults", "existence")
            recorder.value_cell(module, "X", "i64")
            recorder.guard_cell(module.Class, "attribute")
            module.handle = recorder.commit(on_invalidate=lambda handle: None, on_retire=lambda handle: None)
            whole = depwatch.Recorder("whole")
            for owner in (module, module.Class, module.function, module.function.__code__):
                whole.depend_on(owner)
            module.whole = whole.commit()
            module.meddler = Meddler(number)
            module.Class.meddler = Meddler(number + 10)
            module.function.__kwdefaults__["meddler"] = Meddler(number + 20)
        """)


def test_threads_that_compile_commit_and_drain_at_exit_are_survived():
    python("""
        import threading, depwatch
        namespace = {"X": 0}
        started = threading.Barrier(4)

        def build():
            started.wait()
            while True:
                try:
                    recorder = depwatch.Recorder("daemon", 60000)
                    recorder.read_global(namespace, "X")
                    handle = recorder.commit(on_invalidate=lambda handle: None)
                    depwatch.drain()
                    handle.release()
                except depwatch.Stale:
                    pass

        def change():
            started.wait()
            while True:
                namespace["X"] = (namespace["X"] + 1) % 1000

        for work in (build, build, change):
            threading.Thread(target=work, daemon=True).start()
        started.wait()
        depwatch.subscribe(lambda event: None, namespace)
        """)


# --- in any order ----------------------------------------------------------------------------------------------------

# Each part registers something that changes what is watched when the interpreter ends, or lives on until then. Every
# order is tried in a child of its own, which has imported nothing yet and ends as a program does.
ORDERS = """
import os, sys

def depwatch_part():
    import depwatch
    def compiled(name):
        recorder = depwatch.Recorder(name)
        recorder.read_global(namespace, name)
        recorder.read_type_attr(Class, "x")
        recorder.guard_cell(eval(f"lambda: {name}", namespace), name)
        return recorder.commit(on_invalidate=told.append, on_retire=told.append)
    kept.extend(compiled(name) for name in ("X", "len"))
    kept.append(depwatch.subscribe(told.append, namespace))
    kept.append(depwatch.subscribe(told.append, Class, "x"))

def threading_part():
    import threading
    threading._register_atexit(change)
    threading.Thread(target=change).start()

def logging_part():
    import logging
    class Handler(logging.Handler):
        def close(self):
            change()
            super().close()
    logging.getLogger().addHandler(Handler())

def multiprocessing_part():
    from multiprocessing import util
    util.Finalize(None, change, exitpriority=5)

def atexit_part():
    import atexit
    atexit.register(change)

def ctypes_part():
    import ctypes
    callback = ctypes.CFUNCTYPE(None)(change)
    callback()
    kept.append(callback)

def finalize_part():
    import weakref
    weakref.finalize(Class, change)
    weakref.finalize(owner, change)

def others_part():
    import importlib.util
    spec = importlib.util.spec_from_file_location("others", sys.argv[1])
    others = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(others)
    for kind, obj in enumerate((namespace, Class, change, change.__code__)):
        others.add(kind, 0)
        others.watch(kind, 0, obj)

parts = [
    depwatch_part, threading_part, logging_part, multiprocessing_part, atexit_part, ctypes_part, finalize_part,
    others_part,
]
orders = [(parts[i:] + parts[:i])[:: -1 if i % 2 else 1] for i in range(len(parts))]
orders += [[parts[i * j % 11 % 8] for j in range(1, 9)] for i in (3, 5, 7)]  # some twice and some not at all

for order in orders:
    child = os.fork()
    if child == 0:
        break
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) != 3:
        print([part.__name__ for part in order], status, flush=True)
else:
    print(len(orders), "orders")
    sys.exit(0)

namespace, kept, told, changes = {"X": 0, "__builtins__": __builtins__}, [], [], 0

class Owner:
    pass

owner = Owner()

class Class:
    x = 0
    owner = owner

def change(default=None):
    global changes
    changes += 1
    namespace["X"] = changes
    namespace["len"] = len
    del namespace["len"]
    Class.x = changes
    change.__defaults__ = (changes,)

class AtTheEnd:
    def __init__(self):
        self.change, self.namespace = change, namespace
    def __del__(self):
        try:
            self.change()
        except (TypeError, AttributeError, NameError):
            pass  # module globals are None by now
        self.namespace["X"] = self
        self.namespace.clear()

at_the_end = AtTheEnd()
Class.at_the_end = AtTheEnd()
for part in order:
    part()
change()
sys.exit(3)
"""


def test_whatever_is_imported_first_everything_ends_with_the_right_status_and_in_silence(others):
    assert python(ORDERS, others.path) == "11 orders\n"
