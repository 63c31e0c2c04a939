"""Section D and the traps of facts/host-contract.md: what callbacks may do, and what becomes of their failures."""

import gc
import sys

import pytest
from versions import HOST, IS_DEBUG
from watching import NULL, module

A, B = object(), object()

# --- what they may do -------------------------------------------------------------------------------------------------


def test_another_dict_that_is_watched_in_a_callback_stays_watched(host, react):
    d, other = {}, {}
    slot = react("D", lambda event, obj, key, value: host.watch(other))
    host.c.watch(slot, d)
    log = host.run("d['a'] = 1\nother['b'] = 2\ndel other['b']", {"d": d, "other": other})
    assert log == [("ADDED", "b", 2, NULL), ("DELETED", "b", NULL, 2)]


def test_another_dict_that_is_unwatched_in_a_callback_is_quiet(host, react):
    d, other = {}, {}
    host.watch(other)
    slot = react("D", lambda event, obj, key, value: host.unwatch(other))
    host.c.watch(slot, d)
    assert host.run("other['b'] = 1\nd['a'] = 1\nother['b'] = 2", {"d": d, "other": other}) == [("ADDED", "b", 1, NULL)]


@pytest.mark.parametrize("make", [dict, type("Subclass", (dict,), {})])
def test_the_key_of_cloned_is_the_source_and_shows_all_its_items(host, hostreact, react, make):
    source, d, seen = make(a=A, b=B), {}, []
    slot = react("D", lambda event, obj, key, value: seen.append((event, obj, key, hostreact.items(key), len(obj))))
    host.c.watch(slot, d)
    d.update(source)
    host.c.unwatch(slot, d)
    ((event, obj, key, items, length),) = seen
    assert (event, items, length) == ("CLONED", [("a", A), ("b", B)], 0)
    assert obj is d
    assert key is source
    assert d == source == {"a": A, "b": B}


def test_a_dict_that_gets_a_reference_while_it_dies_lives_on_and_stays_watched(host, react):
    d, kept = {"a": A}, []
    address = id(d)
    slot = react("D", lambda event, obj, key, value: kept.append(obj) if event == "DEALLOCATED" else None)
    host.c.watch(slot, d)
    host.watch(d)
    del d
    (d,) = kept
    kept.clear()
    assert (id(d), d) == (address, {"a": A})
    host.c.unwatch(slot, d)
    assert host.run("d['b'] = B", {"d": d, "B": B}) == [("ADDED", "b", B, NULL)]
    with host.recording() as log:
        del d
    assert [(entry.event, entry.object) for entry in log] == [("DEALLOCATED", address)]


DYING = [("F", "def f(): return 1", "f"), ("C", "c = compile('x = 1', '<host>', 'exec')", "c")]


@pytest.mark.parametrize(("kind", "source", "name"), DYING, ids=["function", "code object"])
def test_a_function_or_code_object_that_gets_a_reference_while_it_dies_lives_on(host, react, kind, source, name):
    names, kept, to_keep = module(source), [], [1]
    address = id(names[name])
    react(kind, lambda event, obj, *rest: kept.append(obj) if id(obj) == address and to_keep else None)
    del names[name]
    (obj,) = kept
    to_keep.clear()
    kept.clear()
    if kind == "F":
        assert obj() == 1
    else:
        exec(obj, names)
        assert names["x"] == 1
    with host.recording(kind) as log:
        del obj
    assert [entry.event for entry in log if entry.object == address] == ["DESTROY"]


def test_a_watcher_that_another_s_callback_clears_is_not_called_any_more(host, react):
    d = {}
    first = react("D", lambda event, obj, key, value: host.c.clear("D", second))
    second = host.c.add("D")
    assert second > first
    for slot in (first, second):
        host.c.watch(slot, d)
    assert host.run("d['a'] = A", {"d": d, "A": A}) == []
    host.c.unwatch(first, d)
    assert d == {"a": A}


