"""Table B of facts/host-contract.md: what functions and code objects send."""

import copy
import functools
import gc
import types
import weakref

import pytest
from versions import CODE_EVENTS, HOST
from watching import NULL, module, only_for

SOURCE = """
def make():
    free = 1
    def f(a, b=1, *, x=2): return free
    return f
def other(): pass
f, g = make(), make()
"""
NAME = "make.<locals>.f"


@pytest.fixture
def names(host):
    return module(SOURCE, c=host.c, types=types, copy=copy, functools=functools)


def test_cpython_has_the_function_and_code_events_that_we_know(hostwatch):
    assert HOST.function_events == hostwatch.FUNCTION_EVENTS
    assert hostwatch.CODE_EVENTS == CODE_EVENTS


# what is assigned, what is sent: (event, new value); the old value is still there during the callback
ASSIGNMENTS = [
    ("f.__code__ = value", "__code__", lambda f: f.__code__.replace(co_name="new"), "MODIFY_CODE"),
    ("f.__code__ = value", "__code__", lambda f: f.__code__, "MODIFY_CODE"),
    ("f.__defaults__ = value", "__defaults__", lambda f: (5,), "MODIFY_DEFAULTS"),
    ("f.__defaults__ = value", "__defaults__", lambda f: f.__defaults__, "MODIFY_DEFAULTS"),
    ("f.__defaults__ = value", "__defaults__", lambda f: None, "MODIFY_DEFAULTS"),
    ("del f.__defaults__", "__defaults__", lambda f: NULL, "MODIFY_DEFAULTS"),
    ("c.set_function('defaults', f, value)", "__defaults__", lambda f: (5,), "MODIFY_DEFAULTS"),
    ("c.set_function('defaults', f, value)", "__defaults__", lambda f: None, "MODIFY_DEFAULTS"),
    ("f.__kwdefaults__ = value", "__kwdefaults__", lambda f: {"x": 5}, "MODIFY_KWDEFAULTS"),
    ("f.__kwdefaults__ = value", "__kwdefaults__", lambda f: f.__kwdefaults__, "MODIFY_KWDEFAULTS"),
    ("f.__kwdefaults__ = value", "__kwdefaults__", lambda f: None, "MODIFY_KWDEFAULTS"),
    ("del f.__kwdefaults__", "__kwdefaults__", lambda f: NULL, "MODIFY_KWDEFAULTS"),
    ("c.set_function('kwdefaults', f, value)", "__kwdefaults__", lambda f: {"x": 5}, "MODIFY_KWDEFAULTS"),
]


@pytest.mark.parametrize(("change", "attribute", "value_for", "event"), ASSIGNMENTS)
def test_a_part_of_a_function_is_reported_before_it_is_modified(host, names, change, attribute, value_for, event):
    old = getattr(names["f"], attribute)
    names["value"] = value = value_for(names["f"])
    log = host.run(change, names, "F")
    # None, where None is assigned, arrives as NULL: there are then no defaults.
    assert log == [(event, NAME, NULL if value is None else value, old)]
    assert getattr(names["f"], attribute) is (None if value is NULL else value)


def test_the_dict_of_keyword_defaults_changes_in_place_without_a_function_event(host, names):
    host.watch(names["f"].__kwdefaults__)
    log = host.run("f.__kwdefaults__['x'] = 7", names, "DF")
    assert log == [("MODIFIED", "x", 7, 2)]


SILENT = [
    "f.__name__ = 'n'",
    "f.__module__ = 'm'",
    "f.__doc__ = 'd'",
    "f.__annotations__ = {'a': int}",
    "c.set_function('annotations', f, {'a': int})",
    "f.__dict__ = {'a': 1}",
    "f.__type_params__ = (1,)",
    "f.attribute = 1",
    "f.__annotate__ = None",  # before 3.14 an attribute like any other
    "f.__closure__[0].cell_contents = 3",
    "del f.__closure__[0].cell_contents",
    "c.set_cell(f.__closure__[0], 3)",
    "c.set_function('closure', f, (types.CellType(1),))",
    "c.set_vectorcall(f)",
    "f(1), f(1, 2, x=3)",
]


@pytest.mark.parametrize("change", SILENT)
def test_what_a_function_does_not_report(host, names, change):
    assert host.run(change, names, "F") == []


QUALNAMES = ["f.__qualname__ = 'q'", "functools.wraps(other)(f)"]


@pytest.mark.parametrize("change", QUALNAMES)
def test_a_qualified_name_is_reported_from_3_15_on(host, names, change):
    log = host.run(change, names, "F")
    assert log == only_for(
        "MODIFY_QUALNAME" in HOST.function_events, ("MODIFY_QUALNAME", NAME, names["f"].__qualname__, NAME)
    )


@pytest.mark.parametrize("attribute", ["__globals__", "__builtins__", "__closure__"])
def test_globals_builtins_and_closure_are_constant(names, attribute):
    with pytest.raises(AttributeError, match="readonly attribute"):
        setattr(names["f"], attribute, {})


