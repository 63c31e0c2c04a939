"""Value cells and guard cells: memory that native code reads, kept current inside the callback."""

import ctypes
import math
import operator
import types

import pytest

import depwatch
from support import (
    UNKNOWN,
    Counted,
    at_once,
    byte_at,
    dependents,
    f64_at,
    freeze,
    i64_at,
    namespace,
    object_at,
    seen_in,
    without_automatic_drain,
)

READERS = {"object": object_at, "f64": f64_at, "i64": i64_at, "bool": i64_at}


def value_cell(log, owner, name, kind):
    recorder = depwatch.Recorder("cells")
    cell = recorder.value_cell(owner, name, kind)
    return cell, log.commit(recorder)


def guard_cell(log, owner, name):
    recorder = depwatch.Recorder("cells")
    cell = recorder.guard_cell(owner, name)
    return cell, log.commit(recorder)


def state(cell):
    """What native code sees: the word, or None while the guard is down."""
    return READERS[cell.kind](cell.address) if byte_at(cell.guard_address) else None


VALUES = {
    "object": ["one", ["two"], None, 1, Ellipsis],
    "f64": [1.5, -0.0, math.inf, 5e-324, 0.1 + 0.2],
    "i64": [1, -1, 2**63 - 1, -(2**63), 2**31, 0],
    "bool": [True, False],
}
UNFIT = {
    "f64": ["text", 1, None, True, 2**70],
    "i64": ["text", 1.5, None, True, 2**63, -(2**63) - 1, 10**40],
    "bool": ["text", 1, 0, None, 0.0],
}


@pytest.mark.parametrize("kind", VALUES)
def test_a_store_is_in_the_cell_at_once_and_invalidates_nothing(log, kind):
    first, *values = VALUES[kind]
    globals_ = namespace(X=first)
    cell, handle = value_cell(log, globals_, "X", kind)
    assert (cell.name, cell.kind, cell.value, state(cell)) == ("X", kind, first, first)
    address = cell.address
    for value in [*values, first]:
        globals_["X"] = value
        assert state(cell) == value
        assert cell.value == value
    if kind == "object":
        assert object_at(cell.address) is first
    assert cell.address == address
    assert address % 8 == 0
    assert (handle.valid, log.drained()) == (True, [])


def test_minus_zero_and_nan_keep_their_bits(log):
    globals_ = namespace(X=0.0)
    cell, _ = value_cell(log, globals_, "X", "f64")
    globals_["X"] = -0.0
    assert math.copysign(1, f64_at(cell.address)) == -1
    globals_["X"] = math.nan
    assert math.isnan(f64_at(cell.address))


@pytest.mark.parametrize("kind, value", [(kind, value) for kind in UNFIT for value in UNFIT[kind]])
def test_a_value_that_does_not_fit_lowers_the_guard_until_one_fits_again(log, kind, value):
    good, *_, better = VALUES[kind]
    globals_ = namespace(X=good)
    cell, handle = value_cell(log, globals_, "X", kind)
    globals_["X"] = value
    assert (state(cell), cell.value) == (None, UNKNOWN)
    globals_["X"] = better
    assert state(cell) == better
    assert (handle.valid, log.drained()) == (True, [])


class MyFloat(float):
    pass


class MyInt(int):
    pass


@pytest.mark.parametrize("kind, value", [("f64", MyFloat(1.5)), ("i64", MyInt(1)), ("i64", True)])
def test_a_subclass_does_not_fit(log, kind, value):
    globals_ = namespace(X=VALUES[kind][0])
    cell, _ = value_cell(log, globals_, "X", kind)
    globals_["X"] = value
    assert state(cell) is None
    with pytest.raises(TypeError, match=kind):
        depwatch.Recorder("r").value_cell(namespace(X=value), "X", kind)


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("change", ["delete", "clear"])
def test_a_deletion_lowers_the_guard_and_a_new_value_is_there_after_the_drain(log, kind, change):
    first, second, *_ = VALUES[kind]
    globals_ = namespace(X=first)
    cell, handle = value_cell(log, seen_in(globals_), "X", kind)
    if change == "delete":
        del globals_["X"]
    else:
        globals_.clear()
    assert state(cell) is None
    depwatch.drain()
    assert state(cell) is None
    globals_["X"] = second
    assert log.drained() == []
    assert state(cell) == second
    globals_["X"] = first
    assert state(cell) == first
    assert handle.valid


def test_while_the_guard_is_down_the_word_is_no_stale_pointer(log):
    globals_ = namespace(X=["old"])
    cell, _ = value_cell(log, globals_, "X", "object")
    del globals_["X"]
    assert byte_at(cell.guard_address) == 0
    assert ctypes.c_void_p.from_address(cell.address).value is None


@without_automatic_drain
def test_only_modified_is_trusted_in_the_callback(log):
    globals_ = namespace({"X": 1.0})
    cell, _ = value_cell(log, seen_in(globals_), "X", "f64")
    globals_["X"] = 2.0  # ADDED: its insertion can still fail
    assert state(cell) is None
    depwatch.drain()
    assert state(cell) == 2.0
    globals_.update(X=3.0)
    assert state(cell) == 3.0


