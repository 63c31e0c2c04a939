"""Functions that are inlined into others: each piece of optimized code depends on all code that went into it."""

import gc
import types
import weakref

import pytest

import depwatch
from support import Counted, at_once, dependents, without_automatic_drain

SOURCE = """
def h(x, by=2, *, off=0): return x * by + off
def g(x): return h(x) + 1
def f(x): return g(x) + g(x)
def other(x): return -x
def unrelated(x): return x
"""
CALLS = {"f": "fgh", "g": "gh", "h": "h", "unrelated": ("unrelated",)}  # what is inlined into each


@pytest.fixture
def functions():
    names = {}
    exec(SOURCE, names)
    return names


def inline(log, functions, name, parts=("code",)):
    """The handle of a function into which all that it calls, transitively, was inlined."""
    recorder = depwatch.Recorder(name)
    for callee in CALLS[name]:
        assert recorder.read_global(functions["f"], callee) is functions[callee]
        recorder.read_function(functions[callee], *parts)
    return log.commit(recorder)


def inline_all(log, functions, parts=("code",)):
    return {name: inline(log, functions, name, parts) for name in CALLS}


def valid(handles):
    return {name for name, handle in handles.items() if handle.valid}


@pytest.mark.parametrize("changed, concerned", [("h", "fgh"), ("g", "fg"), ("f", "f"), ("other", "")])
@without_automatic_drain
def test_new_code_invalidates_all_that_it_was_inlined_into_and_nothing_else_and_the_old_code_heals(
    log, functions, changed, concerned
):
    handles = inline_all(log, functions)
    old = functions[changed].__code__
    functions[changed].__code__ = (lambda x: "new").__code__
    assert valid(handles) == set(CALLS) - set(concerned)
    assert sorted(log.drained()) == [("invalidated", name) for name in concerned]
    assert valid(handles) == set(CALLS) - set(concerned)
    functions[changed].__code__ = old
    assert valid(handles) == set(CALLS)
    assert sorted(log.drained()) == [("resumed", name) for name in concerned]


@pytest.mark.parametrize("attribute, value", [("__defaults__", (9,)), ("__kwdefaults__", {"off": 9})])
@without_automatic_drain
def test_new_defaults_of_what_was_inlined_invalidate_its_callers(log, functions, attribute, value):
    handles = inline_all(log, functions, ("code", "defaults", "kwdefaults"))
    old = getattr(functions["h"], attribute)
    setattr(functions["h"], attribute, value)
    assert valid(handles) == {"unrelated"}
    assert sorted(log.drained()) == [("invalidated", name) for name in "fgh"]
    setattr(functions["h"], attribute, old)
    assert sorted(log.drained()) == [("resumed", name) for name in "fgh"]
    assert valid(handles) == set(CALLS)


@without_automatic_drain
def test_a_default_changed_in_place_retires_all_that_it_was_inlined_into(log, functions):
    handles = inline_all(log, functions, ("code", "defaults", "kwdefaults"))
    functions["h"].__kwdefaults__["off"] = 1
    assert valid(handles) == {"unrelated"}
    assert sorted(log.drained()) == [("retired", name) for name in "fgh"]


@without_automatic_drain
def test_a_name_bound_to_another_function_invalidates_as_its_code_would(log, functions):
    handles = inline_all(log, functions)
    old = functions["h"]
    functions["h"] = functions["other"]
    assert valid(handles) == {"unrelated"}
    assert sorted(log.drained()) == [("invalidated", name) for name in "fgh"]
    old.__code__ = functions["other"].__code__  # the old function changes meanwhile
    functions["h"] = old
    assert valid(handles) == {"unrelated"}
    assert log.drained() == []


@without_automatic_drain
def test_two_changes_in_one_chain_heal_when_both_are_undone(log, functions):
    handles = inline_all(log, functions)
    codes = {name: functions[name].__code__ for name in "gh"}
    for name in "gh":
        functions[name].__code__ = functions["other"].__code__
    assert [handles[name].broken for name in "fgh"] == [2, 2, 1]
    assert sorted(log.drained()) == [("invalidated", name) for name in "fgh"]
    functions["h"].__code__ = codes["h"]
    assert [handles[name].broken for name in "fgh"] == [1, 1, 0]
    assert log.drained() == [("resumed", "h")]
    functions["g"].__code__ = codes["g"]
    assert sorted(log.drained()) == [("resumed", "f"), ("resumed", "g")]
    assert valid(handles) == set(CALLS)


@without_automatic_drain
def test_code_that_nobody_else_has_can_never_come_back_and_what_relied_on_it_retires(log, functions):
    handles = inline_all(log, functions)
    functions["h"].__code__ = functions["other"].__code__
    assert [handles[name].broken for name in "fgh"] == [1, 1, 1]
    assert sorted(log.drained()) == [("invalidated", name) for name in "fgh"]
    assert sorted(log.drained()) == [("retired", name) for name in "fgh"]
    assert "nobody has the old value" in handles["f"].reason
    assert valid(handles) == {"unrelated"}


