"""Table C of facts/host-contract.md: which changes of a dict send what."""

import builtins
import collections
import copy
import gc
import operator
import pickle
import types

import pytest
from versions import DICT_EVENTS, HOST, MISSES_INSTANCE_STORES
from watching import NULL, module

from fuzz.keys import Text


class Subclass(dict):
    pass


class Plain:
    pass


A, B, C = object(), object(), object()
ONE, ALSO_ONE = float("1.5"), float("1.5")


def test_cpython_has_the_dict_events_that_we_know(hostwatch):
    assert hostwatch.DICT_EVENTS == DICT_EVENTS


# what d is, what happens to it, what is sent: (event, key, new value, value that is still there)
ROUTES = [
    # A key is added.
    ({}, "d['a'] = A", [("ADDED", "a", A, NULL)]),
    ({"b": B}, "d['a'] = A", [("ADDED", "a", A, NULL)]),
    ({}, "d.setdefault('a', A)", [("ADDED", "a", A, NULL)]),
    ({"b": B}, "c.set_default(d, 'a', A)", [("ADDED", "a", A, NULL)]),
    ({"b": B}, "c.set_default_ref(d, 'a', A)", [("ADDED", "a", A, NULL)]),
    ({}, "c.set_item(d, 'a', A)", [("ADDED", "a", A, NULL)]),
    ({0: B}, "d['a'] = A", [("ADDED", "a", A, NULL)]),
    # Another object is stored under a key.
    ({"a": A}, "d['a'] = B", [("MODIFIED", "a", B, A)]),
    ({"a": A}, "c.set_item(d, 'a', B)", [("MODIFIED", "a", B, A)]),
    ({"a": ONE}, "d['a'] = ALSO_ONE", [("MODIFIED", "a", ALSO_ONE, ONE)]),
    ({0: A}, "d[0] = B", [("MODIFIED", 0, B, A)]),
    # The very same object: nothing.
    ({"a": A}, "d['a'] = A", []),
    ({"a": A}, "c.set_item(d, 'a', A)", []),
    ({"a": A}, "d.update(a=A)", []),
    ({"a": A}, "d.setdefault('a', B)", []),
    # A key goes.
    ({"a": A}, "del d['a']", [("DELETED", "a", NULL, A)]),
    ({"a": A}, "d.pop('a')", [("DELETED", "a", NULL, A)]),
    ({"a": A, "b": B}, "d.popitem()", [("DELETED", "b", NULL, B)]),
    ({"a": A}, "d.pop('b', None)", []),
    ({"a": A}, "operator.setitem(d, 'a', B)", [("MODIFIED", "a", B, A)]),
    ({"a": A}, "operator.delitem(d, 'a')", [("DELETED", "a", NULL, A)]),
    # Many keys at once: one event when the target is empty and the source a dict without holes.
    ({}, "d.update(source)", [("CLONED", {"a": A, "b": B}, NULL, 0)]),
    ({}, "d |= source", [("CLONED", {"a": A, "b": B}, NULL, 0)]),
    ({}, "d.__init__(source)", [("CLONED", {"a": A, "b": B}, NULL, 0)]),
    ({}, "c.merge(d, source, False)", [("CLONED", {"a": A, "b": B}, NULL, 0)]),
    ({}, "d.update(Subclass(source))", [("CLONED", {"a": A, "b": B}, NULL, 0)]),
    ({}, "d.update(with_hole)", [("ADDED", "b", B, NULL)]),
    ({}, "d.update([('a', A)])", [("ADDED", "a", A, NULL)]),
    ({}, "d.update(a=A, b=B)", [("CLONED", {"a": A, "b": B}, NULL, 0)]),
    ({"a": C}, "d.update(source)", [("MODIFIED", "a", A, C), ("ADDED", "b", B, NULL)]),
    ({"a": C}, "d |= source", [("MODIFIED", "a", A, C), ("ADDED", "b", B, NULL)]),
    ({"a": C}, "c.merge(d, source, False)", [("ADDED", "b", B, NULL)]),
    # All keys go.
    ({"a": A, "b": B}, "d.clear()", [("CLEARED", NULL, NULL, 2)]),
    ({}, "d.clear()", []),
    # Reading and copying.
    ({"a": A}, "copy.copy(d), d.copy(), d | {'b': B}, list(d.items()), sorted(d), 'a' in d", []),
    ({"a": 1}, "pickle.loads(pickle.dumps(d)), copy.deepcopy(d)", []),
    ({"a": A}, "d.copy()['a'] = B", []),
    # Namespaces.
    ({"__builtins__": {}}, "exec('a = 1', d)", [("ADDED", "a", 1, NULL)]),
    ({"__builtins__": {}, "a": A}, "exec('del a', d)", [("DELETED", "a", NULL, A)]),
    ({"__builtins__": {}, "a": A}, "exec('def f():\\n global a\\n a = 1\\nf()\\ndel f', d)", None),
    ({"__builtins__": vars(builtins)}, "exec('import copy', d)", [("ADDED", "copy", copy, NULL)]),
    ({"__builtins__": vars(builtins)}, "exec('from copy import copy', d)", [("ADDED", "copy", copy.copy, NULL)]),
    ({"__builtins__": {}, "a": 1}, "exec('a += 1', d)", [("MODIFIED", "a", 2, 1)]),
    ({}, "exec('', d)", [("ADDED", "__builtins__", vars(builtins), NULL)]),
]


