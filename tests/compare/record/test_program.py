"""A program that is recorded behaves as it does without, however it ends."""

import signal
from typing import Any

import pytest


def check_same(programs: Any, *arguments: str, input: str = "") -> Any:
    """Run with and without recording; return the recorded outcome."""
    plain, recorded = programs.both(*arguments, input=input)
    assert (recorded.out, recorded.err, recorded.status) == (plain.out, plain.err, plain.status)
    assert recorded.journal.rows[-1]["kind"] == "end"
    assert "failure" not in recorded.journal.json
    return recorded


def test_a_script_sees_the_names_paths_and_arguments_that_it_would_see(programs: Any) -> None:
    programs.write("""
        import pickle, sys
        class Shape: pass
        main = sys.modules["__main__"]
        print(list(globals()))
        print(__name__, __file__, __package__, __spec__, __doc__, type(__loader__).__name__, __builtins__)
        print(sys.argv, sys.path, main.__dict__ is globals())
        print(type(pickle.loads(pickle.dumps(Shape()))), sys.stdin.read())
    """)
    check_same(programs, "program.py", "-o", "x", "--", "-m", input="typed")


def test_a_module_sees_the_names_paths_and_arguments_that_it_would_see(programs: Any) -> None:
    programs.write("", "package/__init__.py")
    programs.write(
        """
        import sys
        from . import sibling
        print(list(globals()))
        print(__name__, __file__, __package__, __spec__.name, sys.argv, sys.path)
        """,
        "package/__main__.py",
    )
    programs.write("import sys\nprint(__name__, sys.argv)", "package/sibling.py")
    check_same(programs, "-m", "package", "-o", "x", "--hot-after", "3")


def test_the_program_is_as_deep_on_the_stack_and_finds_all_as_it_would(programs: Any) -> None:
    """CPython starts it; what brought the recorder into the process is gone."""
    programs.write("""
        import os, sys
        def deep(n): return 0 if n == 0 else 1 + deep(n - 1)
        print(deep(sys.getrecursionlimit() - 5), sys._getframe().f_back)
        print(sorted(os.environ.items()), sys.path, sys.orig_argv[1:], sys.flags, sep="\\n")
        print("sitecustomize" in sys.modules, sys.excepthook is sys.__excepthook__, sys.argv)
        print([sys.monitoring.get_tool(tool) for tool in range(5)])
    """)
    check_same(programs, "program.py", "x")


def test_a_sitecustomize_of_the_user_runs_before_the_program(programs: Any) -> None:
    programs.write("import sys; print('mine', 'sitecustomize' in sys.modules)", "own/sitecustomize.py")
    programs.write("import sitecustomize, sys; print(sitecustomize.__file__ == sys.path[1] + '/sitecustomize.py')")
    programs.environment["PYTHONPATH"] = str(programs.directory / "own")
    assert check_same(programs, "program.py").out == "mine True\nTrue\n"
    programs.write("1 / 0", "own/sitecustomize.py")
    programs.write("print('ran')")
    assert check_same(programs, "program.py").err.endswith("ZeroDivisionError: division by zero\n")


def test_another_interpreter_of_the_program_starts_as_it_would(programs: Any) -> None:
    programs.write("""
        try: import _interpreters as interpreters
        except ImportError: import _xxsubinterpreters as interpreters
        other = interpreters.create()
        interpreters.run_string(other, "import sys; print(sys.path)")
        interpreters.destroy(other)
    """)
    assert check_same(programs, "program.py").err == ""


def test_a_free_function_of_the_program_hears_of_no_code_of_others(programs: Any) -> None:
    programs.write("""
        import ctypes
        FREE, freed = ctypes.CFUNCTYPE(None, ctypes.c_void_p), []
        free = FREE(freed.append)
        request = ctypes.pythonapi.PyUnstable_Eval_RequestCodeExtraIndex
        request.argtypes, request.restype = [FREE], ctypes.c_ssize_t
        request(free)
        def work():
            function = eval("lambda n: n + 1")
            for i in range(300): function(i)
        for _ in range(20): work()
        print(freed)
    """)
    assert check_same(programs, "program.py").out == "[]\n"


