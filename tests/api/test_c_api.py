"""The C API, by an optimizer in C and one in Cython that use depwatch.h and depwatch.pxd and nothing else."""

import ctypes
import gc
import importlib.util
import re
import subprocess
import sys
import tomllib
import types
from array import array
from pathlib import Path

import pytest

import depwatch
from depwatch import Released, Stale, Unstable, Unwatchable
from native import (
    BOOL,
    CODE,
    DEFAULTS,
    EXISTENCE,
    F64,
    I64,
    KWDEFAULTS,
    LABELS,
    NEW,
    NOT_APPLICABLE,
    OBJECT,
    OLD,
    frozen,
)
from support import ROOT, compiler, namespace


def numbers(*values):
    return array("I", values).tobytes()


def offsets(*values):
    return array("Q", values).tobytes()


# --- importing --------------------------------------------------------------------------------------------------------


def test_the_header_is_where_get_include_says_and_is_of_this_release():
    include = Path(depwatch.__file__).parent / "include"
    header = (include / "depwatch.h").read_text()
    assert depwatch.get_include() == str(include)
    assert f'#define DEPWATCH_RELEASE "{depwatch.__version__}"' in header


def test_every_entry_of_the_header_has_a_name_in_c_and_in_cython():
    header = (ROOT / "depwatch" / "include" / "depwatch.h").read_text()
    struct = header[header.index("typedef struct depwatch_api {") : header.index("} depwatch_api;")]
    entries = set(re.findall(r"\(\*(\w+)\)\(", struct))
    assert len(entries) == 34
    assert set(re.findall(r"#define depwatch_(\w+) \(depwatch_capi->\1\)", header)) == entries
    pxd = (ROOT / "depwatch" / "include" / "depwatch.pxd").read_text()
    assert set(re.findall(r" depwatch_(\w+)\(", pxd)) - {"import"} == entries


def test_the_headers_for_users_are_package_data():
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    include = {f"include/{path.name}" for path in (ROOT / "depwatch" / "include").iterdir()}
    assert include == {each for each in tool["package-data"]["depwatch"] if each.startswith("include/")}


class Api(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("version", ctypes.c_uint32), ("release", ctypes.c_char_p)]


def capsule(api):
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    return new(ctypes.addressof(api), NAME, None)


NAME = b"depwatch._C_API"  # a capsule keeps the pointer


def test_another_version_and_a_smaller_struct_are_refused_with_the_remedy(c, monkeypatch):
    size, version, release = c.sizes()
    for api, told, remedy in (
        (
            Api(size, version + 1, b"9.9.9"),
            "depwatch 9.9.9, which is installed, has C API 2 ",
            "build the module again",
        ),
        (Api(size - 8, version, b"0.0.9"), f"has C API 1 ({size - 8} bytes)", "install depwatch 0.1.0 or later"),
        (
            Api(size, version - 1, b"0.0.1"),
            "depwatch 0.0.1, which is installed, has C API 0 ",
            "install depwatch 0.1.0",
        ),
    ):
        monkeypatch.setattr(depwatch, "_C_API", capsule(api))
        with pytest.raises(ImportError) as refused:
            c.import_again()
        assert f"built for C API 1 ({size} bytes) of depwatch {release}" in str(refused.value)
        assert told in str(refused.value) and remedy in str(refused.value)
    monkeypatch.setattr(depwatch, "_C_API", capsule(api := Api(size + 8, version, b"0.2.0")))
    c.import_again()  # entries were appended: none that this module knows is gone
    monkeypatch.undo()
    c.import_again()
    del api


def test_a_depwatch_without_a_c_api_is_refused(c, monkeypatch):
    monkeypatch.delattr(depwatch, "_C_API")
    with pytest.raises(ImportError, match=r"has no C API.*install depwatch 0\.1\.0 or later"):
        c.import_again()


# --- objects and facets -----------------------------------------------------------------------------------------------


def test_object_ids_are_those_of_python(c):
    for each in ({}, types.ModuleType("m"), type("C", (), {}), lambda: 0, (lambda: 0).__code__):
        assert c.id_of(each) == depwatch.id_of(each)
    with pytest.raises(Unwatchable):
        c.id_of(3)


