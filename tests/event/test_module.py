"""Modules: reloaded, lazy, replaced, outlived by their dict, and with attributes that are made up."""

import gc
import importlib
import importlib.util
import sys
import types
import weakref

import pyroaring
import pytest

import depwatch
from claims import MISSING, Claims
from support import UNKNOWN, without_automatic_drain


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Writes modules where import finds them: library(name, source) imports it anew from that source."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    names = set()

    def write(name, source):
        path = tmp_path / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)
        importlib.invalidate_caches()
        names.add(name)
        return name

    yield write
    for name in names:
        sys.modules.pop(name, None)


# --- reload ----------------------------------------------------------------------------------------------------------

SOURCE = """
NUMBER = 12345
TEXT = "text"
SHARED = None
ITEMS = [1]
def function(): return NUMBER
class Class: x = 1
"""


@without_automatic_drain
def test_a_reload_of_the_same_source_keeps_what_is_equal_and_breaks_the_rest(log, library):
    module = importlib.import_module(library("traps_same", SOURCE))
    function, cls = module.function, module.Class
    claims = Claims(log)
    kept = [claims.of_module(module, name) for name in ("NUMBER", "TEXT", "SHARED")]
    kept.append(claims.of_global(function, "NUMBER"))
    anew = [claims.of_module(module, name) for name in ("ITEMS", "function", "Class")]
    claims.of_attribute(cls, "x")
    assert importlib.reload(module) is module
    assert [claim.handle.broken for claim in anew] == [1, 1, 1]
    assert [claim.handle.valid for claim in kept] == [True] * 4
    claims.changed(*anew)
    module.function, module.Class, module.ITEMS = function, cls, anew[0].value
    claims.restored(*anew)


@without_automatic_drain
def test_a_reload_of_another_source_breaks_what_differs_and_keeps_what_is_gone(log, library):
    name = library("traps_other", SOURCE)
    module = importlib.import_module(name)
    claims = Claims(log)
    number, text = claims.of_module(module, "NUMBER"), claims.of_module(module, "TEXT")
    seen_by_function = claims.of_global(module.function, "NUMBER")
    library(name, "NUMBER = 999\n# TEXT stays, as Python does not empty the namespace\n")
    importlib.reload(module)
    claims.changed(number, seen_by_function)
    assert (text.handle.valid, module.TEXT) == (True, "text")
    library(name, SOURCE)
    importlib.reload(module)
    claims.restored(number, seen_by_function)


@without_automatic_drain
def test_a_reload_that_fails_has_changed_what_it_had_come_to(log, library):
    name = library("traps_failing", "A = 1\nB = 2\n")
    module = importlib.import_module(name)
    claims = Claims(log)
    a, _ = claims.of_module(module, "A"), claims.of_module(module, "B")
    library(name, "A = 10\nraise OSError\nB = 20\n")
    with pytest.raises(OSError):
        importlib.reload(module)
    claims.changed(a)


# --- the dict and the module -----------------------------------------------------------------------------------------


@without_automatic_drain
def test_the_dict_of_a_module_outlives_it_and_goes_on_being_watched(log):
    module = types.ModuleType("short")
    exec("X = 'old'\ndef function(): return X", vars(module))
    function = module.function
    claims = Claims(log)
    claim = claims.of_global(function, "X")
    reference = weakref.ref(module)
    del module
    gc.collect()
    assert reference() is None
    claims.unchanged()
    function.__globals__["X"] = "new"
    claims.changed(claim)
    function.__globals__["X"] = "old"
    claims.restored(claim)


@without_automatic_drain
def test_what_was_read_through_a_module_holds_as_long_as_its_dict(log):
    module = types.ModuleType("short")
    module.X = 1
    names = vars(module)
    recorder = depwatch.Recorder("r")
    recorder.read_attr(module, "X")
    handle = log.commit(recorder)
    del module
    gc.collect()
    assert (handle.valid, log.drained()) == (True, [])
    names["X"] = 2
    assert (handle.broken, log.drained()) == (1, [("invalidated", "r")])
    names["X"] = 1
    assert (handle.valid, log.drained()) == (True, [("resumed", "r")])
    del names
    assert (handle.retired, log.drained()) == (True, [("retired", "r")])


@without_automatic_drain
def test_the_dict_of_a_module_cannot_be_exchanged(log):
    module = types.ModuleType("module")
    module.X = 1
    claims = Claims(log)
    claims.of_module(module, "X")
    for change in (lambda: setattr(module, "__dict__", {}), lambda: delattr(module, "__dict__")):
        with pytest.raises((AttributeError, TypeError)):
            change()
    module.__init__("module again")
    claims.unchanged()


