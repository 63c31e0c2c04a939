"""tp_subclasses, which CPython keeps for itself, shows at once that a class's MRO has changed."""

import ctypes
import gc
import weakref

import pytest
from versions import HOST
from watching import NULL, module

METH_NOARGS = 4


class MethodDef(ctypes.Structure):
    """PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("method", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


def method_table(cls):
    """(name, flags) of each method in PyTypeObject.tp_methods, which comes 27 words after the object's head."""
    first = ctypes.c_void_p.from_address(id(cls) + object.__basicsize__ + 27 * 8).value
    i = 0
    while (method := MethodDef.from_address(first + i * ctypes.sizeof(MethodDef))).name is not None:
        yield method.name.decode(), method.flags
        i += 1


FAMILY = """
class P: pass
class H: pass
class Q(P): pass
class R(Q): pass
class S(Q): pass
class T(R, S): pass
class StayP(P): pass
class StayS(S): pass
"""


@pytest.fixture
def family(host):
    """A namespace with the classes of FAMILY; the table of P is watched, the MROs of the others are compared."""
    names = module(FAMILY)
    host.watch(host.c.subclasses(names["P"]))
    host.c.keep(*(names[name] for name in "QRST"))
    yield names
    host.c.keep()


def events(host, change, names):
    """(event, key, which MROs of Q, R, S, T have been replaced) for each event of the tables that there are now."""
    tables = {id(host.c.subclasses(cls)) for cls in names.values() if isinstance(cls, type)}
    with host.recording() as log:
        exec(compile(change, "<host>", "exec"), names)
    return [
        (entry.event, entry.key, "".join(name for bit, name in enumerate("QRST") if entry.moved >> bit & 1))
        for entry in log
        if entry.object in tables
    ]


def test_the_table_of_a_heap_type_is_a_dict_of_weak_references_by_address(host, family):
    table = host.c.subclasses(family["P"])
    assert type(table) is dict
    found = {key: reference() for key, reference in table.items()}
    assert found == {id(cls): cls for cls in (family["Q"], family["StayP"])}
    assert host.c.subclasses(family["H"]) is NULL  # made for the first subclass


def test_a_class_that_leaves_is_deleted_when_all_mros_are_new(host, family):
    assert events(host, "Q.__bases__ = (H,)", family) == [("DELETED", id(family["Q"]), "QRST")]


def test_also_straight_after_a_modification_without_a_look_up(host, family):
    assert events(host, "Q.x = 1; Q.__bases__ = (H,)", family) == [("DELETED", id(family["Q"]), "QRST")]


def test_also_after_3000_modifications(host, family):
    cls = family["Q"]
    for i in range(3000):
        host.c.assign_version_tag(cls)
        cls.x = i
    assert events(host, "Q.__bases__ = (H,)", family) == [("DELETED", id(cls), "QRST")]


def test_also_one_of_several_bases(host, family):
    family["Q"].__bases__ = (family["H"], family["P"])
    host.c.keep(*(family[name] for name in "QRST"))
    assert events(host, "Q.__bases__ = (H,)", family) == [("DELETED", id(family["Q"]), "QRST")]


def test_also_a_base_of_a_subclass(host, family):
    host.watch(host.c.subclasses(family["S"]))
    assert events(host, "T.__bases__ = (R,)", family) == [("DELETED", id(family["T"]), "T")]


def test_a_change_of_order_deletes_and_adds(host, family):
    exec("class H2: pass\nT.__bases__ = (R,)\nQ.__bases__ = (H2, P)", family)
    host.c.keep(*(family[name] for name in "QRST"))
    q = id(family["Q"])
    assert events(host, "Q.__bases__ = (P, H2)", family) == [("DELETED", q, "QRST"), ("ADDED", q, "QRST")]


def test_an_assignment_of_the_same_bases_deletes_and_adds(host, family):
    q = id(family["Q"])
    assert events(host, "Q.__bases__ = (P,)", family) == [("DELETED", q, "QRST"), ("ADDED", q, "QRST")]


