"""Built-in functions that native dispatchers call, guarded by a handle."""

import types

from scenarios import scenario

import depwatch
from support import freeze, namespace


@scenario
def a_builtin_is_guarded(stage):
    names = namespace(X=1, Y=1)
    cells = depwatch.Recorder("cells")
    cell = cells.value_cell(names, "Y", "i64")
    stage.commit(cells)
    handle = stage.commit(freeze(names, "X", name="builtin"), lambda: names["X"] == 1)
    entry = yield lambda: depwatch.guarded_builtin("fast".format, lambda: "slow", str, [cell])
    variable = types.CellType(stage.value())
    assumed = types.CellType(variable.cell_contents)
    yield lambda: entry.rely(handle, iter([iter((variable, assumed))]))
    yield lambda: entry.rely(handle, [(variable, assumed)])
    function = yield lambda: entry.function
    assert function() == "fast"
    assert (yield lambda: repr(entry)).endswith("fast>")
    variable.cell_contents = None
    assert function() == "slow"
    yield lambda: entry.rely(None)
    assert function() == "slow"


@scenario
def a_builtin_is_refused(stage):
    entry = depwatch.guarded_builtin("fast".format, len)

    def refuse(call):
        try:
            call()
        except TypeError:
            return "refused"

    assert (yield lambda: refuse(lambda: depwatch.guarded_builtin(len, len))) == "refused"
    assert (yield lambda: refuse(lambda: entry.rely(None, [(1, 2)]))) == "refused"