@pytest.mark.parametrize(("start", "change", "events"), ROUTES, ids=[f"{r[1]} of {len(r[0])}" for r in ROUTES])
def test_what_a_change_of_a_dict_sends(host, start, change, events):
    with_hole = {"a": A, "b": B}
    del with_hole["a"]
    d = dict(start)
    names = {"d": host.watch(d), "c": host.c, "source": {"a": A, "b": B}, "with_hole": with_hole, "Subclass": Subclass}
    names |= {
        "A": A,
        "B": B,
        "C": C,
        "ONE": ONE,
        "ALSO_ONE": ALSO_ONE,
        "copy": copy,
        "pickle": pickle,
        "operator": operator,
    }
    log = host.run(change, names)
    if events is None:  # the def is ADDED, the global store MODIFIED, the def DELETED
        assert [entry[:2] for entry in log] == [("ADDED", "f"), ("MODIFIED", "a"), ("DELETED", "f")]
    else:
        assert log == events


def test_a_hundred_new_keys_are_a_hundred_events_whatever_is_resized(host):
    d = host.watch({})
    log = host.run("for i in range(100): d[i] = i", {"d": d})
    assert log == [("ADDED", i, i, NULL) for i in range(100)]


def test_the_key_of_an_event_is_that_of_the_look_up_not_the_stored_one(host):
    looked_up = Text("a")
    d = host.watch({"a": A})
    with host.recording() as log:
        d[looked_up] = B
        del d[looked_up]
    assert [(entry.event, entry.key is looked_up) for entry in log] == [("MODIFIED", True), ("DELETED", True)]


def test_the_key_of_an_event_need_not_be_interned(host):
    d = host.watch({"the key": A})
    looked_up = " ".join(["the", "key"])
    with host.recording() as log:
        d[looked_up] = B
    assert [entry.key is looked_up for entry in log] == [True]
    assert host.c.str_layout(looked_up)[1] is False


def test_a_dict_that_dies_says_so(host):
    names = {"d": {"a": A}}
    host.watch(names["d"])
    assert host.run("del d", names) == [("DEALLOCATED", NULL, NULL, 1)]


def test_a_dict_in_a_cycle_is_cleared_and_then_deallocated(host):
    d = {"a": A}
    d["self"] = host.watch(d)
    address = id(d)
    with host.recording() as log:
        del d
        gc.collect()
    assert [entry.event for entry in log if entry.object == address] == ["CLEARED", "DEALLOCATED"]


def test_a_specialised_loop_over_a_global_misses_nothing(host):
    names = module("value = -1\ndef loop():\n global value\n for i in range(5000): value = i\nloop()\n")
    host.watch(names)
    with host.recording() as log:
        names["loop"]()
    assert [entry.value for entry in log] == list(range(5000))
    assert {(entry.event, entry.key) for entry in log} == {("MODIFIED", "value")}


def test_attributes_of_a_module_are_keys_of_its_dict(host):
    names = {"m": types.ModuleType("m"), "c": host.c}
    host.watch(vars(names["m"]))
    assert host.run("m.a = 1\nm.a = 2\ndel m.a\nc.module_add(m, 'b', 3)", names) == [
        ("ADDED", "a", 1, NULL),
        ("MODIFIED", "a", 2, 1),
        ("DELETED", "a", NULL, 2),
        ("ADDED", "b", 3, NULL),
    ]


def test_an_except_clause_adds_its_variable_and_deletes_it(host):
    names = {"error": ValueError()}
    host.watch(names)
    log = host.run("try: raise error\nexcept ValueError as name: pass", names)
    log = [entry for entry in log if entry[1] == "name"]
    # It is set to None before it is deleted, and ADDED is sent for it as for any other name.
    assert [entry[0] for entry in log] == ["ADDED", "MODIFIED", "DELETED"]