def test_garbage_may_be_collected_in_a_callback(host, react):
    d = {}
    events = []
    slot = react("D", lambda event, obj, key, value: events.append(event) or gc.collect())
    host.c.watch(slot, d)
    exec("d['a'] = [d]\nd['a'] = [d]\ndel d['a']\nd['b'] = d\nd.clear()", {"d": d})
    host.c.unwatch(slot, d)
    assert events == ["ADDED", "MODIFIED", "DELETED", "ADDED", "CLEARED"]
    assert d == {}


def watched_class(host, slot):
    cls = type("K", (), {"x": "start"})
    host.c.watch(slot, cls)
    assert host.c.assign_version_tag(cls)
    return cls


def test_of_two_values_for_a_class_attribute_the_later_write_wins(host, react):
    """The callback's is the later one on 3.12, where it comes after the write."""
    slot = react("T", lambda event, cls, key, value: setattr(cls, "x", "inner"))
    cls = watched_class(host, slot)
    cls.x = "outer"
    assert cls.x == vars(cls)["x"] == ("outer" if HOST.type_event_before_write else "inner")
    host.c.unwatch(slot, cls)


def test_the_dict_of_a_class_may_be_cleared_in_its_type_callback(host, react):
    slot = react("T", lambda event, cls, key, value: host.c.type_dict(cls).clear())
    cls = watched_class(host, slot)
    cls.x = "outer"
    host.c.unwatch(slot, cls)
    assert dict(vars(cls)) == ({"x": "outer"} if HOST.type_event_before_write else {})


def test_a_version_tag_that_is_assigned_in_a_type_callback_is_taken_away_again(host, react):
    calls = []
    slot = react("T", lambda event, cls, key, value: calls.append(host.c.assign_version_tag(cls)))
    cls = watched_class(host, slot)
    for i in range(3):
        cls.x = i
    assert calls == [True]  # the class has none afterwards, so that the next two sent nothing
    assert host.c.assign_version_tag(cls)
    cls.x = 3
    assert calls == [True, True]
    host.c.unwatch(slot, cls)


PARTS = [
    ("__code__", (lambda: "inner").__code__, (lambda: "outer").__code__),
    ("__defaults__", ("inner",), ("outer",)),
    ("__kwdefaults__", {"x": "inner"}, {"x": "outer"}),
    ("__qualname__", "inner", "outer"),
]


@pytest.mark.parametrize(("attribute", "inner", "outer"), PARTS, ids=[part[0] for part in PARTS])
def test_a_part_of_a_function_that_its_callback_sets_is_overwritten(hostwatch, react, attribute, inner, outer):
    f = module("def f(): pass")["f"]
    set_inside = []

    def set_it(event, obj, key, value):
        setattr(obj, attribute, inner)
        set_inside.append(getattr(obj, attribute))

    react("F", set_it)
    setattr(f, attribute, outer)
    has_event = attribute != "__qualname__" or "MODIFY_QUALNAME" in HOST.function_events
    assert set_inside == ([inner] if has_event else [])
    assert getattr(f, attribute) is outer


# --- failures ---------------------------------------------------------------------------------------------------------

# what happens, what is there afterwards
FAILURES = {
    "D": ("d['a'] = 1", "d['a'] == 1"),
    "T": ("K.x = 1", "K.x == 1"),
    "F": ("f.__defaults__ = (1,)", "f.__defaults__ == (1,)"),
    "C": ("code = compile('x = 1', '<host>', 'exec')", "code.co_names == ('x',)"),
}


CHANGED = "d = {}\nclass K: pass\ndef f(): pass"  # what is changed