def test_a_directory_with_a_main_runs(programs: Any) -> None:
    programs.write("import sys, other\nprint(__name__, __file__, sys.argv, sys.path[0])", "app/__main__.py")
    programs.write("print(__name__)", "app/other.py")
    check_same(programs, "app", "x")


@pytest.mark.parametrize(
    "ending",
    [
        "sys.exit(3)",
        "sys.exit('message')",
        "raise SystemExit",
        "1 / 0",
        "def f(): raise ValueError('no') from KeyError('k')\nf()",
        "sys.excepthook = lambda kind, value, traceback: print('hook', kind, value, traceback.tb_lineno)\n1 / 0",
        "import atexit; atexit.register(print, 'at exit')",
        "import os; os.kill(os.getpid(), __import__('signal').SIGINT)",
        "sys.stdout.write('no newline')",
        "print('to stderr', file=sys.stderr)",
    ],
    ids=lambda text: text.splitlines()[0][:30],
)
def test_it_ends_as_it_would(programs: Any, ending: str) -> None:
    programs.write(f"import sys\nprint('begun')\n{ending}\n")
    check_same(programs, "program.py")


def test_an_exception_in_a_module_has_the_traceback_of_python_m(programs: Any) -> None:
    programs.write("def f():\n    raise ValueError('no')\nf()")
    check_same(programs, "-m", "program")


@pytest.mark.parametrize(
    "arguments",
    [("missing.py",), ("-m", "missing"), ("-m", "missing.part"), ("empty",), ("broken.py",), ("-m", "broken")],
    ids=" ".join,
)
def test_what_cannot_run_is_told_as_python_tells_it_and_nothing_is_recorded(programs: Any, arguments: Any) -> None:
    (programs.directory / "empty").mkdir()
    programs.write("x = (\n", "broken.py")
    plain, recorded = programs.both(*arguments)
    assert (recorded.status, recorded.out, recorded.err) == (plain.status, plain.out, plain.err)
    assert recorded.journal.of("end") == []


def test_threads_are_recorded_to_their_end(programs: Any) -> None:
    programs.write("""
        import sys, threading, time
        RATE = 1
        def work():
            for _ in range(100): step()
            time.sleep(0.05)
            sys.stdout.write("done\\n")
        def step(): return RATE
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads: thread.start()
    """)
    assert check_same(programs, "program.py").calls()["step"] == 400


def test_a_forked_child_is_not_recorded(programs: Any) -> None:
    programs.write("""
        import os, sys
        RATE = 1
        def step(): return RATE
        for _ in range(60): step()
        child = os.fork()
        for _ in range(60): step()
        RATE = 2
        for _ in range(60): step()
        if child:
            print("child", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        else:
            print("in child", flush=True)
            sys.exit(7)
    """)
    recorded = check_same(programs, "program.py")
    assert recorded.calls()["step"] == 180
    assert recorded.story.count("RATE: int 1") == 1


def test_multiprocessing_finds_the_functions_of_the_main_module(programs: Any) -> None:
    programs.write("""
        import multiprocessing
        def double(x): return 2 * x
        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.map(double, range(3)))
    """)
    check_same(programs, "program.py")


def test_a_program_that_recurses_to_the_limit_recovers(programs: Any) -> None:
    programs.write("""
        import sys
        sys.setrecursionlimit(300)
        def dive(depth): return dive(depth + 1)
        for _ in range(100):
            try:
                dive(0)
            except RecursionError as error:
                message = str(error)
        print(message)
    """)
    check_same(programs, "program.py")


