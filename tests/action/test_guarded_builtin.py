"""guarded_builtin(): a built-in function that runs the C code of another one, or calls a callable of Python's."""

import copy
import gc
import pickle
import types
import weakref

import pytest

import depwatch
from support import freeze, is_dead, namespace

NAMES = namespace(X=1)


def slow(*args, **kwargs):
    return ("slow", args, kwargs)


class Acts:
    """Acts while the C code of str.format runs."""

    def __init__(self, act):
        self.act = act

    def __format__(self, specification):
        self.act()
        return "acted"


def made(names, *cells, changed=None, fast="fast {} {a}".format):
    """The built-in that looks at these cells, under a handle of its own. The cells belong to another one."""
    of_cells = depwatch.Recorder("cells")
    found = [of_cells.value_cell(names, name, "i64") for name in cells]
    handle = freeze(names, "X").commit()
    entry = depwatch.guarded_builtin(fast, slow, changed, found)
    entry.rely(handle)
    return handle, entry, of_cells.commit()


def test_the_c_code_runs_while_the_handle_is_valid():
    names = namespace(X=1)
    handle, entry, _ = made(names)
    function = entry.function
    assert (function(1, a=2), entry.active) == ("fast 1 2", True)
    names["X"] = 2
    assert (function(1, a=2), function(), entry.active) == (("slow", (1,), {"a": 2}), ("slow", (), {}), False)
    names["X"] = 1
    assert function(1, a=2) == "fast 1 2"
    handle.retire("enough")
    assert function(1) == ("slow", (1,), {})


def test_nothing_runs_before_it_relies_on_a_handle_or_after():
    names = namespace(X=1)
    entry = depwatch.guarded_builtin("fast".format, slow)
    function = entry.function
    assert (function(), entry.handle, entry.active) == (("slow", (), {}), None, False)
    handle = freeze(names, "X").commit()
    entry.rely(handle)
    assert (function(), entry.handle, entry.active) == ("fast", handle, True)
    entry.rely(None)
    assert (function(), entry.handle, entry.active) == (("slow", (), {}), None, False)


def test_it_looks_at_the_handle_that_it_was_given_last():
    names = namespace(X=1, Y=1)
    first, entry, _ = made(names, fast="fast".format)
    second = freeze(names, "Y").commit()
    entry.rely(second)
    function = entry.function
    names["X"] = 2
    first.release()
    assert function() == "fast"
    names["Y"] = 2
    assert function() == ("slow", (), {})


def test_once_the_handle_is_released_nothing_runs_whoever_gets_its_byte():
    names = namespace(X=1)
    handle, entry, _ = made(names, fast="fast".format)
    handle.release()
    assert entry.function()[0] == "slow"
    depwatch.drain()
    others = [made(names, fast="fast".format) for _ in range(4)]
    assert handle.id in {other.id for other, _, _ in others}
    assert (entry.function()[0], [other.function() for _, other, _ in others]) == ("slow", ["fast"] * 4)


def test_it_and_a_callable_of_the_same_handle_end_with_it_alike():
    handle, entry, _ = made(NAMES, fast="fast".format)
    guarded = depwatch.guarded(handle, "fast".format, slow)
    second = depwatch.guarded_builtin("fast".format, slow)
    second.rely(handle)
    del second
    assert (guarded(), entry.function()) == ("fast", "fast")
    handle.release()
    assert (guarded()[0], entry.function()[0]) == ("slow", "slow")


def test_nothing_runs_while_a_guard_of_its_cells_is_down():
    names = namespace(X=1, Y=1, Z=1)
    _, entry, _ = made(names, "Y", "Z", fast="fast".format)
    for name in "YZ":
        names[name] = "text"
        assert entry.function()[0] == "slow"
        names[name] = 2
        assert entry.function() == "fast"


def test_its_cells_are_right_when_their_handle_is_gone():
    names = namespace(X=1, Y=1)
    _, entry, of_cells = made(names, "Y", fast="fast".format)
    of_cells.release()
    del of_cells
    depwatch.drain()
    names["Y"] = "text"
    assert entry.function()[0] == "slow"
    names["Y"] = 2
    assert entry.function() == "fast"


def test_variables_are_compared_at_each_call():
    handle, entry, _ = made(NAMES, fast="fast".format)
    value, equal = 10**20, 10**20 + len("")
    full, empty = types.CellType(value), types.CellType()
    entry.rely(handle, [(full, types.CellType(value)), (empty, types.CellType())])
    for variable, others in ((full, (equal, None)), (empty, (value, None))):
        for variable.cell_contents in others:
            assert (entry.function()[0], entry.active) == ("slow", False)
        full.cell_contents = value
        del empty.cell_contents
        assert (entry.function(), entry.active) == ("fast", True)
    del full.cell_contents
    assert entry.function()[0] == "slow"
    entry.rely(handle)
    assert entry.function() == "fast"


def test_what_a_variable_has_to_hold_is_kept_so_that_nothing_gets_its_place():
    class Value:
        pass

    handle, entry, _ = made(NAMES)
    value, variable = Value(), types.CellType()
    dead = weakref.ref(value)
    entry.rely(handle, [(variable, types.CellType(value))])
    del value
    assert not is_dead(dead)
    entry.rely(handle)
    assert is_dead(dead)