def test_each_kind_of_facet_reads_as_it_is(c):
    def function(a=1, *, k=2):
        return rate  # noqa: F821

    class Base:
        attribute = OLD

    class Derived(Base):
        pass

    function = types.FunctionType(function.__code__, namespace(rate=NEW), "function", (1,))
    mapping = {"key": OLD}
    recorder = c.recorder_new("all")
    facets = [
        c.facet_of_key(mapping, "key"),
        c.facet_of_global(function, "rate"),
        c.facet_of_global(frozen, "len"),
        c.facet_of_attribute(Derived, "attribute"),
        *(c.facet_of_function(function, part) for part in (CODE, DEFAULTS, KWDEFAULTS, EXISTENCE)),
        c.facet_of_object(mapping),
    ]
    values = [c.read(recorder, facet) for facet in facets]
    assert values == [
        (OLD,), (NEW,), (len,), (OLD,), (function.__code__,), ((1,),), (None,), (function,), (None,),
    ]  # fmt: skip
    assert c.reads(recorder) == len(facets) == len({c.facet_id(facet) for facet in facets})
    assert c.facet_id(c.facet_of_key(mapping, "key")) == c.facet_id(facets[0])
    handle = c.commit(recorder)
    assert c.broken(handle) == 0
    mapping["other"] = 1
    assert c.broken(handle) == 255
    c.release(handle)


def test_what_is_missing_is_not_recorded(c):
    recorder = c.recorder_new("missing")
    assert c.read(recorder, c.facet_of_key({}, "absent")) == ()
    assert c.reads(recorder) == 0


def test_what_cannot_be_watched_or_meant_is_refused(c):
    for refuse, error in (
        (lambda: c.facet_of_key([], "a"), TypeError),
        (lambda: c.facet_of_key({}, 1), TypeError),
        (lambda: c.facet_of_key(type("D", (dict,), {})(), "a"), Unwatchable),
        (lambda: c.facet_of_global({}, "a"), TypeError),
        (lambda: c.facet_of_attribute(3, "a"), TypeError),
        (lambda: c.facet_of_attribute(int, "bit_length"), Unwatchable),
        (lambda: c.facet_of_function(len, CODE), TypeError),
        (lambda: c.facet_of_function(namespace, NOT_APPLICABLE), ValueError),
        (lambda: c.facet_of_object(int), Unwatchable),
        (lambda: c.facet_of_object(3), Unwatchable),
        (lambda: c.facet_id(None), TypeError),
        (lambda: c.facet_id(depwatch._core.FacetReference()), TypeError),
        (lambda: c.read(None, c.facet_of_key({}, "a")), TypeError),
        (lambda: c.read(c.recorder_new("r"), None), TypeError),
        (lambda: c.unlisten(None), TypeError),
        (lambda: c.guard(None), TypeError),
        (lambda: c.value_cell(c.facet_of_object({}), I64), ValueError),
        (lambda: c.value_cell(c.facet_of_key({"a": 1}, "a"), 4), ValueError),
        (lambda: c.value_cell(c.facet_of_key({"a": 1}, "a"), F64), TypeError),
        (lambda: c.value_cell(c.facet_of_key({}, "a"), OBJECT), TypeError),
        (lambda: c.guard_cell(c.recorder_new("r"), c.facet_of_key({}, "a")), KeyError),
    ):
        with pytest.raises(error):
            refuse()


def test_a_facet_stays_as_long_as_it_is_referenced_and_no_longer(c):
    depwatch.drain()
    before = depwatch.stats()
    mapping = {"key": OLD}
    facet = c.facet_of_key(mapping, "key")
    number = c.facet_id(facet)
    depwatch.drain()
    assert (c.facet_id(facet), depwatch.stats()["facets"]) == (number, before["facets"] + 1)
    del mapping  # the object dies, the facet is still ours
    depwatch.drain()
    assert depwatch.stats()["facets"] == before["facets"] + 1
    assert c.read(c.recorder_new("dead"), facet) == ()
    del facet
    depwatch.drain()
    assert (depwatch.stats()["facets"], depwatch.stats()["objects"]) == (before["facets"], before["objects"])


# --- committing -------------------------------------------------------------------------------------------------------


def test_a_handle_follows_its_assumptions_as_one_of_python_does(c):
    mapping = {"key": OLD}
    handle = c.commit(frozen(c, mapping, "key"))
    assert list(depwatch.dependents(mapping, "key")) == [handle]
    mapping["key"] = NEW
    assert (c.broken(handle), c.drain()) == (1, 0)
    mapping["key"] = OLD
    assert (c.broken(handle), c.drain()) == (0, 0)
    c.retire(handle)
    assert (c.broken(handle), c.drain(), c.broken(handle)) == (255, 0, 255)
    c.release(handle)


