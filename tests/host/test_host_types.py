"""Table A of facts/host-contract.md: what a change of a class sends to its dict's watchers and to its own."""

import abc
import functools
import gc
import weakref

import pytest
from versions import HOST
from watching import NULL, module, only_for

A, B = object(), object()


def fresh_class(source="class K: pass", **names):
    return module(source, **names)


@pytest.fixture
def log_of(host):
    """log_of(namespace, change, probe): the dict and type events of a change to the watched class K."""

    def log_of(names, change, probe="x"):
        host.watch_class(names["K"])
        host.c.set_probe(probe)
        names |= {"c": host.c, "A": A, "B": B}
        return host.run(change, names, "DT")

    yield log_of
    host.c.set_probe(None)


# what is in the class, what happens to x, what the class's dict sends
ATTRIBUTE_ROUTES = [
    ("pass", "K.x = A", [("ADDED", "x", A, NULL)]),
    ("x = A", "K.x = B", [("MODIFIED", "x", B, A)]),
    ("x = A", "setattr(K, 'x', B)", [("MODIFIED", "x", B, A)]),
    ("x = A", "type.__setattr__(K, 'x', B)", [("MODIFIED", "x", B, A)]),
    ("x = A", "del K.x", [("DELETED", "x", NULL, A)]),
    ("x = A", "K.x = A", []),
]


@pytest.mark.parametrize(("body", "change", "events"), ATTRIBUTE_ROUTES, ids=[r[1] for r in ATTRIBUTE_ROUTES])
def test_a_class_attribute_is_reported_by_the_dict_before_the_write(log_of, body, change, events):
    names = fresh_class(f"class K:\n {body}", A=A)
    log = log_of(names, change)
    before = vars(fresh_class(f"class K:\n {body}", A=A)["K"]).get("x", NULL)
    after = vars(names["K"]).get("x", NULL)
    if HOST.type_event_before_write:
        assert log == [("TYPE", "K", before), *events]
    else:
        assert log == [*events, ("TYPE", "K", after)]


def test_deleting_what_is_not_there_sends_a_type_event_on_3_13_and_later(log_of):
    log = log_of(fresh_class(), "try: del K.x\nexcept AttributeError: pass")
    assert log == only_for(HOST.failed_delete_sends_type_event, ("TYPE", "K", NULL))


def test_a_slot_of_the_type_is_an_attribute_like_others(log_of):
    log = log_of(fresh_class(), "K.__eq__ = A", "__eq__")
    dict_event, type_event = ("ADDED", "__eq__", A, NULL), ("TYPE", "K", NULL if HOST.type_event_before_write else A)
    assert log == ([type_event, dict_event] if HOST.type_event_before_write else [dict_event, type_event])


def test_a_write_straight_into_the_dict_reaches_only_its_watcher(log_of):
    assert log_of(fresh_class(), "c.set_item(c.type_dict(K), 'x', A)") == [("ADDED", "x", A, NULL)]


def test_a_write_into_the_dict_that_the_collector_finds_reaches_only_its_watcher(log_of):
    log = log_of(fresh_class(gc=gc), "next(d for d in gc.get_referents(K.__dict__) if type(d) is dict)['x'] = A")
    assert log == [("ADDED", "x", A, NULL)]


def test_name_and_metaclass_are_reported_on_3_12_only(log_of):
    for change in ("K.__name__ = 'Z'", "K.__qualname__ = 'Z'", "K.__class__ = Other"):
        names = fresh_class("class Meta(type): pass\nclass Other(type): pass\nclass K(metaclass=Meta): pass")
        log = log_of(names, change)
        name = names["K"].__name__
        assert [entry[:2] for entry in log] == only_for(HOST.type_event_for_name_and_metaclass, ("TYPE", name)), change


def keys_and_types(log):
    return [entry[:2] for entry in log]


def test_special_attributes_of_a_class_are_keys_of_its_dict(log_of):
    no_line = only_for(HOST.module_assignment_deletes_line, ("DELETED", "__firstlineno__"))
    log = keys_and_types(log_of(fresh_class(), "K.__module__ = 'm'"))
    assert log[0] == ("TYPE", "K")
    assert sorted(log[1:]) == sorted([("MODIFIED", "__module__"), *no_line])
    log = keys_and_types(log_of(fresh_class(), "K.__doc__ = 'd'"))
    assert log == [("TYPE", "K"), ("MODIFIED", "__doc__")]
    log = keys_and_types(log_of(fresh_class(), "K.__type_params__ = (1,)"))
    assert log == [("ADDED", "__type_params__"), ("TYPE", "K")]
    names = fresh_class("class K(ABC): pass", ABC=abc.ABC)
    log = keys_and_types(log_of(names, "K.__abstractmethods__ = frozenset('q')"))
    assert log == [("MODIFIED", "__abstractmethods__"), ("TYPE", "K")]


