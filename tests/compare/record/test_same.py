"""What a recorded program finds in its process is what it would find, but for what is listed here."""

import ast
from typing import Any

LOOK = """
import sys
modules = list(sys.modules)
import gc
gc.collect()  # which leaves out tuples and dicts that it need not look at
n_objects = len(gc.get_objects())
import _thread, atexit, os, signal, warnings
filters = [(rule[0], rule[2].__name__) for rule in warnings.filters]
print({
    "modules": modules, "path": sys.path, "path cache": list(sys.path_importer_cache),
    "finders": [type(finder).__name__ for finder in sys.meta_path],
    "hooks": [str(type(hook)) for hook in sys.path_hooks],
    "environment": dict(os.environ), "flags": list(sys.flags), "options": (sys._xoptions, sys.warnoptions, filters),
    "threads": _thread._count(), "frames": len(sys._current_frames()), "outer frame": str(sys._getframe().f_back),
    "handlers": [str(signal.getsignal(number)) for number in signal.valid_signals()],
    "mask": str(signal.pthread_sigmask(0, [])), "files": sorted(os.listdir("/proc/self/fd")), "umask": os.umask(0o22),
    "argv": sys.argv, "original argv": sys.orig_argv[1:], "directory": os.getcwd(), "prefix": sys.prefix,
    "names of sys": list(vars(sys)), "names of os": sorted(vars(os)), "names of builtins": list(vars(__builtins__)),
    "own names": list(globals()), "excepthook": sys.excepthook is sys.__excepthook__,
    "hooks of the interpreter": (sys.gettrace(), sys.getprofile(), str(sys.get_asyncgen_hooks())),
    "garbage collection": (gc.isenabled(), gc.get_threshold(), gc.callbacks, gc.garbage),
    "limits": (sys.getrecursionlimit(), sys.getswitchinterval(), sys.get_int_max_str_digits()),
    "tools": [sys.monitoring.get_tool(tool) for tool in range(6)],
    "exit functions": atexit._ncallbacks(), "frozen": gc.get_freeze_count(), "objects": n_objects,
    "classes": len(object.__subclasses__()),
})
"""


def test_a_program_finds_the_same_in_its_process_but_for_what_is_listed_here(programs: Any) -> None:
    programs.write(LOOK)
    programs.environment.pop("PYTHONDONTWRITEBYTECODE", None)
    programs.both("program.py")  # all is compiled now
    plain, recorded = programs.both("program.py")
    assert recorded.err == ""
    before, after = ast.literal_eval(plain.out), ast.literal_eval(recorded.out)
    differ = {name for name in before if before[name] != after[name]}
    assert differ == {"exit functions", "frozen", "objects", "classes"}
    assert after["exit functions"] - before["exit functions"] == 2  # the recorder's, and depwatch's own
    # gc.get_objects() leaves out what is frozen: all of the recorder but what it has made since the program began.
    assert after["frozen"] > before["frozen"] + 1000
    assert abs(after["objects"] - before["objects"]) < 100


OBJECTS = """
import gc, weakref
RATE = 1
class Shape:
    def area(self): return RATE + self.side()
    def side(self): return len("abc")
class Square(Shape):
    def side(self): return 2
def functions():
    for i in range(30):
        def one(x, shape=Square()): return x + RATE + shape.area() + len([Shape().side()])
        yield one
made = list(functions())
kept = weakref.ref(made[0])
def count():
    for _ in range(5): gc.collect()  # which leaves out tuples of tuples that it need not look at one level a time
    counts = {}
    for thing in gc.get_objects():
        name = type(thing).__module__ + "." + type(thing).__name__
        counts[name] = counts.get(name, 0) + 1
    return counts
before = count()
for _ in range(100):
    for one in made: one(RATE)
print((before, count(), sum(each is kept for each in gc.get_objects())))
"""


def test_gc_get_objects_shows_no_object_of_the_recorder_while_code_gets_hot(programs: Any) -> None:
    programs.write(OBJECTS)
    plain, recorded = programs.both("program.py")
    assert recorded.err == ""
    grown = []
    for outcome in (plain, recorded):
        before, after, found = ast.literal_eval(outcome.out)
        assert found == 1  # the program's own weak reference
        assert [name for name in after if name.startswith("depwatch")] == []
        grown.append({name: after.get(name, 0) - before.get(name, 0) for name in before | after})
    more = {name: grown[1].get(name, 0) - grown[0].get(name, 0) for name in grown[0] | grown[1]}
    references = more.pop("weakref.ReferenceType")  # one for each class, to hear of its end
    assert 2 <= references < 10
    assert {name: number for name, number in more.items() if number} == {}


def test_no_builtin_that_the_program_has_replaced_is_called_by_the_recorder(programs: Any) -> None:
    programs.write("""
        import builtins, io, sys
        def spy(name, function):
            def called(*arguments, **named):
                file = sys._getframe(1).f_code.co_filename
                if "depwatch" in file or file.endswith(("dis.py", "opcode.py", "dataclasses.py", "enum.py")):
                    seen.append(name)
                return function(*arguments, **named)
            return called
        seen = []
        for name, value in list(vars(builtins).items()):
            if type(value) is type(len) and name not in ("__build_class__", "exec", "eval", "locals", "vars"):
                setattr(builtins, name, spy(name, value))
        RATE = 1
        class Thing:
            def price(self, x): return len(x) + min(x) + self.rate() + io.DEFAULT_BUFFER_SIZE
            def rate(self): return RATE
        for RATE in range(3):
            for _ in range(100): Thing().price((1, 2))
        print(seen, RATE)
    """)
    recorded = programs.record("program.py")
    assert (recorded.out, recorded.err) == ("[] 2\n", "")
    assert recorded.calls()["Thing.price"] == 300


def test_a_program_that_imports_depwatch_gets_the_one_that_the_recorder_has(programs: Any) -> None:
    programs.write("""
        import sys
        assert not [name for name in sys.modules if name.partition(".")[0] == "depwatch"]
        import importlib, os
        if os.fork() == 0:
            errors = importlib.import_module("depwatch.errors")
            import depwatch
            print(depwatch.Unwatchable is errors.Unwatchable, flush=True)
            os._exit(0)
        os.wait()
        import depwatch
        RATE = 1
        def price(): return RATE
        handle = depwatch.assume(price)
        RATE = 2
        print(handle.valid)
    """)
    recorded = programs.record("program.py")
    assert (recorded.err, recorded.out.splitlines()) == ("", ["True", "False"])