def test_a_shadowed_store_leaves_the_cell_alone(log):
    names = {"X": 1.0}
    globals_ = namespace(names, X=2.0)
    cell, _ = value_cell(log, seen_in(globals_), "X", "f64")
    names["X"] = 3.0
    assert state(cell) == 2.0
    del globals_["X"]
    depwatch.drain()
    assert state(cell) == 3.0


def test_cells_of_module_and_type_attributes(log):
    class Base:
        x = 1.5

    class Derived(Base):
        pass

    module = types.ModuleType("module")
    module.x = 7
    of_type, _ = value_cell(log, Derived, "x", "f64")
    of_module, _ = value_cell(log, module, "x", "i64")
    Base.x = 2.5
    module.x = 8
    assert (state(of_type), state(of_module)) == (2.5, 8)
    Derived.x = 3.5
    depwatch.drain()
    assert state(of_type) == 3.5
    Base.x = 9.5
    assert state(of_type) == 3.5
    del Derived.x
    depwatch.drain()
    assert state(of_type) == 9.5


def test_a_changed_mro_lowers_the_guard_and_the_drain_finds_the_new_value(log):
    class A:
        x = 1.5

    class B:
        x = 2.5

    class C(A):
        pass

    cell, _ = value_cell(log, C, "x", "f64")
    at_once((setattr, C, "__bases__", (B,)))
    depwatch.drain()
    assert state(cell) == 2.5
    A.x = 7.5
    assert state(cell) == 2.5
    B.x = 8.5
    assert state(cell) == 8.5


def test_all_handles_that_ask_for_the_same_cell_share_it(log):
    globals_ = namespace(X=1)
    cells, handles = zip(*(value_cell(log, globals_, "X", "i64") for _ in range(100)), strict=True)
    assert len({cell.address for cell in cells}) == len({cell.guard_address for cell in cells}) == 1
    with Counted() as counted:
        globals_["X"] = 2
    assert counted("breaks", "details_queued") == {"breaks": 0, "details_queued": 0}
    assert [cell.value for cell in cells] == [2] * 100
    for handle in handles[:-1]:
        handle.release()
    depwatch.drain()
    globals_["X"] = 3
    assert cells[-1].value == i64_at(cells[-1].address) == 3
    with pytest.raises(depwatch.Released):
        cells[0].address


def test_cells_of_different_kinds_of_one_name_are_apart(log):
    globals_ = namespace(X=1)
    as_int, _ = value_cell(log, globals_, "X", "i64")
    as_object, _ = value_cell(log, globals_, "X", "object")
    assert as_int.address != as_object.address
    globals_["X"] = "text"
    assert (state(as_int), state(as_object)) == (None, "text")


def test_released_cells_say_so_and_their_memory_stays_until_the_drain(log):
    globals_ = namespace(X=1)
    recorder = depwatch.Recorder("r")
    value, guard = recorder.value_cell(globals_, "X", "i64"), recorder.guard_cell(globals_, "X")
    handle = log.commit(recorder)
    handle.release()
    depwatch.drain()
    for use in (lambda: value.address, lambda: value.guard_address, lambda: value.value, lambda: guard.address,
                lambda: guard.holds):  # fmt: skip
        with pytest.raises(depwatch.Released, match="'X'"):
            use()
    globals_["X"] = 2
    assert log.drained() == []


def test_a_retired_handle_keeps_its_cells_until_it_is_released(log):
    globals_ = namespace(X=1)
    cell, handle = value_cell(log, globals_, "X", "i64")
    handle.retire("enough")
    depwatch.drain()
    globals_["X"] = 2
    assert state(cell) == 2
    assert log.drained() in ([], [("retired", "cells")])


def test_the_end_of_the_namespace_lowers_the_guards(log):
    globals_ = namespace(X=1)
    value, handle = value_cell(log, seen_in(globals_), "X", "i64")
    guard, _ = guard_cell(log, seen_in(globals_), "X")
    globals_ = None
    assert (state(value), byte_at(guard.address)) == (None, 0)
    assert log.drained() == []
    assert (state(value), byte_at(guard.address), handle.valid) == (None, 0, True)


@without_automatic_drain
def test_what_a_listener_reads_while_a_guard_is_made_is_not_taken_back(log):
    """Each drain in the making of the guard has an event to tell, as the listener makes the next."""
    globals_, told, read = namespace(X=1, **{f"N{i}": i for i in range(8)}), namespace(Y=0), []
    recorder = depwatch.Recorder("r")

    def listener(event):
        read.append(f"N{len(read)}")
        told["Y"] = object()
        if len(read) < 6:
            recorder.read_global(seen_in(globals_), read[-1])

    subscription = depwatch.subscribe(listener, told, "Y")
    told["Y"] = 1
    recorder.guard_cell(seen_in(globals_), "X")
    subscription.cancel()
    handle = log.commit(recorder)
    assert len(read) >= 2
    assert dependents(globals_, "X") == set()
    assert [name for name in read[:5] if dependents(globals_, name) != {handle.id}] == []


