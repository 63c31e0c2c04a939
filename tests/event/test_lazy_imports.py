"""A lazy import that is not made yet is no value: refused until it is made, and whatever was there before is broken."""

import sys
import types

import pytest

import depwatch
from host.versions import HOST
from lazies import Modules, is_there, loads
from support import UNKNOWN, byte_at, freeze, namespace, object_at, python, without_automatic_drain

pytestmark = pytest.mark.skipif(not HOST.lazy_imports, reason="this CPython has no lazy imports: tests/host says so")
REFUSED = r"'K' is a lazy import that is not made yet.*load the name first"


@pytest.fixture
def modules(tmp_path):
    made = Modules(tmp_path)
    yield made
    made.close()


class Place:
    """Where K can be loaded from: the dict that holds it, how it is read and loaded, and what has cells of it."""

    def __init__(self, names, read, load, owner):
        self.names, self.read, self.load, self.owner = names, read, load, owner


def function_global():
    names = namespace()
    function = loads(names)
    return Place(names, lambda recorder: recorder.read_global(function, "K"), function, function)


def dict_global():
    names = namespace()
    return Place(names, lambda recorder: recorder.read_global(names, "K"), loads(names), names)


def builtin():
    builtins = {}
    function = loads(namespace(builtins))
    return Place(builtins, lambda recorder: recorder.read_global(function, "K"), function, function)


def module_global():
    module = types.ModuleType("m")
    vars(module)["__builtins__"] = {}
    return Place(vars(module), lambda recorder: recorder.read_global(module, "K"), loads(vars(module)), vars(module))


def module_attribute():
    module = types.ModuleType("m")
    return Place(vars(module), lambda recorder: recorder.read_attr(module, "K"), lambda: module.K, module)


PLACES = [function_global, dict_global, builtin, module_global, module_attribute]


@pytest.fixture(params=PLACES, ids=lambda make: make.__name__)
def place(request):
    return request.param()


@without_automatic_drain
def test_it_is_refused_until_the_program_has_made_it(log, modules, place):
    place.names.update(modules.placeholder())
    recorder = depwatch.Recorder("r")
    for use in (
        place.read, lambda recorder: recorder.guard_cell(place.owner, "K"),
        *(lambda recorder, kind=kind: recorder.value_cell(place.owner, "K", kind) for kind in ("object", "i64", "f64")),
    ):  # fmt: skip
        with pytest.raises(depwatch.Unwatchable, match=REFUSED):
            use(recorder)
    assert is_there(place.names)
    handle = log.commit(recorder)  # with nothing of it
    assert place.load() == 2
    assert (handle.valid, log.drained()) == (True, [])
    recorder = depwatch.Recorder("r")
    assert place.read(recorder) == 2
    assert recorder.value_cell(place.owner, "K", "i64").value == 2
    assert log.commit(recorder).valid


def cells_of(recorder, place):
    return recorder.guard_cell(place.owner, "K"), recorder.value_cell(place.owner, "K", "object")


@pytest.mark.parametrize("before", ["the same", "another"])
@without_automatic_drain
def test_one_over_a_value_breaks_and_making_it_heals_or_not(log, modules, place, before):
    place.names["K"] = value = 2 if before == "the same" else "old"
    recorder = depwatch.Recorder("frozen")
    assert place.read(recorder) == value
    guard, cell = cells_of(recorder, place)
    handle = log.commit(recorder)
    place.names.update(modules.placeholder())
    for _ in range(2):
        assert (handle.broken, guard.holds, cell.value) == (1, False, UNKNOWN)
        assert (byte_at(cell.guard_address), object_at_or_null(cell.address)) == (0, None)
        depwatch.drain()
        assert is_there(place.names)
    assert log.drained() == [("invalidated", "frozen")]
    assert place.load() == 2
    same = before == "the same"
    assert (handle.valid, guard.holds, cell.value) == (same, same, 2)
    assert log.drained() == ([("resumed", "frozen")] if same else [])


def object_at_or_null(address):
    try:
        return object_at(address)
    except ValueError:  # PyObject is NULL
        return None


@without_automatic_drain
def test_one_that_is_deleted_and_put_back_is_broken_all_along(log, modules, place):
    place.names["K"] = 2
    recorder = depwatch.Recorder("frozen")
    place.read(recorder)
    guard, cell = cells_of(recorder, place)
    handle = log.commit(recorder)
    lazy = modules.placeholder()
    for change in (
        lambda: place.names.update(lazy), lambda: place.names.pop("K"), lambda: place.names.update(lazy),
        lambda: place.names.pop("K"), lambda: place.names.__ior__(lazy), lambda: place.names.setdefault("K", 2),
    ):  # fmt: skip
        change()
        assert (handle.broken, guard.holds, cell.value) == (1, False, UNKNOWN)
        depwatch.drain()
        assert (handle.broken, guard.holds, cell.value) == (1, False, UNKNOWN)
    place.names["K"] = 2
    assert (handle.valid, guard.holds, cell.value) == (True, True, 2)