@without_automatic_drain
def test_a_change_and_its_undoing_before_any_drain_are_told_to_nobody(log, functions):
    handles = inline_all(log, functions)
    old = functions["h"].__code__
    at_once(
        (setattr, functions["h"], "__code__", functions["other"].__code__), (setattr, functions["h"], "__code__", old)
    )
    assert valid(handles) == set(CALLS)
    assert log.drained() == []


def test_dependents_names_all_that_a_function_was_inlined_into(log, functions):
    handles = inline_all(log, functions)
    numbers = {name: {handles[caller].id for caller in callers} for name, callers in
               {"h": "fgh", "g": "fg", "f": "f"}.items()}  # fmt: skip
    for name, expected in numbers.items():
        assert dependents(functions[name]) == dependents(functions[name], "code") == expected
        assert dependents(functions, name) == expected
    assert dependents(functions["other"]) == set()


@without_automatic_drain
def test_the_line_that_changed_the_code_is_told_to_every_caller(log, functions):
    handles = inline_all(log, functions)
    exec(compile("\n\nh.__code__ = other.__code__", "<changer>", "exec"), functions)
    for name in "fgh":
        assert "<changer>:3" in depwatch.explain(handles[name])
        assert "code of <function h>" in depwatch.explain(handles[name])
    assert "is valid" in depwatch.explain(handles["unrelated"])


@pytest.mark.parametrize("depth", [50])
@without_automatic_drain
def test_a_long_chain_is_invalidated_from_any_link(log, depth):
    chain = [eval("lambda x: x") for _ in range(depth)]  # each with a code object of its own
    handles = []
    for i in range(depth):
        recorder = depwatch.Recorder(str(i))
        for function in chain[i:]:
            recorder.read_function(function, "code")
        handles.append(log.commit(recorder))
    other = (lambda x: -x).__code__
    for link in (depth - 1, depth // 2, 0):
        old = chain[link].__code__
        chain[link].__code__ = other
        assert [handle.broken for handle in handles] == [1] * (link + 1) + [0] * (depth - link - 1)
        assert sorted(log.drained()) == sorted(("invalidated", str(i)) for i in range(link + 1))
        chain[link].__code__ = old
        assert sorted(log.drained()) == sorted(("resumed", str(i)) for i in range(link + 1))


# --- functions that are gone -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("released", ["before", "after"])
@without_automatic_drain
def test_a_thousand_destroyed_functions_leave_nothing_of_theirs(log, released):
    gc.collect()
    depwatch.drain()
    with Counted() as counted:
        functions = [types.FunctionType((lambda x: x).__code__, {}) for _ in range(1000)]
        handles = []
        for function in functions:
            recorder = depwatch.Recorder("r")
            recorder.read_function(function, "code", "defaults", "kwdefaults", "existence")
            handles.append(log.commit(recorder))
        assert counted("objects", "facets", "handles", "dependencies") == {
            "objects": 1000, "facets": 4000, "handles": 1000, "dependencies": 4000,
        }  # fmt: skip
        if released == "before":
            for handle in handles:
                handle.release()
        del functions, function
        if released == "after":
            assert all(handle.retired for handle in handles)
            assert log.drained() == [("retired", "r")] * 1000
            assert counted("objects", "facets", "dependencies") == {"objects": 0, "facets": 0, "dependencies": 0}
            for handle in handles:
                handle.release()
        assert log.drained() == []
        assert counted("objects", "facets", "handles", "dependencies") == {
            "objects": 0, "facets": 0, "handles": 0, "dependencies": 0,
        }  # fmt: skip


@without_automatic_drain
def test_functions_in_a_cycle_that_are_collected_leave_nothing_of_theirs(log):
    def make():
        def recursive(x):
            return recursive(x)

        recorder = depwatch.Recorder("r")
        recorder.read_function(recursive, "code", "existence")
        log.commit(recorder)
        return weakref.ref(recursive)

    gc.collect()
    depwatch.drain()
    before = depwatch.stats()
    references = [make() for _ in range(10)]
    gc.collect()
    assert [reference() for reference in references] == [None] * 10
    assert log.drained() == [("retired", "r")] * 10
    after = depwatch.stats()
    assert [after[name] - before[name] for name in ("objects", "facets", "dependencies")] == [0, 0, 0]


@without_automatic_drain
def test_a_destroyed_function_takes_along_all_that_it_was_inlined_into(log, functions):
    recorder = depwatch.Recorder("caller")
    short = types.FunctionType(functions["h"].__code__, functions)
    recorder.read_function(short, "existence", "code")
    recorder.read_function(functions["g"], "code")
    caller = log.commit(recorder)
    handles = inline_all(log, functions)
    del short
    assert caller.retired
    assert log.drained() == [("retired", "caller")]
    assert "died" in caller.reason
    assert valid(handles) == set(CALLS)  # another function of the same code lives on