def test_a_function_has_no_defaults_yet_when_it_is_reported_as_created(host, names):
    """They are set right after it without an event, by MAKE_FUNCTION and by FunctionType alike."""
    log = host.run("h = make()", names, "F")
    assert log == [("CREATE", NAME, NULL, NULL)]
    assert names["h"].__defaults__ == (1,)
    log = host.run("h = types.FunctionType(f.__code__, {}, 'h', (1,), f.__closure__)", names, "F")
    assert log == [("CREATE", NAME, NULL, NULL), ("DESTROY", NAME, NULL, NULL)]
    assert names["h"].__defaults__ == (1,)


def test_every_function_of_the_process_is_reported(host):
    log = host.run("def one(): pass\ndef two(): pass\ndel one", {}, "F")
    assert log == [("CREATE", "one", NULL, NULL), ("CREATE", "two", NULL, NULL), ("DESTROY", "one", NULL, NULL)]


def test_running_a_module_s_code_creates_a_function_for_it(host):
    code = compile("pass", "<host>", "exec")
    with host.recording("F") as log:
        exec(code, {})
    assert [entry.short() for entry in log] == [("CREATE", "<module>", NULL, NULL), ("DESTROY", "<module>", NULL, NULL)]


def test_a_dying_function_is_reported_and_calls_its_weak_reference(host, names):
    f, order = names.pop("f"), []
    address = id(f)
    reference = weakref.ref(f, lambda _: order.extend(entry[1:3] for entry in host.c.take() if entry[0] == "F"))
    with host.recording("F") as log:
        del f
    assert reference() is None
    assert order == [("DESTROY", address)]  # the event came first
    assert log == []


# what is run, what functions it creates
CREATES = [
    ("def k(): pass", ["k"]),
    ("lambda: 0", ["<lambda>"]),
    ("[i for i in (1, 2)]", []),
    ("{i for i in (1, 2)}", []),
    ("{i: i for i in (1, 2)}", []),
    ("list(i for i in (1, 2))", ["<genexpr>"]),
    ("tuple(i for i in (1, 2))", ["<genexpr>"]),
    ("class Q: z = 1", ["Q"]),
    ("class Q: z = [i for i in (1,)]", ["Q"]),
    ("def k(a: int): pass", ["k", *only_for(HOST.annotate_function, "__annotate__")]),
    ("class Q: z: int = 1", ["Q", *only_for(HOST.annotate_function, "__annotate__")]),
    ("def k[T](): pass", ["<generic parameters of k>", "k"]),
    ("type A = int", ["A"]),
    ("class Q:\n def k(self): pass", ["Q", "k"]),
    ("[lambda: i for i in (1, 2)]", ["<lambda>", "<lambda>"]),
    ("types.FunctionType(f.__code__, {}, closure=f.__closure__)", ["f"]),
    ("copy.copy(f)", []),
    ("functools.partial(f)", []),
    ("f.__get__(1)", []),
]


@pytest.mark.parametrize(("source", "created"), CREATES, ids=[c[0] for c in CREATES])
def test_which_constructs_create_functions(host, names, source, created):
    log = host.run(source, names, "F")
    log = [entry[1].rpartition(".")[2] for entry in log if entry[0] == "CREATE"]
    assert sorted(log) == sorted(created)


def test_a_closure_is_a_new_function_of_the_same_code_object(host, names):
    log = host.run("h = make()", names, "FC")
    assert log == [("CREATE", NAME, NULL, NULL)]
    assert names["h"].__code__ is names["f"].__code__


# --- code objects ---------------------------------------------------------------------------------------------------


def test_a_code_object_is_reported_after_its_creation_and_before_its_end(host):
    f = module("def f(): pass")["f"]
    with host.recording("C") as log:
        code = f.__code__.replace(co_name="new", co_qualname="new")
        address = id(code)
        del code
    assert [(entry.event, entry.key, entry.object) for entry in log] == [
        ("CREATE", "new", address),
        ("DESTROY", "new", address),
    ]


def test_compiling_creates_a_code_object_for_each_scope_the_inner_first(host):
    with host.recording("C") as log:
        code = compile("def f():\n def g(): pass\nclass C: pass", "<host>", "exec")
    created = [entry.key for entry in log if entry.event == "CREATE"]
    assert sorted(created) == ["<module>", "C", "f", "f.<locals>.g"]
    assert created.index("f.<locals>.g") < created.index("f") < created.index("<module>")
    del code


def test_a_code_object_outlives_its_function_while_another_needs_it(host, names):
    names["keep"] = names["f"].__code__
    gc.collect()
    log = host.run("del f, g, make", names, "FC")
    assert [entry[:2] for entry in log] == [
        ("DESTROY", NAME),
        ("DESTROY", NAME),
        ("DESTROY", "make"),
        ("CODE_DESTROY", "make"),
    ]
    assert [entry[:2] for entry in host.run("del keep", names, "C")] == [("CODE_DESTROY", NAME)]


@pytest.mark.parametrize("make", ["type('K', (), {})", "lambda: 0", "compile('', '<host>', 'exec')"])
def test_types_functions_and_code_objects_call_their_weak_references(make):
    obj, called = eval(make), []
    reference = weakref.ref(obj, lambda _: called.append(True))
    del obj
    gc.collect()
    assert (reference(), called) == (None, [True])
