"""Traps 4 and 5 and section G of facts/host-contract.md: another entry (vectorcall) or other code for a function."""

import dis
import json
import types

import pytest
from entry_paths import PATHS, path, swapped
from versions import HAS_JIT, HOST, TABLE
from watching import module

N = 1000  # enough to specialise every instruction of a loop


@pytest.fixture(autouse=True)
def hits_from_now_on(hostentry):
    hostentry.take_hits()


# --- which calls go through an entry ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PATHS)
def test_an_entry_that_is_installed_before_the_first_call_is_honoured(hostentry, name):
    names = path(name, hostentry)
    hostentry.install(names["target"])
    assert names["loop"](N) == "old"
    # A site that passes it by has called it before it was specialised.
    assert hostentry.take_hits() == (1 if name in HOST.entry_ignored else N)


@pytest.mark.parametrize("name", PATHS)
def test_an_entry_that_is_installed_at_a_hot_call_is_honoured_until_it_is_restored(hostentry, name):
    names = path(name, hostentry)
    names["loop"](N)
    hostentry.install(names["target"])
    assert hostentry.take_hits() == 0
    assert names["loop"](N) == "old"
    assert hostentry.take_hits() == (0 if name in HOST.entry_ignored else N)
    hostentry.restore(names["target"])
    assert names["loop"](N) == "old"
    assert hostentry.take_hits() == 0


@pytest.mark.parametrize("name", PATHS)
def test_other_code_is_run_by_the_next_call_and_does_not_reset_the_entry(hostentry, name):
    names = path(name, hostentry)
    names["loop"](N)
    names["target"].__code__ = swapped(names["target"].__code__)
    assert (names["call"](), names["loop"](N)) == ("new", "new")
    names = path(name, hostentry)
    hostentry.install(names["target"])
    names["loop"](N)
    hostentry.take_hits()
    names["target"].__code__ = swapped(names["target"].__code__)
    assert hostentry.is_installed(names["target"])
    assert names["loop"](N) == "new"
    assert hostentry.take_hits() == (0 if name in HOST.entry_ignored else N)


def test_the_paths_that_are_said_to_pass_by_an_entry_are_paths():
    assert frozenset().union(*(host.entry_ignored for host in TABLE.values())) <= PATHS.keys()


# Sites that all versions specialise for the function that they call.
SPECIALISED = [
    "f(1)",
    "f() with a default",
    "o.m(1)",
    "K.m(o, 1)",
    "a bound method",
    "super().m()",
    "a class method",
    "a static method",
    "__getitem__",
    "__getattribute__",
    "a generator",
    "await",
    "a comprehension",
    "a generator expression",
]


@pytest.mark.parametrize("name", SPECIALISED)
def test_an_entry_that_is_written_straight_into_the_function_is_ignored_at_hot_calls(hostentry, name):
    names = path(name, hostentry)
    names["loop"](N)
    hostentry.write_field(names["target"])
    assert hostentry.is_installed(names["target"])
    names["loop"](N)
    assert hostentry.take_hits() == 0
    hostentry.restore(names["target"])


@pytest.mark.parametrize("change", ["__defaults__", "__kwdefaults__"])
def test_other_defaults_do_not_reset_the_entry(hostentry, change):
    f = module("def f(x=1, *, y=1): return x, y")["f"]
    hostentry.install(f)
    setattr(f, change, (2,) if change == "__defaults__" else {"y": 2})
    assert hostentry.is_installed(f)
    assert f() == ((2, 1) if change == "__defaults__" else (1, 2))
    assert hostentry.take_hits() == 1


@pytest.mark.parametrize("jit", [0, 1])
def test_a_modified_class_uses_its_entry_only_until_init_is_specialised_again(fresh_process, jit):
    """And not at all with the JIT of 3.15."""
    answer = fresh_process(
        """
import hostentry, hostreact
from entry_paths import path
names = path("C(1)", hostentry)
exec("def make(n):\\n for _ in range(n): K(1)", names)
names["make"](20_000)
hostentry.install(names["target"])
hostreact.type_modified(names["K"])
names["make"](6000)
print(hostentry.take_hits())
""",
        PYTHON_JIT=str(jit),
    )
    assert answer.returncode == 0, answer
    assert int(answer.stdout) == HOST.init_hits[jit and HAS_JIT]