@without_automatic_drain
def test_a_module_replaced_in_sys_modules_is_another_module(log, monkeypatch):
    first, second = types.ModuleType("traps_replaced"), types.ModuleType("traps_replaced")
    first.X, second.X = "first", "second"
    importer = {"__builtins__": __builtins__}
    monkeypatch.setitem(sys.modules, "traps_replaced", first)
    exec("import traps_replaced\nfrom traps_replaced import X", importer)
    claims = Claims(log)
    claims.of_module(first, "X")
    claims.of_module(second, "X")
    bound, copied = claims.of_global(importer, "traps_replaced"), claims.of_global(importer, "X")
    sys.modules["traps_replaced"] = second
    claims.unchanged()
    exec("import traps_replaced\nfrom traps_replaced import X", importer)
    claims.changed(bound, copied)
    sys.modules["traps_replaced"] = first
    exec("import traps_replaced\nfrom traps_replaced import X", importer)
    claims.restored(bound, copied)
    del sys.modules["traps_replaced"]
    claims.unchanged()


@without_automatic_drain
def test_an_import_of_a_submodule_rebinds_the_name_in_its_package(log, library):
    library("traps_package.sub", "X = 1\n")
    library("traps_package.__init__", "sub = 'placeholder'\n")
    package = importlib.import_module("traps_package")
    try:
        claims = Claims(log)
        claim = claims.of_module(package, "sub")
        sub = importlib.import_module("traps_package.sub")
        claims.changed(claim)
        assert claim.cell.value is sub is package.sub
    finally:
        del sys.modules["traps_package"]


# --- attributes that are made up -------------------------------------------------------------------------------------


@without_automatic_drain
def test_a_module_that_gets_a_getattr_later_is_asked_only_for_what_is_gone(log):
    module = types.ModuleType("module")
    module.X = 1
    claims = Claims(log)
    recorder = depwatch.Recorder("r")
    recorder.read_attr(module, "X")
    cell = recorder.value_cell(module, "X", "object")
    handle = log.commit(recorder)
    module.__getattr__ = lambda name: f"made up {name}"
    assert (handle.valid, log.drained()) == (True, [])
    del module.X
    assert module.X == "made up X"
    assert (handle.valid, cell.value) == (False, depwatch.UNKNOWN)
    assert log.drained() == [("invalidated", "r")]
    assert (handle.valid, cell.value) == (False, depwatch.UNKNOWN)
    with pytest.raises(depwatch.Unwatchable, match="__getattr__"):
        depwatch.Recorder("again").read_attr(module, "X")
    module.X = 1
    assert (handle.valid, log.drained(), handle.valid, cell.value) == (False, [("resumed", "r")], True, 1)
    assert claims.settled() == []


@pytest.mark.parametrize("name", ["__dict__", "__class__", "__annotations__"])
def test_what_the_class_of_modules_computes_is_refused_even_if_it_is_in_the_dict(name):
    module = types.ModuleType("module")
    vars(module)[name] = "in the dict"
    assert getattr(module, name) != "in the dict" or name == "__annotations__"
    for read, arguments in (("read_attr", ()), ("value_cell", ("object",)), ("guard_cell", ())):
        with pytest.raises(depwatch.Unwatchable, match=f"{name}.*descriptor"):
            getattr(depwatch.Recorder("r"), read)(module, name, *arguments)


@without_automatic_drain
def test_what_the_class_of_modules_has_but_does_not_compute_is_in_the_dict(log):
    module = types.ModuleType("module")
    claims = Claims(log)
    claim = claims.of_module(module, "__name__")
    module.__name__ = "renamed"
    claims.changed(claim)
    del module.__name__
    assert getattr(module, "__name__", MISSING) is MISSING
    module.__name__ = "module"
    claims.restored(claim)


@without_automatic_drain
def test_a_method_in_the_class_of_a_module_gives_way_to_the_dict(log):
    class Module(types.ModuleType):
        def X(self):
            return "method"

    module = Module("module")
    module.X = "in the dict"
    claims = Claims(log)
    recorder = depwatch.Recorder("r")
    assert recorder.read_attr(module, "X") == module.X == "in the dict"
    handle = log.commit(recorder)
    del module.X
    assert module.X() == "method"
    assert (handle.broken, log.drained()) == (1, [("invalidated", "r")])
    module.X = "in the dict"
    assert (handle.valid, log.drained()) == (False, [("resumed", "r")])
    Module.X = "a plain value"
    assert (module.X, handle.retired, log.drained()) == ("in the dict", True, [("retired", "r")])  # too often
    assert claims.settled() == []


