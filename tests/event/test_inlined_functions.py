"""Functions that are inlined into others: each piece of optimized code depends on all code that went into it."""

import gc
import weakref

import pytest

import depwatch
from support import dependents, without_automatic_drain

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


def inline(log, functions, name):
    """The handle of a function into which all that it calls, transitively, was inlined."""
    recorder = depwatch.Recorder(name)
    for callee in CALLS[name]:
        assert recorder.read_global(functions["f"], callee) is functions[callee]
        recorder.read_function(functions[callee], "code")
    return log.commit(recorder)


def inline_all(log, functions):
    return {name: inline(log, functions, name) for name in CALLS}


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


@without_automatic_drain
def test_a_long_chain_is_invalidated_from_any_link(log):
    depth = 50
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