def test_with_the_jit_entries_are_honoured_on_the_same_paths(fresh_process):
    """Also where there is no JIT, as PYTHON_JIT is ignored there."""
    answer = fresh_process(
        """
import hostentry, json
from entry_paths import PATHS, path
hits = {}
for name in PATHS:
    names = path(name, hostentry)
    names["loop"](6000)
    hostentry.install(names["target"])
    hostentry.take_hits()
    names["loop"](100)
    hits[name] = hostentry.take_hits()
print(json.dumps(hits))
""",
        PYTHON_JIT="1",
    )
    assert answer.returncode == 0, answer
    assert json.loads(answer.stdout) == {name: 0 if name in HOST.entry_ignored else 100 for name in PATHS}


# --- versions of functions, and what calls are specialised to ---------------------------------------------------------

SOURCE = """
def f(x): return x
def other(x): return x
class C:
    def __init__(self, x): pass
def call(n):
    for _ in range(n): f(1)
def call_again(n):
    for _ in range(n): f(1)
def make(n):
    for _ in range(n): C(1)
"""


def site(function):
    """What the last call in a function is specialised to."""
    names = [instruction.opname for instruction in dis.get_instructions(function, adaptive=True)]
    return [name for name in names if name.startswith("CALL") and not name.startswith("CALL_INTRINSIC")][-1]


def test_a_hot_call_of_a_new_function_is_specialised_for_it(hostentry):
    names = module(SOURCE)
    names["call"](N)
    names["make"](N)
    assert (site(names["call"]), site(names["make"])) == ("CALL_PY_EXACT_ARGS", HOST.init_site)
    assert hostentry.version(names["f"]) > 1


CHANGES = {
    "a restored entry": "c.install(f); c.restore(f)",
    "its own entry": "c.restore(f)",
    "other code": "f.__code__ = other.__code__",
    "the same code": "f.__code__ = f.__code__",
    "defaults": "f.__defaults__ = (1,)",
    "no defaults": "del f.__defaults__",
    "keyword defaults": "f.__kwdefaults__ = {'y': 2}",
}


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("change", CHANGES)
def test_a_function_that_was_changed_is_never_specialised_again_but_on_3_12(hostentry, change, warm):
    hostentry.install(module(SOURCE)["f"])  # so that restore() knows what to restore, whichever test is the first
    names = module(SOURCE, c=hostentry)
    f = names["f"]
    if warm:
        names["call"](N)
    exec(CHANGES[change], names)
    for name in ("call", "call_again"):
        names[name](N)
        assert site(names[name]) == HOST.site_after_change
    if HOST.version_after_change is None:
        assert hostentry.version(f) > 0
    else:
        assert hostentry.version(f) == HOST.version_after_change


@pytest.mark.parametrize("change", ["a restored entry", "other code"])
@pytest.mark.parametrize("name", ["a property", "__getitem__"])
def test_what_a_hot_property_or_item_becomes_when_its_function_was_changed(hostentry, name, change):
    def specialised():
        (opname,) = (i.opname for i in dis.get_instructions(names["call"], adaptive=True) if i.opname in known)
        return opname

    before, after = HOST.property_sites if name == "a property" else HOST.getitem_sites
    known = {before, after}
    names = path(name, hostentry)
    names["loop"](N)
    assert specialised() == before
    if change == "other code":
        names["target"].__code__ = swapped(names["target"].__code__)
    else:
        hostentry.install(names["target"])
        names["loop"](N)
        hostentry.restore(names["target"])
    names["loop"](3 * N)
    assert specialised() == after


def test_a_function_with_an_entry_is_called_by_the_generic_instruction(hostentry):
    names = module(SOURCE)
    names["call"](N)
    hostentry.install(names["f"])
    for name in ("call", "call_again"):
        names[name](N)
        assert site(names[name]) == "CALL"
    assert hostentry.take_hits() == 2 * N


def test_a_function_of_function_type_is_never_specialised_but_on_3_12(hostentry):
    names = module(SOURCE)
    names["f"] = types.FunctionType(names["f"].__code__, names)
    names["call"](N)
    assert site(names["call"]) == HOST.site_after_change
    if HOST.version_of_function_type is None:
        assert hostentry.version(names["f"]) > 0
    else:
        assert hostentry.version(names["f"]) == HOST.version_of_function_type