@without_automatic_drain
def test_a_lazy_module_is_refused_until_it_is_loaded_and_then_like_any_other(log, library):
    name = library("traps_lazy", "X = 1\n")
    spec = importlib.util.find_spec(name)
    loader = importlib.util.LazyLoader(spec.loader)
    spec.loader = loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    for read, arguments in (("read_attr", ()), ("value_cell", ("object",)), ("guard_cell", ())):
        with pytest.raises(depwatch.Unwatchable, match="_LazyModule has a __getattribute__"):
            getattr(depwatch.Recorder("r"), read)(module, "X", *arguments)
    assert "X" not in object.__getattribute__(module, "__dict__")  # being refused has not loaded it
    assert module.X == 1
    assert type(module) is types.ModuleType
    claims = Claims(log)
    claim = claims.of_module(module, "X")
    module.X = 2
    claims.changed(claim)
    module.X = 1
    claims.restored(claim)


READS = [("read_attr", ()), ("value_cell", ("object",)), ("guard_cell", ())]


@pytest.mark.parametrize("other", ["__set__", "__delete__"])
@pytest.mark.parametrize("read, arguments", READS)
def test_a_data_descriptor_of_the_class_comes_before_the_dict_and_is_refused(read, arguments, other):
    class Computed:
        def __get__(self, module, owner=None):
            return "computed"

    setattr(Computed, other, lambda *arguments: None)

    class Module(types.ModuleType):
        X = Computed()

    module = Module("module")
    vars(module)["X"] = "in the dict"
    assert getattr(module, "X") == "computed"  # noqa: B009
    with pytest.raises(depwatch.Unwatchable, match=r"X.*descriptor"):
        getattr(depwatch.Recorder("r"), read)(module, "X", *arguments)


@without_automatic_drain
def test_a_module_that_lies_about_its_dict_is_not_asked_for_it(log):
    made_up = {"X": "made up"}

    class Module(types.ModuleType):
        @property
        def __dict__(self):
            return made_up

    module = Module("module")
    module.X = "real"
    recorder = depwatch.Recorder("r")
    try:
        assert recorder.read_attr(module, "X") == module.X
    except depwatch.Unwatchable:
        return
    handle = log.commit(recorder)
    module.X = "changed"
    assert not handle.valid


@without_automatic_drain
def test_the_whole_of_a_module_that_lies_about_its_dict_is_its_real_dict(log):
    made_up = {}

    class Module(types.ModuleType):
        @property
        def __dict__(self):
            return made_up

    module = Module("module")
    recorder = depwatch.Recorder("r")
    try:
        recorder.depend_on(module)
        handle = log.commit(recorder)
    except depwatch.Unwatchable:
        return
    module.X = "changed"
    assert not handle.valid


@without_automatic_drain
def test_everything_that_takes_a_module_takes_its_real_dict(log):
    class Module(types.ModuleType):
        __dict__ = property(lambda self: {"__builtins__": {}, "X": "made up"})

    module = Module("module")
    module.X = "real"
    names = types.ModuleType.__dict__["__dict__"].__get__(module)
    exec("", names)
    recorder = depwatch.Recorder("r")
    assert [recorder.read_global(module, name) for name in ("X", "len")] == ["real", len]
    handle = log.commit(recorder)
    assert depwatch.id_of(module) == depwatch.id_of(names)
    assert depwatch.dependents(module, "X") == depwatch.dependents(names, "X") == pyroaring.BitMap([handle.id])
    subscriptions = [depwatch.subscribe(log.event, module), depwatch.subscribe(log.event, module, "X")]
    module.X = "changed"
    assert handle.broken == 1
    events = [("MODIFIED", "X", "real", "changed"), ("MODIFIED", "X", UNKNOWN, "changed"), ("invalidated", "r")]
    assert sorted(log.drained(), key=str) == events
    for subscription in subscriptions:
        subscription.cancel()


@pytest.mark.parametrize("read, arguments", READS)
def test_a_class_of_modules_whose_metaclass_lies_is_not_asked(read, arguments):
    class Lying(type):
        __flags__ = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE
        __mro__ = (types.ModuleType, object)
        __dict__ = {}
        __getattribute__ = None

    class Module(types.ModuleType, metaclass=Lying):
        X = property(lambda self: "computed")

    module = Module("module")
    types.ModuleType.__dict__["__dict__"].__get__(module)["X"] = "in the dict"
    assert getattr(module, "X") == "computed"  # noqa: B009
    with pytest.raises(depwatch.Unwatchable, match=r"X.*descriptor of .*Module"):
        getattr(depwatch.Recorder("r"), read)(module, "X", *arguments)