def test_builtins_can_be_watched(host):
    host.watch(vars(builtins))
    log = host.run("builtins.of_the_host = 1\ndel builtins.of_the_host", {"builtins": builtins})
    host.unwatch(vars(builtins))
    assert log == [("ADDED", "of_the_host", 1, NULL), ("DELETED", "of_the_host", NULL, 1)]


def test_subclasses_of_dict_send_what_dicts_send(host):
    ordered = host.watch(collections.OrderedDict(a=1, b=2))
    default = host.watch(collections.defaultdict(list))
    counter = host.watch(collections.Counter())
    names = {"ordered": ordered, "default": default, "counter": counter}
    assert host.run("ordered['c'] = 3\nordered.move_to_end('a')\nordered.pop('b')\n", names) == [
        ("ADDED", "c", 3, NULL),
        ("DELETED", "b", NULL, 2),
    ]
    assert host.run("default['x']", names) == [("ADDED", "x", [], NULL)]
    assert host.run("counter.update('aba')", names) == [
        ("ADDED", "a", 1, NULL),
        ("ADDED", "b", 1, NULL),
        ("MODIFIED", "a", 2, 1),
    ]


def test_an_unwatched_dict_sends_nothing_and_watching_twice_counts_once(host):
    d = {}
    host.watch(d, d)
    assert host.run("d['a'] = 1", {"d": d}) == [("ADDED", "a", 1, NULL)]
    host.unwatch(d)
    assert host.run("d['a'] = 2", {"d": d}) == []


def test_what_is_no_dict_cannot_be_watched(host):
    refused = [types.MappingProxyType({}), [], collections.ChainMap()]
    if HOST.frozendict:
        refused.append(builtins.frozendict(a=1))
    else:
        assert not hasattr(builtins, "frozendict")
    for obj in refused:
        with pytest.raises(ValueError, match="Cannot watch non-dictionary"):
            host.watch(obj)


WITHOUT_MEMORY = [
    ("set_item", {}, "new", A, [("ADDED", "new", A, NULL)]),
    ("set_item", dict.fromkeys(range(5)), "new", A, [("ADDED", "new", A, NULL)]),
    ("set_item", dict.fromkeys("abcde"), "new", A, [("ADDED", "new", A, NULL)]),
    ("set_item", {"a": A}, 5, B, []),
    ("set_default", {}, "new", A, [("ADDED", "new", A, NULL)]),
    # Not setdefault on a full table: on 3.13.0 it leaves a dict that counts a key which it has not.
]


@pytest.mark.parametrize(("operation", "start", "key", "value", "events"), WITHOUT_MEMORY)
def test_an_insertion_that_runs_out_of_memory_has_sent_added_on_3_12_only(host, operation, start, key, value, events):
    """gh-122208: why ADDED cannot be trusted."""
    gc.disable()  # a collection in between would put tables back into the reserve
    spares = [{name: name} for name in map(str, range(300))]  # CPython keeps some small tables in reserve
    d = host.watch(dict(start))
    with host.recording() as log:
        failure = host.c.without_memory(operation, d, key, value)
    gc.enable()
    assert (failure, d) == (MemoryError, start)
    assert [entry.short() for entry in log] == (events if HOST.added_before_failure else [])
    del spares


def test_a_clone_that_runs_out_of_memory_has_sent_cloned(host):
    source = dict.fromkeys(range(99))
    d = host.watch({})
    with host.recording() as log:
        failure = host.c.without_memory("merge", d, source)
    assert (failure, d) == (MemoryError, {})
    assert [entry.short() for entry in log] == [("CLONED", source, NULL, 0)]


# --- the dict of an instance ----------------------------------------------------------------------------------------


def instance(cls=Plain):
    obj = cls()
    obj.a, obj.b = A, B
    return obj


STORES_THROUGH_THE_OBJECT = [
    ("o.a = C", [("MODIFIED", "a", C, A)]),
    ("setattr(o, 'a', C)", [("MODIFIED", "a", C, A)]),
    ("object.__setattr__(o, 'a', C)", [("MODIFIED", "a", C, A)]),
    ("c.generic_set(o, 'a', C)", [("MODIFIED", "a", C, A)]),
    ("del o.a", [("DELETED", "a", NULL, A)]),
    ("delattr(o, 'a')", [("DELETED", "a", NULL, A)]),
    ("object.__delattr__(o, 'a')", [("DELETED", "a", NULL, A)]),
    ("o.n += 1", [("MODIFIED", "n", 301, 300)]),
    ("o.new = C", [("ADDED", "new", C, NULL)]),
]