def test_a_new_def_is_specialised_at_the_hot_call_of_one_that_cannot_be(hostentry):
    names = module(SOURCE)
    names["call"](N)
    names["f"].__code__ = names["other"].__code__
    names["call"](N)
    assert site(names["call"]) == HOST.site_after_change
    exec("def f(x): return x", names)
    names["call"](10 * N)  # having failed to specialise, the site waits longer and longer before it tries again
    assert site(names["call"]) == "CALL_PY_EXACT_ARGS"


def test_each_swap_of_code_is_a_fresh_version_on_3_12_and_none_later(hostentry):
    names = module(SOURCE)
    versions = []
    for _ in range(3):
        names["f"].__code__ = names["other"].__code__
        names["call"](N)
        versions.append(hostentry.version(names["f"]))
    if HOST.version_after_change is None:
        assert versions == list(range(versions[0], versions[0] + 3))
    else:
        assert versions == [HOST.version_after_change] * 3


def test_a_qualified_name_does_not_cost_a_function_its_version(hostentry):
    names = module(SOURCE)
    before = hostentry.version(names["f"])
    names["f"].__qualname__ = "q"
    names["call"](N)
    assert (hostentry.version(names["f"]), site(names["call"])) == (before, "CALL_PY_EXACT_ARGS")


# --- who sees a call that goes through an entry -----------------------------------------------------------------------


@pytest.fixture
def events_of_call(fresh_process):
    """events_of_call(observer, install): the events of f(1), called by call(); in a process of its own."""

    def events_of_call(observer, install):
        answer = fresh_process(f"""
import hostentry, sys
from watching import module
names = module("def f(x): return x\\ndef call(): f(1)")
log = []
def note(event, code):
    if code.co_name in ("f", "call"): log.append((event, code.co_name))
if {observer!r} == "monitoring":
    monitoring = sys.monitoring
    monitoring.use_tool_id(0, "host")
    for event in ("PY_START", "PY_RETURN", "CALL"):
        note_it = lambda code, *rest, event=event: note(event, code)
        monitoring.register_callback(0, getattr(monitoring.events, event), note_it)
if {install!r}: getattr(hostentry, {install!r})(names["f"])
call = names["call"]
if {observer!r} == "monitoring":
    monitoring.set_events(0, monitoring.events.PY_START | monitoring.events.PY_RETURN | monitoring.events.CALL)
else:
    def trace(frame, event, argument):
        if event in ("call", "return"): note(event, frame.f_code)
        return trace
    getattr(sys, {observer!r})(trace)
call()
sys.setprofile(None); sys.settrace(None)
if {observer!r} == "monitoring": monitoring.set_events(0, 0)
print(log)
""")
        assert answer.returncode == 0, answer
        return eval(answer.stdout)

    return events_of_call


OBSERVERS = {
    "sys.setprofile": ("setprofile", [("call", "call"), ("return", "call")], [("call", "f"), ("return", "f")]),
    "sys.settrace": ("settrace", [("call", "call"), ("return", "call")], [("call", "f"), ("return", "f")]),
    "sys.monitoring": (
        "monitoring",
        [("PY_START", "call"), ("CALL", "call"), ("PY_RETURN", "call")],
        [("PY_START", "f"), ("PY_RETURN", "f")],
    ),
}


@pytest.mark.parametrize("observer", OBSERVERS)
def test_a_call_is_observed_as_ever_only_if_the_entry_runs_the_code(events_of_call, observer):
    name, around, inside = OBSERVERS[observer]
    both = [*around[:-1], *inside, around[-1]]
    assert events_of_call(name, None) == both
    assert events_of_call(name, "install") == both
    assert events_of_call(name, "install_answer") == around


def test_recursion_through_an_entry_ends_in_a_recursion_error(fresh_process):
    """It takes C stack, of which the thread here has as much as a process's first thread commonly has."""
    answer = fresh_process(f"""
import hostentry, sys, threading
from watching import module
r = module("def r(n): return 0 if n == 0 else r(n - 1)")["r"]
hostentry.install(r)
sys.setrecursionlimit(100_000)
def descend():
    for depth in {HOST.entry_recursion}:
        try:
            print(r(depth))
        except RecursionError:
            print("RecursionError")
threading.stack_size(8 << 20)
thread = threading.Thread(target=descend)
thread.start()
thread.join()
""")
    assert (answer.stdout, answer.returncode) == ("0\nRecursionError\n", 0), answer