def test_committing_after_a_change_is_stale_and_makes_no_handle(c):
    mapping = {"key": OLD, "other": OLD}
    recorder = frozen(c, mapping, "other", "key")
    before = depwatch.stats()["handles"]
    mapping["key"] = NEW
    with pytest.raises(Stale, match=r"'key' in .* changed since it was read for 'frozen'"):
        c.commit(recorder)
    assert depwatch.stats()["handles"] == before
    for refuse in (c.commit, c.reads, lambda recorder: c.read(recorder, c.facet_of_key(mapping, "key"))):
        with pytest.raises(Released):
            refuse(recorder)


def test_a_recorder_of_python_serves_with_all_its_methods(c):
    module = types.ModuleType("settings")
    module.rate = OLD
    recorder = depwatch.Recorder("both")
    recorder.read_attr(module, "rate")
    assert c.read(recorder, c.facet_of_key(vars(module), "rate")) == (OLD,)
    handle = c.commit(recorder)
    module.rate = NEW
    assert c.broken(handle) == 1
    c.release(handle)
    recorder = depwatch.Recorder("cells")
    recorder.value_cell(vars(module), "rate", "object")
    with pytest.raises(ValueError, match="has 1 patch points that a Handle of Python would own"):
        c.commit(recorder)
    recorder.close()


def test_many_handles_are_committed_at_once_or_none(c):
    mapping = dict.fromkeys("abc", OLD)
    recorder = frozen(c, mapping, *"abc")
    before = depwatch.stats()["handles"]
    for bad, told in (
        ((offsets(1, 2), numbers(0, 1)), r"offsets\[0\] is 1"),
        ((offsets(0, 2, 1), numbers(0, 1)), r"offsets\[2\] is 1, less than the one before \(2\)"),
        ((offsets(0, 1), numbers(3)), r"reads\[0\] is 3; this recorder has read 3 facets"),
    ):
        with pytest.raises(ValueError, match=told):
            c.commit_many(recorder, *bad)
    first, second, third = c.commit_many(recorder, offsets(0, 2, 2, 4), numbers(0, 1, 1, 2))
    assert [list(depwatch.dependents(mapping, each)) for each in "abc"] == [[first], [first, third], [third]]
    mapping["b"] = NEW
    assert [c.broken(handle) for handle in (first, second, third)] == [1, 0, 1]
    with pytest.raises(Stale, match="'b' in"):
        c.commit_many(recorder, offsets(0, 1, 2), numbers(0, 1))
    assert depwatch.stats()["handles"] == before + 3
    (fourth,) = c.commit_many(recorder, offsets(0, 1), numbers(2))
    assert c.commit_many(recorder, offsets(0), b"") == []
    for handle in (first, second, third, fourth):
        c.release(handle)


def test_released_handles_and_those_of_python_are_refused(c):
    mapping = {"key": OLD}
    handle = c.commit(frozen(c, mapping, "key"))
    c.release(handle)
    recorder = depwatch.Recorder("python")
    recorder.depend_on(mapping)
    owned = recorder.commit()
    for number in (handle, owned.id, 2**31 - 1, 2**32 - 1):
        for refuse in (c.broken, c.retire, c.release):
            with pytest.raises(Released):
                refuse(number)
    assert owned.valid


def test_handles_without_a_python_object_do_no_harm_to_those_that_have_one(c, log):
    mapping = {"key": OLD}
    natives = [c.commit(frozen(c, mapping, "key")) for _ in range(300)]
    recorder = depwatch.Recorder("python")
    recorder.depend_on(mapping)
    handle = log.commit(recorder)
    assert set(depwatch.invalidate([mapping], "by hand")) == {*natives, handle.id}
    assert log.drained() == [("retired", "python")]
    assert {c.broken(each) for each in natives} == {255}
    for each in natives:
        c.release(each)


def test_a_facet_that_broke_too_often_is_refused(c):
    mapping = {"key": OLD}
    handle = c.commit(frozen(c, mapping, "key"))
    mapping["key"] = NEW
    depwatch.drain()
    with pytest.raises(Unstable):
        c.read(c.recorder_new("once", 1), c.facet_of_key(mapping, "key"))
    c.release(handle)


# --- cells ------------------------------------------------------------------------------------------------------------


