"""The C API by names: one read for all owners, absence, changes that were undone, and what a handle tells."""

import ctypes
import types

import pytest

import depwatch
from depwatch import Released, Stale, Unwatchable


def test_a_name_is_read_as_in_python_whatever_has_it(c):
    module, cls, item, fact = types.ModuleType("m"), type("C", (), {"A": 2}), {"A": 3}, depwatch.Fact(4)
    module.A = 1
    function = types.FunctionType((lambda: A).__code__, {"A": 5})  # noqa: F821
    recorder = c.recorder_new("names")
    owners = ((module, "A"), (cls, "A"), (item, "A"), (fact, None), (function, "A"), (function, "__code__"))
    found = [c.read_name(recorder, owner, name, False) for owner, name in owners]
    assert found == [(1,), (2,), (3,), (4,), (5,), (function.__code__,)]
    handle = c.commit(recorder)
    fact.set(5)
    assert c.broken(handle) == 1
    c.release(handle)


def test_a_missing_name_is_recorded_only_if_that_is_asked_for(c):
    module = types.ModuleType("m")
    for absence in (False, True):
        recorder = c.recorder_new("absence")
        assert c.read_name(recorder, module, "A", absence) == ()
        handle = c.commit(recorder)
        module.A = 1
        assert c.broken(handle) == absence
        del module.A
        c.drain()
        assert c.broken(handle) == 0
        c.release(handle)
    with pytest.raises(Unwatchable):
        c.read_name(c.recorder_new("instance"), object(), "A", True)
    with pytest.raises(TypeError, match="Recorder is expected"):
        c.read_name({}, module, "A", True)


def test_a_change_that_was_undone_is_stale_unless_it_is_allowed(c):
    mapping = {"A": 1}
    for allowed in (False, True):
        recorder = c.recorder_new("undone")
        c.read_name(recorder, mapping, "A", False)
        if allowed:
            c.allow_undone(recorder)
        mapping["A"], mapping["A"] = 2, 1
        if not allowed:
            with pytest.raises(Stale, match="changed back"):
                c.commit(recorder)
            continue
        handle = c.commit(recorder)
        assert c.broken(handle) == 0
        c.release(handle)
    with pytest.raises(Released):
        c.allow_undone(recorder)


def test_a_handle_of_c_code_says_what_it_relies_on_and_how_often_that_broke(c):
    module = types.ModuleType("m")
    module.A = 1
    recorder = c.recorder_new("told")
    c.read_name(recorder, module, "A", False)
    handle = c.commit(recorder)
    assert c.explain(handle) == f"handle {handle} is valid: 1 assumption holds\n  'A' in module m is 1"
    before = c.breaks()
    module.A = 2
    assert c.breaks() == before + 1 == ctypes.c_uint64.from_address(depwatch.breaks_address()).value
    assert c.explain(handle).startswith(
        f"handle {handle} is invalid, 1 broken:\n  'A' in module m: 1 -> 2, changed at "
    )
    module.A = 1
    assert (c.handle_breaks(handle), c.breaks()) == (1, before + 1)
    c.retire(handle)
    assert (c.handle_breaks(handle), c.explain(handle)) == (-1, f"handle {handle} is retired")
    c.release(handle)
    for ask in (c.explain, c.handle_breaks):
        with pytest.raises(Released):
            ask(handle)