@pytest.mark.parametrize("kind", FAILURES)
def test_a_callback_s_exception_is_unraisable_and_the_change_happens(hostwatch, hostreact, monkeypatch, kind):
    change, check = FAILURES[kind]
    names, seen, failure = module(CHANGED), [], ValueError("from the callback")
    code = compile(change, "<caller>", "exec")
    monkeypatch.setattr(sys, "unraisablehook", lambda problem: seen.append(problem.exc_value))
    slot = hostreact.add_failing(kind, failure)
    for obj in {"D": [names["d"]], "T": [names["K"]]}.get(kind, []):
        hostwatch.watch(slot, obj)
    exec(code, names)
    hostreact.clear(kind, slot)
    assert seen == [failure]
    assert eval(check, names)


@pytest.mark.parametrize("kind", FAILURES)
def test_a_callback_of_any_kind_that_fails_without_an_exception_may_kill(fresh_process, kind):
    change, check = FAILURES[kind]
    answer = fresh_process(f"""
import hostreact
from watching import module
names = module({CHANGED!r})
code = compile({change!r}, "<caller>", "exec")
slot = hostreact.add_failing({kind!r}, None)
for obj in {{"D": [names["d"]], "T": [names["K"]]}}.get({kind!r}, []):
    hostwatch.watch(slot, obj)
exec(code, names)
hostreact.clear({kind!r}, slot)
print(hostreact.count_failed(), eval({check!r}, names))
""")
    if (HOST.bare_failure_debug if IS_DEBUG else HOST.bare_failure) == "tolerated":
        assert (answer.stdout, answer.returncode) == ("1 True\n", 0), answer
    else:
        assert answer.returncode < 0, answer


def test_a_failure_to_report_a_creation_is_reported_by_creating_functions_on_3_15(fresh_process):
    """Without a limit it never ends: the default hook prints the traceback with Python code."""
    answer = fresh_process("""
import hostreact
slot = hostreact.add_failing("F", ValueError("from the callback"), 100)
function = lambda: 0
hostreact.clear("F", slot)
print(hostreact.count_failed(), function())
""")
    assert answer.returncode == 0, answer
    assert answer.stdout == ("100 0\n" if HOST.failing_creation_runs_away else "1 0\n")
    assert answer.stderr.count("ValueError: from the callback") == (100 if HOST.failing_creation_runs_away else 1)


def test_a_failure_while_an_exception_is_on_its_way_loses_that_exception(fresh_process):
    """The dict dies while [].index() is left with its ValueError."""
    answer = fresh_process("""
import hostreact, sys
sys.unraisablehook = lambda problem: print("unraisable", problem.exc_type.__name__)
slot = hostreact.add_failing("D", KeyError("from the callback"))
def watched():
    d = {"a": 1}
    hostwatch.watch(slot, d)
    return d
try:
    [].index(watched())
except Exception as error:
    print(type(error).__name__, flush=True)
""")
    if IS_DEBUG:
        assert answer.returncode < 0, answer
        assert "Deallocator of type 'dict' cleared the current exception" in answer.stderr
    else:
        assert (answer.stdout, answer.returncode) == ("unraisable KeyError\nSystemError\n", 0)


def test_an_exception_on_its_way_survives_a_callback_that_puts_it_aside(hostwatch, react):
    events = []
    slot = react("D", lambda event, obj, key, value: events.append(event))

    def watched():
        d = {"a": 1}
        hostwatch.watch(slot, d)
        return d

    with pytest.raises(ValueError, match="not in list"):
        [].index(watched())
    assert events == ["DEALLOCATED"]


@pytest.mark.parametrize("kind", "FC")
def test_python_that_runs_in_a_callback_at_the_process_s_end_may_kill_it(fresh_process, kind):
    answer = fresh_process(f"""
import hostreact, json
events = []
def reaction(event, obj, key, value):
    events.append(event)
    (lambda: 0)()
hostreact.add({kind!r}, reaction)
""")
    assert ("tolerated" if answer.returncode == 0 else "killed") == (
        HOST.python_in_late_code_callback if kind == "C" else "tolerated"
    ), answer