def test_a_recorder_without_commit_keeps_its_cells_current():
    globals_ = namespace(X=1)
    recorder = depwatch.Recorder("r")
    cell = recorder.value_cell(globals_, "X", "i64")
    globals_["X"] = 2
    assert state(cell) == 2


# --- guard cells -----------------------------------------------------------------------------------------------------


def test_a_guard_turns_0_at_once_and_1_again_when_the_change_is_undone(log):
    globals_ = namespace(X="assumed")
    guard, handle = guard_cell(log, globals_, "X")
    assert (guard.value, guard.holds, byte_at(guard.address)) == ("assumed", True, 1)
    globals_["X"] = "other"
    assert (guard.value, guard.holds, byte_at(guard.address)) == ("assumed", False, 0)
    globals_["X"] = "assumed"
    assert byte_at(guard.address) == 1
    del globals_["X"]
    assert byte_at(guard.address) == 0
    globals_["X"] = "assumed"
    depwatch.drain()
    assert byte_at(guard.address) == 1
    assert (handle.valid, log.drained()) == (True, [])


def test_a_guard_is_patched_and_the_assumption_beside_it_invalidates(log):
    globals_ = namespace(X=1, Y=1)
    recorder = freeze(globals_, "Y")
    guard = recorder.guard_cell(globals_, "X")
    handle = log.commit(recorder)
    globals_["X"] = 2
    assert (byte_at(guard.address), handle.broken) == (0, 0)
    globals_["Y"] = 2
    assert (byte_at(guard.address), handle.broken) == (0, 1)
    assert log.drained() == [("invalidated", "frozen")]


def test_a_name_that_is_both_guarded_and_read_is_patched_and_invalidates(log):
    globals_ = namespace(X=1)
    recorder = freeze(globals_, "X")
    guard = recorder.guard_cell(globals_, "X")
    handle = log.commit(recorder)
    globals_["X"] = 2
    assert (byte_at(guard.address), handle.broken) == (0, 1)
    globals_["X"] = 1
    assert (byte_at(guard.address), handle.broken) == (1, 0)


def test_a_guard_for_a_value_that_another_recording_superseded_stays_down(log):
    globals_ = namespace(X=1)
    old, _ = guard_cell(log, globals_, "X")
    globals_["X"] = 2
    new, _ = guard_cell(log, globals_, "X")
    assert (new.value, byte_at(old.address), byte_at(new.address)) == (2, 0, 1)
    globals_["X"] = 1
    assert byte_at(new.address) == 0
    globals_["X"] = 2
    depwatch.drain()
    assert (byte_at(old.address), byte_at(new.address)) == (0, 1)


def test_a_guard_of_a_type_attribute(log):
    class Base:
        x = "assumed"

    class Derived(Base):
        pass

    guard, handle = guard_cell(log, Derived, "x")
    Base.x = "other"
    assert byte_at(guard.address) == 0
    Base.x = "assumed"
    assert byte_at(guard.address) == 1
    Derived.x = "shadow"
    assert byte_at(guard.address) == 0
    assert (handle.valid, log.drained()) == (True, [])


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", ["value_cell", "guard_cell"])
def test_a_missing_name_raises_as_python_would(make):
    recorder = depwatch.Recorder("r")
    ask = getattr(recorder, make)
    arguments = ("object",) if make == "value_cell" else ()
    with pytest.raises(KeyError):
        ask(namespace(), "X", *arguments)
    with pytest.raises(NameError):
        ask(types.FunctionType((lambda: X).__code__, namespace()), "X", *arguments)  # noqa: F821
    with pytest.raises(AttributeError):
        ask(types.ModuleType("module"), "X", *arguments)
    with pytest.raises(AttributeError):
        ask(type("T", (), {}), "X", *arguments)
    assert depwatch.explain(recorder.commit()).endswith("0 assumptions hold")


def test_a_value_that_does_not_fit_at_first_is_refused_with_value_and_kind(log):
    recorder = depwatch.Recorder("r")
    globals_ = namespace(X="text")
    for kind in ("f64", "i64", "bool"):
        with pytest.raises(TypeError, match=f"'X'.*'text'.*{kind}"):
            recorder.value_cell(globals_, "X", kind)


def test_an_unknown_kind_names_the_kinds_there_are():
    with pytest.raises(ValueError, match=r"'f32'.*object.*f64.*i64.*bool"):
        depwatch.Recorder("r").value_cell(namespace(X=1), "X", "f32")


def test_a_refused_cell_leaves_nothing_watched(log):
    globals_ = namespace(X="text")
    with Counted() as counted, pytest.raises(TypeError):
        depwatch.Recorder("r").value_cell(globals_, "X", "i64")
    assert counted() == {}
    operator.setitem(globals_, "X", 5)
    assert log.drained() == []