@pytest.mark.parametrize(("change", "events"), STORES_THROUGH_THE_OBJECT, ids=[s[0] for s in STORES_THROUGH_THE_OBJECT])
def test_stores_through_an_instance_reach_its_dict_but_on_3_13_0(host, change, events):
    obj = instance()
    obj.n = 300
    host.watch(vars(obj))
    assert host.c.is_split(vars(obj))
    log = host.run(change, {"o": obj, "c": host.c, "C": C})
    # gh-125608: the values are inline in the object, and storing one there sends nothing.
    assert log == ([] if MISSES_INSTANCE_STORES else events)


# base and body of a class, whether its instances have their values inline
INSTANCES = {
    "plain": (object, {}, True),
    "inherits": (Plain, {}, True),
    "slot for its dict": (object, {"__slots__": ("s", "__dict__")}, False),
    "only a slot for its dict": (object, {"__slots__": ("__dict__",)}, True),
    "exception": (Exception, {}, False),
    "dict": (dict, {}, False),
    "int": (int, {}, False),
}


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("combined", [False, True])
@pytest.mark.parametrize("kind", INSTANCES)
def test_what_3_13_0_misses_are_the_stores_into_values_that_are_inline(host, kind, combined, warm):
    """misses_events() in ext/watch/watch.h refuses dicts that have their values inside the object, and so these."""
    base, body, inline = INSTANCES[kind]
    cls = type("K", (base,), dict(body))
    store = module("def store(o, value):\n o.a = value\ndef new(o, value):\n o.new = value\ndef delete(o):\n del o.b")
    for _ in range(3000 if warm else 0):
        store["store"](obj := instance(cls), A)
    obj = instance(cls)
    d = host.watch(vars(obj))
    if combined:
        d[0] = 0  # no str: the values move into a table of the dict's own
    is_split = host.c.is_split(d)
    assert not (is_split and combined)
    with host.recording() as log:
        store["store"](obj, C)
        store["new"](obj, C)
        store["delete"](obj)
    seen = [("MODIFIED", "a", C, A), ("ADDED", "new", C, NULL), ("DELETED", "b", NULL, B)]
    missed = MISSES_INSTANCE_STORES and inline and is_split
    assert [entry.short() for entry in log] == ([] if missed else seen)


def test_stores_into_the_dict_of_an_instance_are_always_seen(host):
    obj = instance()
    log = host.run("d['a'] = C\ndel d['b']", {"d": host.watch(vars(obj)), "C": C})
    assert log == [("MODIFIED", "a", C, A), ("DELETED", "b", NULL, B)]


def test_a_specialised_loop_over_an_instance_misses_nothing_but_on_3_13_0(host):
    loop = module("def loop(o):\n for i in range(5000): o.a = i\n")["loop"]
    obj = instance()
    loop(obj)
    host.watch(vars(obj))
    with host.recording() as log:
        loop(obj)
    assert [entry.value for entry in log] == ([] if MISSES_INSTANCE_STORES else list(range(5000)))


def test_a_key_that_comes_back_to_a_split_table_is_added_but_modified_on_3_12(host):
    obj = instance()
    d = host.watch(vars(obj))
    del d["b"]
    log = host.run("d['b'] = C", {"d": d, "C": C})
    event = "MODIFIED" if HOST.split_table_readd_is_modified else "ADDED"
    assert log == [(event, "b", C, NULL)]


REPLACEMENTS = ["o.__dict__ = {}", "del o.__dict__"]


@pytest.mark.parametrize("replace", REPLACEMENTS)
def test_a_replaced_instance_dict_is_quiet_and_the_new_one_is_not_watched(host, replace):
    obj = instance()
    d = host.watch(vars(obj))
    assert host.run(f"{replace}\no.a = C", {"o": obj, "C": C}) == []
    assert vars(obj) is not d


def test_another_class_of_an_instance_or_a_module_sends_nothing(host):
    other = type("Other", (), {})
    noisy = type("Noisy", (types.ModuleType,), {})
    names = {"o": instance(), "m": types.ModuleType("m"), "other": other, "noisy": noisy}
    host.watch(vars(names["o"]), vars(names["m"]))
    assert host.run("o.__class__ = other; m.__class__ = noisy", names) == []


def test_a_dict_that_outlives_its_object_stays_watched_and_its_death_sends_nothing(host):
    names = {"o": instance()}
    d = host.watch(vars(names["o"]))
    mod = types.ModuleType("m")
    namespace = host.watch(vars(mod))
    assert host.run("del o", names) == []
    assert d == {"a": A, "b": B}
    assert host.run("d['a'] = C", {"d": d, "C": C}) == [("MODIFIED", "a", C, A)]
    del mod
    assert host.run("d['a'] = C", {"d": namespace, "C": C}) == [("ADDED", "a", C, NULL)]