def test_annotations_of_a_class_have_a_key_that_depends_on_the_version(log_of):
    log = keys_and_types(log_of(fresh_class(), "K.__annotations__ = {}"))
    assert ("ADDED", HOST.annotations_key) in log
    assert log[-1] == ("TYPE", "K")
    # Reading them the first time stores them.
    log = keys_and_types(log_of(fresh_class(), "K.__annotations__"))
    assert ("ADDED", HOST.annotations_key) in log
    assert ("TYPE", "K") in log


NOT_OF_THE_CLASS = [
    ("class K: __slots__ = 'a'\nk = K()", "k.a = 1"),
    ("class K: pass\nk = K()", "k.a = 1"),
    ("class K: pass\nclass L: pass\nk = K()", "k.__class__ = L"),
    ("class K: pass", "class S(K): pass\nt = type('T', (K,), {})\ndel t, S"),
    ("class K(ABC): pass", "K.register(int)"),
    ("class K:\n v = cached_property(lambda k: 1)\n __init__ = lambda k: None\nk = K()", "k.v"),
    ("class K: pass", "import weakref; weakref.ref(K)"),
]


@pytest.mark.parametrize(("source", "change"), NOT_OF_THE_CLASS, ids=[n[1] for n in NOT_OF_THE_CLASS])
def test_what_does_not_change_the_class_sends_nothing(log_of, source, change):
    assert log_of(fresh_class(source, ABC=abc.ABC, cached_property=functools.cached_property), change) == []


def test_a_replaced_slot_descriptor_is_a_modified_key(log_of):
    names = fresh_class("class K: __slots__ = 'x'")
    log = log_of(names, "K.x = A")
    assert [entry[:3] for entry in log if entry[0] != "TYPE"] == [("MODIFIED", "x", A)]
    assert len(log) == 2


# --- bases ----------------------------------------------------------------------------------------------------------

FAMILY = "class P: x = A\nclass Q: x = B\nclass K(P): pass\nclass L(K): pass\n"


@pytest.mark.parametrize("change", ["K.__bases__ = (Q,)", "P.x = B", "P.y = B"])
def test_a_change_of_bases_is_a_type_event_of_all_that_inherit_and_no_dict_event(host, change):
    names = module(FAMILY, A=A, B=B)
    host.watch_class(names["K"], names["L"])
    log = host.run(change, names, "DT")
    assert sorted(log) == [("TYPE", "K", NULL), ("TYPE", "L", NULL)]


def test_a_base_of_a_base_that_gets_other_bases_is_a_type_event_too(host):
    names = module("class O: pass\nclass N: pass\nclass P(O): pass\nclass K(P): pass\nclass L(K): pass")
    host.watch_class(names["K"], names["L"])
    assert sorted(host.run("P.__bases__ = (N,)", names, "DT")) == [("TYPE", "K", NULL), ("TYPE", "L", NULL)]


def test_the_type_event_of_a_subclass_comes_before_its_mro_is_replaced(host):
    names = module(FAMILY, A=A, B=B)
    k, sub = names["K"], names["L"]
    host.watch_class(k, sub)
    host.c.keep(k, sub)
    with host.recording("T") as log:
        k.__bases__ = (names["Q"],)
    # bit 0: K has its new MRO; bit 1: L has. The subclass is told first, and has not.
    assert [(entry.key, entry.moved) for entry in log] == [("L", 0b01), ("K", 0b01)]
    host.c.keep()


def test_a_change_of_bases_straight_after_a_change_sends_no_second_type_event(host):
    names = module(FAMILY, A=A, B=B)
    host.watch_class(names["K"])
    log = host.run("K.x = A; K.__bases__ = (Q,)", names, "DT")
    assert sorted(keys_and_types(log)) == [("ADDED", "x"), ("TYPE", "K")]


# --- one event for each version tag ---------------------------------------------------------------------------------


def test_type_events_are_aggregated_until_the_type_has_a_version_tag_again(host):
    names = module("class K: x = 0\ndef read():\n for i in range(4): K.x")
    host.watch(names["K"])  # assigns a tag itself
    count = lambda change: len(host.run(change, names, "T"))
    assert [count("K.x = 1"), count("K.x = 2"), count("K.x = 3")] == [1, 0, 0]
    names["read"]()
    assert [count("K.x = 4"), count("K.x = 5")] == [1, 0]
    assert host.c.assign_version_tag(names["K"])
    assert [count("K.x = 6"), count("K.x = 7")] == [1, 0]