def test_nothing_of_the_program_is_kept_alive(programs: Any) -> None:
    programs.write("""
        import gc, weakref
        class Value: pass
        def make():
            class Shape:
                def area(self): return self.half() + VALUE.__class__.__name__.__len__()
                def half(self): return 1
            return Shape
        VALUE = Value()
        Shape = make()
        shape = Shape()
        for _ in range(120): shape.area()
        references = [weakref.ref(thing) for thing in (VALUE, Shape, shape, Shape.area, Shape.area.__code__)]
        references[-1] = weakref.ref(make)
        VALUE = Value()
        for _ in range(120): shape.area()
        del Shape, shape
        make = None
        gc.collect()
        print([reference() for reference in references])
        namespace = {"__name__": "elsewhere"}
        exec("class Big: pass\\nbig = Big()\\nref = __import__('weakref').ref(big)\\ndef f(): return big", namespace)
        for _ in range(120): namespace["f"]()
        ref = namespace["ref"]
        del namespace
        gc.collect()
        print(ref())
    """)
    recorded = check_same(programs, "program.py")
    assert recorded.out == "[None, None, None, None, None]\nNone\n"


def test_the_program_may_use_sys_monitoring_settrace_and_signals_itself(programs: Any) -> None:
    programs.write("""
        import signal, sys
        seen = []
        def step(): return len(seen)
        tool = sys.monitoring.PROFILER_ID
        sys.monitoring.use_tool_id(tool, "mine")
        start = sys.monitoring.events.PY_START
        sys.monitoring.register_callback(tool, start, lambda code, at: seen.append(code.co_name))
        sys.monitoring.set_local_events(tool, step.__code__, start)
        for _ in range(60): step()
        sys.monitoring.restart_events()
        print(len(seen), step())
        signal.signal(signal.SIGTERM, lambda number, frame: print("terminated", number))
        signal.raise_signal(signal.SIGTERM)
        lines = []
        def trace(frame, event, argument):
            lines.append((frame.f_code.co_name, event))
            return trace
        sys.settrace(trace)
        step()
        sys.settrace(None)
        print(lines)
    """)
    check_same(programs, "program.py")


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("os.abort()", -signal.SIGABRT),
    ],
)
def test_a_process_that_ends_at_once_is_recorded_up_to_there(programs: Any, ending: str, status: int) -> None:
    programs.write(f"""
        import os, signal
        RATE = 1
        def step(): return RATE
        for _ in range(60): step()
        RATE = 2
        print("begun", flush=True)
        {ending}
    """)
    recorded = programs.record("program.py")
    assert (recorded.status, recorded.out, recorded.err) == (status, "begun\n", "")
    assert recorded.journal.of("end") == []
    told = [line for line in recorded.story if line != "drain"]  # there may have been no time for one
    assert told[-3:] == ["step: 60 calls", "__main__ modified at program.py:6", "RATE: int 1"]


def test_the_journal_stays_where_it_is_although_the_program_changes_the_directory(programs: Any) -> None:
    programs.write("import os, sys\nos.chdir('/')\nsys.stderr = sys.stdout = None")
    assert check_same(programs, "program.py").journal.rows


def test_a_signal_handler_that_raises_while_we_are_at_work_raises_in_the_program(programs: Any) -> None:
    programs.write("""
        import signal
        class Alarm(Exception): pass
        def handler(number, frame): raise Alarm
        signal.signal(signal.SIGALRM, handler)
        caught = 0
        text = "\\n".join(f"def f{n}(x): return len(x) + min(x) + max(x)" for n in range(200))
        for _ in range(30):
            space = {}
            exec(text, space)
            functions = [f for name, f in space.items() if name != "__builtins__"]
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.003)
                for _ in range(1000):
                    for f in functions: f((1, 2))
            except Alarm:
                caught += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
        print(caught)
    """)
    recorded = programs.record("program.py")
    assert (recorded.status, recorded.out, recorded.err) == (0, "30\n", "")
    assert "failure" not in recorded.journal.json
