"""Tools that watch a program run: monitoring, tracers and profilers that change watched things; coverage; pytest."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

from host.versions import HOST
from support import ROOT, python

# change() is what the tools call at each of their events, those of depwatch's own Python code included. Each handle is
# to be right at once, wherever that is. work() does all that tools can be told of.
PREPARED = """
    import contextlib, sys, threading
    import depwatch

    class Base:
        x = 0

    class Derived(Base):
        pass

    def function(a=0):
        return a

    ZERO, ONE = (0,), (1,)
    function.__defaults__ = ZERO
    namespace = {"X": 0}
    told, wrong, events, handles = [], [], set(), {}
    calls = changes = 0
    now = {
        "global": lambda: namespace["X"], "attribute": lambda: Base.x, "defaults": lambda: function.__defaults__[0],
    }

    def compiled(name):
        recorder = depwatch.Recorder(name, 60000)
        if name == "global":
            value = recorder.read_global(namespace, "X")
        elif name == "attribute":
            value = recorder.read_type_attr(Derived, "x")
        else:
            value = recorder.read_function(function, "defaults")[0][0]
        return recorder.commit(value, on_invalidate=told.append, on_resume=told.append)

    def compile_anew():
        for name in now:
            try:
                fresh = compiled(name)
            except depwatch.Stale:
                continue
            old, handles[name] = handles.get(name), fresh
            if old is not None:
                old.release()

    def change(event, stride=29):
        # Not at each event: a drain that makes more changes than it tells of would never end.
        global calls, changes
        events.add(event)
        calls += 1
        if calls % stride:
            return
        changes += 1
        value = changes // 3 % 2
        if changes % 3 == 0:
            namespace["X"] = value
        elif changes % 3 == 1:
            Base.x = value
        else:
            function.__defaults__ = ONE if value else ZERO
        for name, handle in list(handles.items()):
            is_as_compiled = now[name]() == handle.artifact
            if not handle.released and not handle.retired and handle.valid != is_as_compiled:
                wrong.append((changes, event, name))

    def work():
        def generate(n):
            for i in range(n):
                yield i
        for i in generate(3):
            with contextlib.suppress(ValueError):
                [].index(i) if i else len("text")
            sorted([3, 1, 2], key=lambda x: -x)
            compile_anew()
            depwatch.drain()
            [depwatch.explain(handle) for handle in handles.values()]
        while i < 5:
            i += 1

    def check(*needed):
        assert events >= set(needed), events
        assert changes >= 50, changes
        assert wrong == [], wrong[:5]
        for value in (0, 1):
            namespace["X"] = Base.x = value
            function.__defaults__ = ONE if value else ZERO
            depwatch.drain()
            for handle in handles.values():
                assert handle.retired or handle.valid == (handle.artifact == value), handle
        compile_anew()
        told.clear()
        namespace["X"] = 2
        assert handles["global"].broken == 1
        depwatch.drain()
        assert told == [handles["global"]]
"""


def under_a_tool(script):
    return python(textwrap.dedent(PREPARED) + textwrap.dedent(script))


def test_monitoring_of_all_events_may_change_what_is_watched():
    under_a_tool("""
    monitoring = sys.monitoring
    names = [name for name in vars(monitoring.events) if name.isupper() and getattr(monitoring.events, name)]
    tool, mask = 3, 0
    monitoring.use_tool_id(tool, "changing")
    for name in names:
        mask |= getattr(monitoring.events, name)
        monitoring.register_callback(tool, getattr(monitoring.events, name), lambda *args, name=name: change(name))
    monitoring.set_events(tool, mask)
    try:
        for _ in range(3):
            work()
    finally:
        monitoring.set_events(tool, 0)
        monitoring.free_tool_id(tool)
    check("PY_START", "PY_RETURN", "PY_YIELD", "PY_RESUME", "CALL", "C_RETURN", "C_RAISE", "LINE", "INSTRUCTION",
          "JUMP", "RAISE", "EXCEPTION_HANDLED")
    """)


def test_a_monitoring_callback_that_fails_leaves_depwatch_right():
    under_a_tool("""
    monitoring = sys.monitoring
    tool = 3
    monitoring.use_tool_id(tool, "failing")
    failures = 0
    def fail(*args):
        global failures
        change("LINE")
        failures += 1
        if failures % 50 == 0:
            raise RuntimeError("of the tool")
    monitoring.register_callback(tool, monitoring.events.LINE, fail)
    for _ in range(60):
        monitoring.set_events(tool, monitoring.events.LINE)
        try:
            work()
        except RuntimeError as error:
            monitoring.set_events(tool, 0)
            assert str(error) == "of the tool"
        monitoring.set_events(tool, 0)
    assert failures >= 100
    check("LINE")
    """)


@pytest.mark.parametrize("set_tracer", ["sys.settrace", "sys.setprofile"])
def test_a_tracer_may_change_what_is_watched(set_tracer):
    under_a_tool(f"""
    def tracer(frame, event, argument):
        if {set_tracer} is sys.settrace:
            frame.f_trace_opcodes = True
        change(event, 499 if {set_tracer} is sys.settrace else 29)
        return tracer
    {set_tracer}(tracer)
    try:
        for _ in range(15):
            work()
    finally:
        {set_tracer}(None)
    check(*{
        '''("call", "line", "return", "exception")'''
        if set_tracer == "sys.settrace"
        else '''("call", "return", "c_call", "c_return", "c_exception")'''
    })
    """)


@pytest.mark.parametrize("set_tracer", ["settrace", "setprofile"])
def test_a_tracer_in_a_thread_may_change_what_the_main_thread_compiles_with(set_tracer):
    under_a_tool(f"""
    def tracer(frame, event, argument):
        change(event)
        return tracer
    def traced():
        for _ in range(15):
            work()
    threading.{set_tracer}(tracer)
    thread = threading.Thread(target=traced)
    thread.start()
    threading.{set_tracer}(None)
    while thread.is_alive():
        with contextlib.suppress(depwatch.Stale):
            compiled("attribute").release()
    thread.join()
    # The other thread can run between a check's two looks; only the state at the end is asserted.
    wrong.clear()
    check("call", "return")
    """)


# --- coverage --------------------------------------------------------------------------------------------------------

PROGRAM = """\
import sys