@pytest.fixture(scope="module")
def worn_out(host):
    """A family in which K was modified 3000 times, with a version tag each time while there are any."""
    names = module("class O: x = 0\nclass P(O): pass\nclass K(P): x = 0\nclass L(K): pass\nclass Q: pass")
    cls, sub = names["K"], names["L"]
    host.watch_class(cls, sub)
    with host.recording("DT") as log:
        for i in range(1, 3001):
            host.c.assign_version_tag(cls)
            cls.x = i
    names["log"] = [entry for entry in log if entry.object in (id(cls), id(host.c.type_dict(cls)))]
    return names


def test_type_events_of_a_class_end_after_a_thousand_but_its_dict_goes_on(worn_out):
    log = worn_out["log"]
    assert [entry.value for entry in log if entry.kind == "D"] == list(range(1, 3001))
    assert sum(entry.kind == "T" for entry in log) == (HOST.type_events_of_a_class or 3000)


def test_a_worn_out_class_can_be_watched_but_gets_no_version_tag(host, worn_out):
    has_tags = HOST.type_events_of_a_class is None
    host.watch(worn_out["K"])
    assert host.c.assign_version_tag(worn_out["K"]) is has_tags
    assert host.c.assign_version_tag(worn_out["L"]) is has_tags


def test_ordinary_reads_use_up_the_type_events_of_a_class_too(host):
    """Each read below gives the class a version tag; all but the first of the 900 unwatched writes take one away."""
    names = module("class K: x = 0\ndef wear(n):\n for i in range(n):\n  K.x = i\n  hasattr(K, 'x')")
    names["wear"](900)
    host.watch(names["K"])
    with host.recording("T") as log:
        names["wear"](3000)
    limit = HOST.type_events_of_a_class
    assert len(log) == (3000 if limit is None else limit - 899)


WORN_OUT = ["K.x = -1", "K.x = -2", "P.y = 1", "O.x = 1"]


@pytest.mark.parametrize("change", WORN_OUT)
def test_a_worn_out_class_and_its_subclasses_send_no_type_event(host, worn_out, change):
    for name in "KL":
        host.c.assign_version_tag(worn_out[name])
    events = sorted({entry[1] for entry in host.run(change, worn_out, "T")})
    assert events == only_for(HOST.type_events_of_a_class is None, "K", "L")


def test_a_fresh_subclass_of_a_worn_out_class_sends_none_either(host, worn_out):
    exec("class M(K): pass", worn_out)
    host.watch_class(worn_out["M"])
    log = host.run("M.y = 1\nK.y = 1", worn_out, "T")
    assert keys_and_types(log)[:1] == only_for(HOST.type_events_of_a_class is None, ("TYPE", "M"))


def test_new_bases_of_a_worn_out_class_send_nothing_at_all(host, worn_out):
    for name in "KL":
        host.c.assign_version_tag(worn_out[name])
    log = host.run("K.__bases__ = (Q,)", worn_out, "DT")
    assert sorted({entry[1] for entry in log}) == only_for(HOST.type_events_of_a_class is None, "K", "L")
    worn_out["K"].__bases__ = (worn_out["P"],)


# --- death, static types --------------------------------------------------------------------------------------------


def test_a_class_that_dies_clears_its_dict_and_calls_its_weak_reference(host):
    names, called = module("class K: pass"), []
    cls = names["K"]
    host.watch_class(cls)
    addresses = {id(cls): "K", id(host.c.type_dict(cls)): "dict"}
    reference = weakref.ref(cls, lambda _: called.append("weakref"))
    gc.collect()
    with host.recording("DT") as log:
        del cls, names["K"]
        gc.collect()
    assert (reference(), called) == (None, ["weakref"])
    log = [(entry.event, addresses[entry.object]) for entry in log if entry.object in addresses]
    # One type event while it is cleared and, on 3.15, another when it is freed (gh-149216).
    at_dealloc = only_for(HOST.type_event_at_dealloc, "TYPE")
    assert [event for event, what in log if what == "dict"] == ["CLEARED", "DEALLOCATED"]
    assert [event for event, what in log if what == "K"] == ["TYPE", *at_dealloc]


STATIC = [int, object, dict, type(None), type]


def test_static_types_cannot_change_and_can_be_watched_all_the_same(host):
    for cls in STATIC:
        with pytest.raises(TypeError, match="immutable type"):
            cls.of_the_host = 1
        namespace = host.c.type_dict(cls)
        assert type(namespace) is dict
        assert host.c.dict_in_field(cls) is NULL, cls
        host.watch(namespace, cls)
        host.unwatch(namespace, cls)