def test_refused_bases_put_the_mros_back_and_send_nothing(host, family):
    exec("class H2: pass\nQ.__bases__ = (H2, P)", family)
    host.c.keep(*(family[name] for name in "QRST"))
    # T has R's new order and S's old one to merge: CPython gives up half-way.
    assert events(host, "try: Q.__bases__ = (P, H2)\nexcept TypeError: refused = True", family) == []
    assert family["refused"]
    assert [event[::2] for event in events(host, "class New(P): pass", family)] == [("ADDED", "")]


def test_a_subclass_that_is_created_or_dies_changes_no_mro(host, family):
    assert [event[::2] for event in events(host, "class New(P): pass", family)] == [("ADDED", "")]
    new = id(family["New"])
    assert events(host, "del New; import gc; gc.collect()", family) == [("DELETED", new, "")]


def test_the_table_dies_when_the_last_subclass_leaves_and_the_next_gets_a_new_one(host):
    names = module("class P: pass\nclass Q(P): pass")
    address = id(host.watch(host.c.subclasses(names["P"])))
    gc.collect()
    with host.recording() as log:
        del names["Q"]
        gc.collect()
    assert [entry.event for entry in log if entry.object == address] == ["DELETED", "DEALLOCATED"]
    assert host.c.subclasses(names["P"]) is NULL
    exec("class R(P): pass", names)
    assert type(host.c.subclasses(names["P"])) is dict


def test_only_3_15_lets_a_class_leave_a_static_base(host):
    names = module("class M(list): pass\nclass O(M): pass")
    o, bases = names["O"], names["M"].__bases__
    try:
        o.__bases__ = bases
        o.__bases__ = (names["M"],)
        left = True
    except TypeError:
        left = False
    assert left is HOST.class_may_leave_static_base


def test_the_table_of_a_static_type_is_found_through_the_garbage_collector(host):
    """How ext/facet/bases.c finds it, in C: the dict that refers to the subclass's own weak reference."""
    names = module("class M(list): pass")
    cls = names["M"]
    reference = weakref.ref(cls)
    tables = [d for d in gc.get_referrers(reference) if type(d) is dict and d.get(id(cls)) is reference]
    assert len(tables) == 1
    host.watch(tables[0])
    host.c.keep(cls)
    if HOST.class_may_leave_static_base:
        names["N"] = type("N", (list,), {})
        with host.recording() as log:
            cls.__bases__ = (names["N"],)
        assert [(entry.event, entry.key, entry.moved) for entry in log] == [("DELETED", id(cls), 1)]
    host.c.keep()
    host.unwatch(tables[0])


def test_a_static_type_lists_its_subclasses_by_a_method_in_tp_methods():
    """How ext/facet/classes.c finds them: the field of `type` itself, which no program can reach."""
    methods = {
        name: flags for name, flags in method_table(type) if name in ("__subclasses__", "mro", "__instancecheck__")
    }
    assert methods["__subclasses__"] == METH_NOARGS
    assert set(methods) == {"__subclasses__", "mro", "__instancecheck__"}


def test_every_class_is_in_the_tables_of_all_its_bases():
    found, waiting = {object}, [object]
    while waiting:
        new = {cls for cls in type.__subclasses__(waiting.pop()) if cls not in found}
        found |= new
        waiting += new
    classes = {each for each in gc.get_objects() if issubclass(type(each), type)} | {int, type, BufferError, type(None)}
    assert classes <= found
    assert all(cls in type.__subclasses__(base) for cls in classes for base in cls.__bases__)


def test_what_is_frozen_is_visited_like_any_other_object_from_3_13_3_on(host):
    thing = [object()]
    assert host.c.visited(thing)
    gc.freeze()
    try:
        assert host.c.visited(thing) is HOST.visits_frozen
    finally:
        gc.unfreeze()
    assert host.c.visited(thing)