def test_a_result_is_handed_on_if_a_guard_fell_while_the_code_ran():
    names = namespace(X=1, Y=1)
    _, entry, _ = made(names, "Y", changed=lambda result: ("changed", result), fast="fast {}".format)
    assert entry.function(Acts(lambda: names.update(Y=2))) == "fast acted"
    assert entry.function(Acts(lambda: names.update(Y="text"))) == ("changed", "fast acted")
    names["Y"] = 1
    assert entry.function(Acts(lambda: names.update(X=2))) == "fast acted"


def test_what_is_raised_for_a_dropped_result_is_raised_to_the_caller():
    def changed(result):
        raise ValueError(result)

    names = namespace(X=1, Y=1)
    _, entry, _ = made(names, "Y", changed=changed, fast="fast {}".format)
    with pytest.raises(ValueError, match="fast acted"):
        entry.function(Acts(lambda: names.update(Y="text")))


def test_nobody_looks_again_where_nobody_asked_for_it_or_the_code_failed():
    def fall():
        names["Y"] = "text"

    def fail():
        fall()
        raise OSError("fast")

    names = namespace(X=1, Y=1)
    _, entry, _ = made(names, "Y", fast="fast {}".format)
    assert entry.function(Acts(fall)) == "fast acted"
    names["Y"] = 1
    _, entry, _ = made(names, "Y", changed=lambda result: ("changed", result), fast="fast {}".format)
    with pytest.raises(OSError, match="fast"):
        entry.function(Acts(fail))


def test_a_call_that_runs_keeps_all_that_it_needs():
    class Changed:
        def __call__(self, result):
            return ("changed", result, is_dead(dead))

    def happen():
        holder.clear()
        names["Y"] = "text"
        gc.collect()

    names = namespace(X=1, Y=1)
    changed = Changed()
    dead = weakref.ref(changed)
    holder = list(made(names, "Y", changed=changed, fast="fast {}".format))
    holder[:] = [holder[1].function]
    del changed
    # CPython has no reference to the function while it runs, if the C code that calls it has none.
    assert holder[0](Acts(happen)) == ("changed", "fast acted", False)
    assert is_dead(dead)


def test_a_cycle_through_it_is_collected():
    class Slow:
        def __call__(self):
            return 1

    one = Slow()
    dead = weakref.ref(one)
    handle, _, _ = made(NAMES)
    one.entry = depwatch.guarded_builtin("fast".format, one)
    one.entry.rely(handle)
    one.function = one.entry.function
    del one
    gc.collect()
    assert dead() is None
    handle.release()


def test_it_is_what_the_other_built_in_is_but_for_itself():
    handle, entry, _ = made(NAMES)
    function = entry.function
    assert (function.__name__, function.__doc__) == ("format", "".format.__doc__)
    assert function.__self__ is entry
    assert (entry.fast(1, a=2), entry.slow, entry.changed, entry.handle) == ("fast 1 2", slow, None, handle)
    assert repr(entry) == f"<GuardedBuiltin of {entry.fast!r}, fast>"
    handle.release()
    assert repr(entry) == f"<GuardedBuiltin of {entry.fast!r}, slow>"


def test_wrong_arguments_are_refused():
    names = namespace(X=1)
    handle, entry, _ = made(names)
    for fast in (slow, len, 3):
        with pytest.raises(TypeError, match="must be a built-in function with METH_VARARGS"):
            depwatch.guarded_builtin(fast, slow)
    for arguments in ((3,), (slow, 3)):
        with pytest.raises(TypeError, match="what runs must be callable, not 3"):
            depwatch.guarded_builtin("".format, *arguments)
    with pytest.raises(TypeError, match="a cell must be a ValueCell or a GuardCell, not"):
        depwatch.guarded_builtin("".format, slow, cells=[3])
    recorder = freeze(names, "X")
    cell = recorder.guard_cell(names, "X")
    recorder.close()
    with pytest.raises(depwatch.Released):
        depwatch.guarded_builtin("".format, slow, cells=[cell])
    with pytest.raises(TypeError):
        entry.rely(3)
    with pytest.raises(TypeError, match="variables must be pairs of closure cells"):
        entry.rely(handle, [(3, 3)])
    released = freeze(names, "X").commit()
    released.release()
    with pytest.raises(depwatch.Released):
        entry.rely(released)
    assert (entry.function(1, a=2), entry.handle) == ("fast 1 2", handle)


def test_it_cannot_be_made_assigned_copied_or_pickled():
    _, entry, _ = made(NAMES)
    with pytest.raises(TypeError):
        depwatch.GuardedBuiltin()
    unmade = depwatch.GuardedBuiltin.__new__(depwatch.GuardedBuiltin)
    assert not unmade.active
    with pytest.raises(depwatch.Released, match="was never made"):
        unmade.function
    with pytest.raises(TypeError):
        entry.handle = None
    for ours in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="a GuardedBuiltin cannot be copied or pickled"):
            ours(entry)