import depwatch

RATE = 1.25
LOG = []


class Shape:
    sides = 3


def price(x):
    return x * RATE


def on_invalidate(handle):
    LOG.append(depwatch.explain(handle).rsplit(":", 1)[-1])


def on_resume(handle):
    LOG.append("again")


def never(handle):
    raise AssertionError("not reached")


def build():
    recorder = depwatch.Recorder("price")
    recorder.read_global(price, "RATE")
    recorder.read_type_attr(Shape, "sides")
    return recorder.commit(on_invalidate=on_invalidate, on_resume=on_resume, on_retire=never)


handle = build()
for i in range(5):
    RATE = 1.5
    assert handle.broken == 1
    depwatch.drain()
    RATE = 1.25
    assert handle.valid
    depwatch.drain()
Shape.sides = 4
assert handle.broken == 1
print(price(4), LOG, depwatch.explain(handle).rsplit(":", 1)[-1])
print(type(sys.gettrace()).__name__, sys.monitoring.get_tool(sys.monitoring.COVERAGE_ID))
"""
PRINTED = "5.0 ['38', 'again', '38', 'again', '38', 'again', '38', 'again', '38', 'again', '44'] 44\n"


def run(command, folder, status=0, **environment):
    variables = os.environ | {"PYTHONPATH": str(ROOT), "COVERAGE_FILE": str(folder / "data")} | environment
    variables.pop("COVERAGE_PROCESS_START", None)
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    ("core", "at_work", "branches"),
    [("ctrace", "CTracer None", []), ("ctrace", "CTracer None", ["--branch"]), ("sysmon", "NoneType coverage.py", [])],
)
def test_coverage_measures_a_program_that_uses_depwatch_and_changes_nothing(tmp_path, core, at_work, branches):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    coverage = [sys.executable, "-m", "coverage"]
    # depwatch too, so that the tool is at work inside its drains.
    command = [*coverage, "run", *branches, "--source", f"{tmp_path},{ROOT / 'depwatch'}", str(program)]
    assert run(command, tmp_path, COVERAGE_CORE=core) == f"{PRINTED}{at_work}\n"
    run([*coverage, "json", "-q", "-o", "report.json"], tmp_path)
    files = json.loads((tmp_path / "report.json").read_text())["files"]
    notice = next(report for name, report in files.items() if name.endswith(os.path.join("depwatch", "notice.py")))
    never = next(number for number, line in enumerate(PROGRAM.splitlines(), 1) if "not reached" in line)
    unseen = [] if HOST.pending_calls_are_traced or core != "ctrace" else [18, 22]  # the bodies of both callbacks
    assert files["program.py"]["missing_lines"] == [*unseen, never]
    for name in ("drain", "explain"):
        assert notice["functions"][name]["executed_lines"], name


# --- pytest ----------------------------------------------------------------------------------------------------------

REWRITTEN = """\
import depwatch
import pytest

RATE = 1
LOG = []


class Shape:
    sides = 3


def read():
    return RATE


@pytest.fixture(scope="module")
def handle():
    recorder = depwatch.Recorder("rewritten")
    assert recorder.read_global(read, "RATE") == 1
    assert recorder.read_type_attr(Shape, "sides") == 3
    handle = recorder.commit(on_invalidate=lambda handle: LOG.append("invalidated"))
    yield handle
    handle.release()


@pytest.mark.parametrize("turn", range(4))
def test_patched(handle, monkeypatch, turn):
    assert handle.valid and read() == 1
    monkeypatch.setattr(f"{__name__}.RATE", 2)
    assert handle.broken == 1
    assert read() == 2
    monkeypatch.setattr(Shape, "sides", 4)
    assert handle.broken == 2
    assert "RATE" in depwatch.explain(handle) and "sides" in depwatch.explain(handle)


def test_undone(handle):
    assert handle.valid
    depwatch.drain()
    assert LOG == ["invalidated"] * 4
    assert recorded() == 1


def recorded():
    recorder = depwatch.Recorder("again")
    value = recorder.read_global(read, "RATE")
    recorder.commit().release()
    return value


def test_what_fails_is_explained_by_the_rewritten_assert(handle):
    assert recorded() + handle.broken == 3
"""


def test_pytest_rewrites_asserts_in_a_module_whose_globals_are_watched_and_patched(tmp_path):
    (tmp_path / "test_rewritten.py").write_text(REWRITTEN)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", ".", "."]
    printed = run(command, tmp_path, status=1, PYTEST_ADDOPTS="", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert "1 failed, 5 passed" in printed
    assert "assert (1 + 0) == 3" in printed
    assert "where 1 = recorded()" in printed
    assert ".broken" in printed