def test_value_cells_follow_and_their_guard_falls_where_a_value_does_not_fit(c):
    mapping = {"f": 1.5, "i": 1, "b": True, "o": OLD}
    cells = {
        name: c.value_cell(c.facet_of_key(mapping, name), kind)
        for name, kind in (("f", F64), ("i", I64), ("b", BOOL), ("o", OBJECT))
    }
    loaded = []
    for name, kind, values in (
        ("f", F64, (2.5, "no", 3.5)),
        ("i", I64, (2**62, 2**70, -1)),
        ("b", BOOL, (False, 1, True)),
        ("o", OBJECT, (NEW, 1)),
    ):
        for value in values:
            mapping[name] = value
            loaded.append(c.load(cells[name], kind))
    assert loaded == [2.5, None, 3.5, 2**62, None, -1, False, None, True, NEW, 1]
    c.cell_release(cells["f"])
    c.cell_release(cells["f"])
    for refuse in (c.guard, lambda cell: c.load(cell, F64)):
        with pytest.raises(Released, match="its memory may be gone"):
            refuse(cells["f"])


def test_a_cell_keeps_its_facet_without_the_facet_being_referenced(c):
    mapping = {"i": 1}
    cell = c.value_cell(c.facet_of_key(mapping, "i"), I64)
    gc.collect()
    depwatch.drain()
    mapping["i"] = 2
    assert c.load(cell, I64) == 2


def test_a_guard_cell_falls_and_rises_with_the_value_that_was_read(c):
    mapping = {"debug": False}
    recorder = c.recorder_new("guarded")
    cell, value = c.guard_cell(recorder, c.facet_of_key(mapping, "debug"))
    assert (value, c.reads(recorder), c.guard(cell)) == (False, 0, 1)
    mapping["debug"] = True
    assert c.guard(cell) == 0
    mapping["debug"] = False
    assert c.guard(cell) == 1


def test_the_c_code_in_the_document_compiles(tmp_path):
    code = re.findall(r"```c\n(.*?)```", (ROOT / "docs" / "c-api.md").read_text(), re.DOTALL)
    (tmp_path / "shown.c").write_text("\n".join(code))
    command, flags = compiler()
    flags = [*flags, f"-I{depwatch.get_include()}", "-Wall", "-Wextra", "-Wno-unused", "-Werror", "-fsyntax-only"]
    flags.remove("-w")
    subprocess.run([*command, *flags, str(tmp_path / "shown.c")], check=True)


# --- Cython -----------------------------------------------------------------------------------------------------------


def test_an_optimizer_in_cython_freezes_a_global_and_is_never_wrong(capi_cython):
    globals_ = namespace(scale=3)
    function = types.FunctionType((lambda: scale).__code__, globals_)  # noqa: F821
    times = capi_cython.Times(function, "scale")
    results = [times(2)]
    for rate in (4, 3, 5):
        globals_["scale"] = rate
        results.append(times(2))
    assert (results, times.slow, times.breaks, times.told) == ([6, 8, 6, 10], 2, 3, (2, 1, 0))
    times.close()
    assert times.told == (2, 1, 1)
    with pytest.raises(NameError):
        capi_cython.Times(function, "absent")


def test_new_functions_and_labels_in_cython(capi_cython, c):
    def make():
        return lambda: 0

    made = capi_cython.Made(make().__code__)
    kept = [make(), (lambda: 0), make()]
    assert made.count == 2
    made.close()
    kept.append(make())
    assert made.count == 2
    address = c.emit(False)
    mapping = {"key": OLD}
    if LABELS:
        assert capi_cython.labelled(mapping, "key", address, address + 16, (NEW, OLD, NEW)) == ([0, 1, 0], True)
    with pytest.raises(ValueError if LABELS else Unwatchable):
        capi_cython.labelled(mapping, "key", address + 16, address, ())
    c.free_code(address)


def test_entries_raise_in_cython_and_many_handles_are_committed(capi_cython):
    assert capi_cython.many(dict.fromkeys("abcd", OLD), list("abcd")) == [1, 0, 0, 0]
    with pytest.raises(Released):
        capi_cython.refuse()


def test_a_module_whose_depwatch_is_another_version_cannot_be_imported(c, monkeypatch):
    monkeypatch.setattr(depwatch, "_C_API", capsule(api := Api(8, 7, b"7.0")))
    spec = importlib.util.spec_from_file_location("capi_user", c.__file__)
    with pytest.raises(ImportError, match=r"depwatch 7\.0, which is installed, has C API 7 "):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    assert "capi_user" not in sys.modules
    monkeypatch.undo()
    c.import_again()
    del api
