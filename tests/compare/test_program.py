"""A program under observation behaves as it does without, and the table goes to stderr."""

import signal
from typing import Any

import pytest

_TABLE = "\ndepwatch compare "


def split(err: str) -> tuple[str, str]:
    """What the program wrote to stderr, and the table."""
    own, found, table = err.partition(_TABLE)
    return own, found + table


def check_same(programs: Any, *arguments: str, input: str = "") -> Any:
    """Run with and without observation; return the observed outcome."""
    plain, observed = programs.both(*arguments, input=input)
    own, table = split(observed.err)
    assert observed.out == plain.out
    assert observed.status == plain.status
    assert own == plain.err
    assert "missed events: 0" in table
    assert observed.report["missed_events"] == 0
    return observed


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
def test_what_cannot_run_is_told_as_python_tells_it_and_there_is_no_table(programs: Any, arguments: Any) -> None:
    (programs.directory / "empty").mkdir()
    programs.write("x = (\n", "broken.py")
    plain, observed = programs.both(*arguments)
    assert (observed.status, observed.out, observed.err) == (plain.status, plain.out, plain.err)
    assert observed.report is None


def test_threads_run_to_their_end_before_the_table(programs: Any) -> None:
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
    observed = check_same(programs, "program.py")
    assert observed.report["whole"]["hot_functions"] >= 1


def test_a_forked_child_is_not_observed_and_prints_no_table(programs: Any) -> None:
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
    observed = check_same(programs, "program.py")
    assert observed.err.count(_TABLE) == 1
    assert observed.policy("bulk_by_facet")["dropped"] == 1


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
    observed = check_same(programs, "program.py")
    assert observed.out == "[None, None, None, None, None]\nNone\n"


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


def test_a_signal_that_ends_the_process_ends_it(programs: Any) -> None:
    programs.write("import os, signal\nprint('begun', flush=True)\nos.kill(os.getpid(), signal.SIGTERM)")
    observed = programs.observed("program.py")
    assert (observed.status, observed.out, observed.err) == (-signal.SIGTERM, "begun\n", "")


def test_the_report_goes_to_the_file_named_although_the_program_changes_the_directory(programs: Any) -> None:
    observed = programs.observe("import os, sys\nos.chdir('/')\nsys.stderr = None")
    assert observed.report is not None
    assert observed.report["program"] == ["program.py"]


def test_a_report_that_cannot_be_written_is_refused_before_the_program_runs(programs: Any) -> None:
    programs.write("print('ran')")
    outcome = programs.plain("-m", "depwatch", "compare", "-o", "nowhere/report.json", "program.py")
    assert outcome.status == 2
    assert "nowhere/report.json" in outcome.err
    assert outcome.out == ""


def test_m_without_a_module_is_refused(programs: Any) -> None:
    outcome = programs.plain("-m", "depwatch", "compare", "-m")
    assert outcome.status == 2
    assert "-m needs the name of a module" in outcome.err
