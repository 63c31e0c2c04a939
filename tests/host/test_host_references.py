"""Table C of facts/host-contract.md: how many references a value has while a callback is told that it goes.

One, its container's: so the callback can tell whether the store drops the last one. A class attribute has two from
3.13 on, as CPython itself refers to the old value while it runs.
"""

import builtins
import gc
import json
import operator
import types

import pytest
from versions import HOST, MISSES_INSTANCE_STORES
from watching import module


class Value:
    pass


class Holder:
    pass


@pytest.fixture(autouse=True)
def counting_the_value_of_a(host):
    """Of events that name no key, that of "a" is counted."""
    host.c.set_probe("a")
    yield
    host.c.set_probe(None)


def counted(host, source, names, kinds="D"):
    """(event, references to what goes) of the events of "a", and of those that name no key."""
    code = compile(source, "<host>", "exec")
    with host.recording(kinds) as log:
        exec(code, names)
    return [(entry.event, entry.references) for entry in log if entry.key in ("a", ...) or kinds == "F"]


DICT_ROUTES = [
    ("d['a'] = 1", "MODIFIED"),
    ("operator.setitem(d, 'a', 1)", "MODIFIED"),
    ("d.__setitem__('a', 1)", "MODIFIED"),
    ("c.set_item(d, 'a', 1)", "MODIFIED"),
    ("d.update(a=1)", "MODIFIED"),
    ("d.update([('a', 1)])", "MODIFIED"),
    ("d |= {'a': 1}", "MODIFIED"),
    ("c.merge(d, {'a': 1}, True)", "MODIFIED"),
    ("exec('a = 1', d)", "MODIFIED"),
    ("exec('def f():\\n global a\\n a = 1\\nf()', d)", "MODIFIED"),
    ("exec('for a in (1,): pass', d)", "MODIFIED"),
    ("exec('import sys as a', d)", "MODIFIED"),
    ("del d['a']", "DELETED"),
    ("operator.delitem(d, 'a')", "DELETED"),
    ("exec('del a', d)", "DELETED"),
    ("exec('def f():\\n global a\\n del a\\nf()', d)", "DELETED"),
    ("d.pop('a')", "DELETED"),
    ("x = d.pop('a', None)", "DELETED"),
    ("d.popitem()", "DELETED"),
    ("d.clear()", "CLEARED"),
    ("del d", "DEALLOCATED"),
]


@pytest.mark.parametrize(("source", "event"), DICT_ROUTES, ids=[source for source, _ in DICT_ROUTES])
def test_the_dict_has_the_only_reference(host, source, event):
    names = {"operator": operator, "c": host.c}
    names["d"] = host.watch({"__builtins__": vars(builtins), "f": None, "a": Value()})
    assert counted(host, source, names) == [(event, 1)]


@pytest.mark.parametrize(("source", "event"), DICT_ROUTES, ids=[source for source, _ in DICT_ROUTES])
def test_whoever_else_has_the_value_has_one_more(host, source, event):
    value = Value()
    names = {"operator": operator, "c": host.c, "also": [value, value]}
    names["d"] = host.watch({"__builtins__": vars(builtins), "f": None, "a": value})
    del value
    assert counted(host, source, names) == [(event, 3)]


@pytest.mark.parametrize("source", ["m.a = 1", "setattr(m, 'a', 1)", "vars(m)['a'] = 1", "del m.a", "del m"])
def test_the_dict_of_a_module_has_the_only_reference(host, source):
    names = {"m": types.ModuleType("m"), "vars": vars}
    names["m"].a = Value()
    host.watch(vars(names["m"]))
    assert [references for _, references in counted(host, source, names)] == [1]


@pytest.mark.parametrize("source", ["o.a = 1", "setattr(o, 'a', 1)", "object.__setattr__(o, 'a', 1)", "del o.a"])
def test_the_dict_of_an_instance_has_the_only_reference(host, source):
    o = Holder()
    o.a = Value()
    host.watch(vars(o))
    told = [] if MISSES_INSTANCE_STORES else [1]
    assert [references for _, references in counted(host, source, {"o": o})] == told