@without_automatic_drain
def test_one_in_front_of_a_builtin_breaks_what_relies_on_that(log, modules):
    names = namespace({"K": 2})
    handle = log.commit(freeze(loads(names), "K"))
    names.update(modules.placeholder("K = 3"))
    assert handle.broken == 1
    depwatch.drain()
    assert handle.broken == 1
    assert loads(names)() == 3
    assert handle.broken == 1
    del names["K"]
    depwatch.drain()
    assert handle.valid


@without_automatic_drain
def test_one_that_is_read_when_a_value_was_recorded_is_refused_too(log, modules, place):
    place.names["K"] = 2
    recorder = depwatch.Recorder("frozen")
    place.read(recorder)
    handle = log.commit(recorder)
    place.names.update(modules.placeholder())
    with pytest.raises(depwatch.Unwatchable, match=REFUSED):
        place.read(depwatch.Recorder("again"))
    assert place.load() == 2
    assert handle.valid  # it was not superseded


@without_automatic_drain
def test_an_import_that_fails_leaves_it_refused(log, modules, place):
    place.names.update(modules.placeholder("pass"))
    with pytest.raises(ImportError):
        place.load()
    with pytest.raises(depwatch.Unwatchable, match=REFUSED):
        place.read(depwatch.Recorder("r"))


@without_automatic_drain
def test_an_attribute_of_a_class_that_is_one_is_refused(log, modules):
    C = type("C", (), {"K": 2})
    recorder = depwatch.Recorder("frozen")
    recorder.read_type_attr(C, "K")
    guard, cell = cells_of(recorder, Place(None, None, None, C))
    handle = log.commit(recorder)
    C.K = modules.placeholder()["K"]
    assert (handle.broken, guard.holds, cell.value) == (1, False, UNKNOWN)
    with pytest.raises(depwatch.Unwatchable, match=REFUSED):
        depwatch.Recorder("r").read_type_attr(C, "K")


@without_automatic_drain
def test_a_whole_namespace_with_one_changes_when_it_is_made(log, modules):
    names = namespace()
    names.update(modules.placeholder())
    recorder = depwatch.Recorder("whole")
    recorder.depend_on(names)
    handle = log.commit(recorder)
    assert is_there(names)
    loads(names)()
    assert (handle.retired, log.drained()) == (True, [("retired", "whole")])


@without_automatic_drain
def test_what_is_installed_never_gives_one_to_the_program(log, modules):
    names = namespace(K=1)
    function = loads(names)
    recorder = depwatch.Recorder("r")
    value = recorder.read_global(function, "K")
    recorder.read_function(function, "code")
    handle = log.commit(recorder)
    depwatch.install(function, lambda: value, handle)
    assert function() == 1
    names.update(modules.placeholder())
    assert function() == 2
    assert not is_there(names)
    assert function() == 2


@without_automatic_drain
def test_plain_imports_of_a_module_are_placeholders_too(log, modules):
    names, name = namespace(vars(sys.modules["builtins"])), modules.new("K = 2")
    exec(f"lazy import {name} as K", names)
    with pytest.raises(depwatch.Unwatchable, match=REFUSED):
        freeze(names, "K")
    assert loads(names)().K == 2
    assert freeze(names, "K").commit().valid


@without_automatic_drain
def test_a_submodule_that_loading_the_attribute_would_import_is_refused(log, modules):
    package = modules.folder / "lazily_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "sub.py").write_text("")
    names = {}
    exec("lazy import lazily_package.sub\nowner = lazily_package", names)
    with pytest.raises(depwatch.Unwatchable, match=r"'sub'.*submodule that Python imports when.*load it"):
        depwatch.Recorder("r").read_attr(names["owner"], "sub")
    with pytest.raises(AttributeError, match="'other'"):
        depwatch.Recorder("r").read_attr(names["owner"], "other")
    sub = names["owner"].sub
    assert depwatch.Recorder("r").read_attr(names["owner"], "sub") is sub


def test_where_all_imports_are_lazy_names_are_refused_until_they_are_loaded(tmp_path):
    (tmp_path / "lazily_all.py").write_text("from lazily_k import K\nimport lazily_k\ndef f(): return K\n")
    (tmp_path / "lazily_k.py").write_text("K = 2\n")
    script = f"""
        import sys
        sys.set_lazy_imports("all")
        sys.path.insert(0, {str(tmp_path)!r})
        import depwatch
        import lazily_all
        def ask():
            for use in (lambda r: r.read_global(lazily_all.f, "K"), lambda r: r.read_attr(lazily_all, "lazily_k")):
                try:
                    print(use(depwatch.Recorder("r")))
                except depwatch.Unwatchable as refused:
                    print(str(refused).split(":")[0])
        ask()
        assert lazily_all.f() == 2 and lazily_all.lazily_k.K == 2
        ask()
    """
    told = python(script).splitlines()
    assert told[:2] == [f"{name!r} is a lazy import that is not made yet" for name in ("K", "lazily_k")]
    assert (told[2], told[3].startswith("<module 'lazily_k'")) == ("2", True)
