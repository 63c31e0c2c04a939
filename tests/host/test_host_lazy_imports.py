"""Lazy imports: where the placeholder can stand, which loads resolve it, and what events that sends."""

import types

import pytest
from versions import HOST
from watching import module

LAZY = HOST.lazy_imports
pytestmark = pytest.mark.skipif(not LAZY, reason="this CPython has no lazy imports: see the test of that")


def kind(names, name="K"):
    return type(dict.get(names, name)).__name__


def placed(tmp_path, names, monkeypatch, number, source="K = 2"):
    """names["K"] is a placeholder now."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / f"hostlazy_{number}.py").write_text(source)
    holder = {}
    exec(f"lazy from hostlazy_{number} import K", holder)
    names["K"] = dict.pop(holder, "K")


@pytest.fixture
def place(tmp_path, monkeypatch, request):
    numbers = iter(range(100))

    def place(names, source="K = 2"):
        placed(tmp_path, names, monkeypatch, f"{abs(hash(request.node.name))}_{next(numbers)}", source)
        return names

    return place


def events(host, source, names):
    return [entry[:3] for entry in host.run(source, names)]


LOADS = ["K", "eval('K')", "(lambda: K)()", "exec('class C: y = K', globals(), {})", "(lambda: [K for _ in 'a'])()"]


@pytest.mark.parametrize("load", LOADS)
def test_a_load_of_a_global_stores_what_the_import_gives(host, place, load):
    names = host.watch(place(module("")))
    assert kind(names) == "lazy_import"
    assert events(host, load, names) == [("MODIFIED", "K", 2)]
    assert kind(names) == "int"
    assert events(host, load, names) == []
    host.unwatch(names)


def test_a_builtin_is_resolved_in_the_builtins(host, place):
    builtins = host.watch(place({}))
    names = host.watch({"__builtins__": builtins})
    assert events(host, "K", names) == [("MODIFIED", "K", 2)]
    assert "K" not in names
    host.unwatch(builtins, names)


@pytest.mark.parametrize("kind_of_module", [types.ModuleType, type("Sub", (types.ModuleType,), {})])
def test_an_attribute_of_a_module_is_resolved_in_its_dict(host, place, kind_of_module):
    owner = kind_of_module("m")
    host.watch(place(vars(owner)))
    assert events(host, "m.K", module("", m=owner)) == [("MODIFIED", "K", 2)]
    host.unwatch(vars(owner))


LOOKS = ["globals()['K']", "dict(globals())", "globals().get('K')", "list(globals().values())", "vars()['K'].resolve()"]


@pytest.mark.parametrize("look", LOOKS)
def test_who_asks_the_dict_gets_the_placeholder_and_changes_nothing(host, place, look):
    names = host.watch(place(module("")))
    assert events(host, look, names) == []
    assert kind(names) == "lazy_import"
    host.unwatch(names)


def test_attributes_of_classes_and_instances_are_not_resolved(place):
    class C:
        pass

    C.K = dict.get(place({}), "K")
    C().__dict__["x"] = dict.get(place({}), "K")
    assert (type(C.K).__name__, type(C().K).__name__) == ("lazy_import", "lazy_import")


def test_an_import_that_fails_leaves_the_placeholder(host, place):
    names = host.watch(place(module(""), "pass"))
    with pytest.raises(ImportError):
        exec("K", names)
    assert kind(names) == "lazy_import"
    host.unwatch(names)


def test_the_type_of_placeholders_is_immutable_and_final():
    with pytest.raises(TypeError):
        type("Sub", (types.LazyImportType,), {})
    with pytest.raises(TypeError):
        types.LazyImportType.x = 1


def test_a_submodule_that_is_imported_lazily_is_no_item_of_its_package(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "hostlazypackage"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "sub.py").write_text("V = 1")
    names = module("lazy import hostlazypackage.sub\nowner = hostlazypackage")
    assert "sub" not in vars(names["owner"])
    assert names["owner"].sub.V == 1
    assert "sub" in vars(names["owner"])
