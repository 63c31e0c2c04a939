"""Patch points: cells, labels, entries."""

from scenarios import scenario

import depwatch
from support import byte_at, freeze, namespace, seen_in


@scenario
def value_cells_are_made(stage):
    globals_ = namespace(X=stage.value(), F=1.5, I=7)
    function = seen_in(globals_)
    recorder = depwatch.Recorder("cells")
    cells = []
    for name, kind in (("X", "object"), ("F", "f64"), ("I", "i64")):
        cells.append((yield lambda name=name, kind=kind: recorder.value_cell(function, name, kind)))
    stage.commit(recorder)
    globals_["F"], globals_["I"] = 2.5, 8
    for cell, value in zip(cells, (globals_["X"], 2.5, 8), strict=True):
        assert (yield lambda cell=cell: cell.value) == value
        for attribute in ("kind", "name", "address", "guard_address"):
            assert (yield lambda cell=cell, attribute=attribute: getattr(cell, attribute)) == getattr(cell, attribute)
    globals_["I"] = "text"
    assert (yield lambda: cells[2].value) is depwatch.UNKNOWN


@scenario
def a_value_that_does_not_fit_is_refused(stage):
    function = seen_in(namespace(X="text"))
    recorder = depwatch.Recorder("cells")

    def refuse():
        try:
            recorder.value_cell(function, "X", "i64")
        except TypeError:
            return "refused"

    assert (yield refuse) == "refused"


@scenario
def a_guard_cell_is_made(stage):
    globals_ = namespace(X=stage.value())
    recorder = depwatch.Recorder("guard")
    cell = yield lambda: recorder.guard_cell(seen_in(globals_), "X")
    stage.commit(recorder)
    address = cell.address
    for attribute in ("holds", "address", "value", "name"):
        assert (yield lambda attribute=attribute: getattr(cell, attribute)) == getattr(cell, attribute)
    globals_["X"] = 2
    assert byte_at(address) == 0


@scenario
def a_guard_cell_of_a_number_is_made(stage):
    globals_ = namespace(X=1)
    recorder = depwatch.Recorder("guard")
    cell = yield lambda: recorder.guard_cell(seen_in(globals_), "X")
    stage.commit(recorder)
    globals_["X"] = 2
    assert (cell.holds, cell.value) == (False, 1)


@scenario
def a_jump_label_is_made(stage):
    globals_ = namespace(X=stage.value())
    address = stage.c.emit(False)
    recorder = depwatch.Recorder("label")
    label = yield lambda: recorder.jump_label(address, address + 16, seen_in(globals_), "X")
    assert stage.c.call(address) == 1
    stage.commit(recorder)
    for attribute in ("holds", "address", "target", "value", "name"):
        assert (yield lambda attribute=attribute: getattr(label, attribute)) == getattr(label, attribute)
    assert "nop" in (yield lambda: repr(label))
    globals_["X"] = 1
    assert stage.c.call(address) == 2


@scenario
def a_jump_label_in_the_wrong_place_is_refused(stage):
    address = stage.c.emit(False)
    function = seen_in(namespace(X=1))
    recorder = depwatch.Recorder("label")

    def refuse(place, target):
        try:
            recorder.jump_label(place, target, function, "X")
        except (ValueError, depwatch.Unwatchable) as error:
            return type(error).__name__

    assert (yield lambda: refuse(address + 5, address)) == "ValueError"
    assert (yield lambda: refuse(address, address + 2**40)) == "ValueError"
    assert (yield lambda: refuse(address + 24, address)) == "ValueError"
    assert (yield lambda: refuse(16, 32)) == "ValueError"
    assert stage.c.call(address) == 1


@scenario
def released_cells_are_refused(stage):
    globals_ = namespace(X=1)
    address = stage.c.emit(False)
    recorder = depwatch.Recorder("cells")
    function = seen_in(globals_)
    cell, label = recorder.value_cell(function, "X", "i64"), recorder.jump_label(address, address + 16, function, "X")
    recorder.close()

    def refuse(thing, attribute):
        try:
            getattr(thing, attribute)
        except depwatch.Released:
            return "refused"

    assert (yield lambda: refuse(cell, "address")) == "refused"
    assert (yield lambda: refuse(label, "holds")) == "refused"
    assert "released" in (yield lambda: repr(label))


def made(globals_):
    exec("def function(x, *, y=1): return 'slow'", globals_)
    return globals_["function"]


@scenario
def an_entry_is_installed(stage):
    globals_ = namespace(X=1)
    function = made(globals_)
    handle = stage.commit(freeze(globals_, "X", name="entry"), lambda: globals_["X"] == 1)
    entry = yield lambda: depwatch.install(function, lambda x, y=1: "fast", handle)
    assert function(1) == "fast"
    assert (yield lambda: entry.original(1, y=2)) == "slow"
    assert (yield lambda: entry.original(1)) == "slow"
    for attribute in ("handle", "function", "installed", "active"):
        assert (yield lambda attribute=attribute: getattr(entry, attribute)) == getattr(entry, attribute)
    assert "active" in (yield lambda: repr(entry))
    globals_["X"] = 2
    assert function(1) == "slow"
    globals_["X"] = 1
    stage.finally_do(entry.remove)


@scenario
def an_entry_is_installed_again(stage):
    globals_ = namespace(X=1)
    function = made(globals_)
    first = stage.commit(freeze(globals_, "X", name="first"))
    depwatch.install(function, lambda x: "first", first)
    first.retire("for another")
    second = stage.commit(freeze(globals_, "X", name="second"))
    entry = yield lambda: depwatch.install(function, lambda x: "second", second)
    assert function(1) == "second"
    stage.finally_do(entry.remove)


@scenario
def entries_of_one_handle_are_installed(stage):
    first, second = made(namespace()), made(namespace())
    handle = stage.commit(depwatch.Recorder("entries"))
    entries = [depwatch.install(first, lambda x: "fast", handle)]
    entries.append((yield lambda: depwatch.install(second, lambda x: "faster", handle)))
    assert (first(1), second(1)) == ("fast", "faster")
    handle.release()
    assert not any(entry.installed for entry in entries)
    assert (first(1), second(1)) == ("slow", "slow")


@scenario
def an_entry_is_refused(stage):
    function = made(namespace())
    handle = stage.commit(depwatch.Recorder("entry"))
    entry = depwatch.install(function, lambda x: "fast", handle)

    def refuse():
        try:
            depwatch.install(function, lambda x: "faster", handle)
        except ValueError:
            return "refused"

    assert (yield refuse) == "refused"
    assert (yield entry.remove) is True or not entry.installed
    assert function(1) == "slow"


@scenario
def an_entry_goes_with_its_handle(stage):
    globals_ = namespace(X=1)
    function = made(globals_)
    handle = stage.commit(freeze(globals_, "X", name="entry"))
    entry = depwatch.install(function, lambda x: "fast", handle)
    handle.retire("gone")
    yield depwatch.drain
    assert not entry.installed and function(1) == "slow"