CLASS_ROUTES = ["C.a = 1", "setattr(C, 'a', 1)", "type.__setattr__(C, 'a', 1)", "del C.a", "delattr(C, 'a')"]
METACLASSES = [
    type,
    type("Plain", (type,), {}),
    type("Own", (type,), {"__setattr__": lambda c, n, v: type.__setattr__(c, n, v)}),
]


@pytest.mark.parametrize("metaclass", METACLASSES)
@pytest.mark.parametrize("source", CLASS_ROUTES)
def test_of_a_class_attribute_cpython_has_a_reference_too(host, source, metaclass):
    C = metaclass("C", (), {"a": Value()})
    host.watch(host.c.type_dict(C))
    assert [references for _, references in counted(host, source, {"C": C})] == [HOST.references_in_class]


WITH_SETTER = ["__doc__", "__module__", "__abstractmethods__", "__annotations__", "__annotate__", "__type_params__"]
STORED_AS = {"__annotations__": HOST.annotations_key, "__annotate__": "__annotate_func__"}


@pytest.mark.parametrize("name", [name for name in WITH_SETTER if name in vars(type)])
def test_of_what_type_stores_by_a_descriptor_the_class_has_the_only_reference(host, name):
    values = {"__annotations__": dict, "__type_params__": lambda: (Value(),), "__annotate__": lambda: lambda format: {}}
    C = type("C", (), {})
    setattr(C, name, values.get(name, Value)())
    names = host.c.type_dict(C)
    host.watch(names)
    host.c.set_probe(STORED_AS.get(name, name))
    with host.recording() as log:
        setattr(C, name, values.get(name, Value)())
    told = [entry.references for entry in log if entry.key == STORED_AS.get(name, name)]
    assert told[:1] == [1], list(names)


@pytest.mark.parametrize("change", ["c.set_item(d, 'a', 1)", "d.pop('a')", "d.clear()"])
def test_the_dict_of_a_class_that_is_changed_itself_has_the_only_reference(host, change):
    C = type("C", (), {"a": Value()})
    names = {"d": host.watch(host.c.type_dict(C)), "c": host.c}
    assert [references for _, references in counted(host, change, names)] == [1]


def test_a_collected_class_is_cleared_with_the_only_reference_to_its_attributes(host):
    gc.collect()
    C = type("C", (), {"a": Value()})
    host.watch(host.c.type_dict(C))
    with host.recording() as log:
        del C
        gc.collect()
    assert [(entry.event, entry.references) for entry in log][:1] == [("CLEARED", 1)]


FUNCTION_ROUTES = [
    ("f.__defaults__ = (V(),)", "f.__defaults__ = None", "MODIFY_DEFAULTS"),
    ("f.__defaults__ = (V(),)", "del f.__defaults__", "MODIFY_DEFAULTS"),
    ("f.__kwdefaults__ = {'b': V()}", "f.__kwdefaults__ = None", "MODIFY_KWDEFAULTS"),
    ("f.__kwdefaults__ = {'b': V()}", "del f.__kwdefaults__", "MODIFY_KWDEFAULTS"),
    ("f.__code__ = f.__code__.replace(co_name='x')", "f.__code__ = g.__code__", "MODIFY_CODE"),
]


@pytest.mark.parametrize(("before", "source", "event"), FUNCTION_ROUTES, ids=[route[1] for route in FUNCTION_ROUTES])
def test_the_function_has_the_only_reference(host, before, source, event):
    names = module("def f(a=1, *, b=1): pass\ndef g(a=1, *, b=1): pass", V=Value)
    exec(before, names)
    told = counted(host, source, names, "F")
    assert [each for each in told if each[0] not in ("CREATE", "DESTROY")] == [(event, 1)]  # those of the source's own


def test_in_hot_loops_it_is_the_same_with_the_jit_or_without(fresh_process):
    for jit in ("0", "1"):
        answer = fresh_process("import hot_references; hot_references.main(hostwatch)", PYTHON_JIT=jit)
        assert answer.returncode == 0, answer
        told = json.loads(answer.stdout)
        names = ["attribute", "class", "defaults", "deleted", "dict", "global", "local", "module"]
        expected = {name: {"1": 3000} for name in names}
        expected["class"] = {str(HOST.references_in_class): 3000}
        expected["deleted"] = {"2": 3000}  # the log itself has it, from the event that added it
        if MISSES_INSTANCE_STORES:
            expected["attribute"] = {}
        assert told == expected
