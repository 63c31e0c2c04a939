"""Dicts of instances, of classes and of locals: what looks like a namespace and is refused, or right."""

import builtins
import collections
import sys
import types

import pytest

import depwatch
from claims import Claims
from host.versions import MISSES_INSTANCE_STORES
from support import UNKNOWN, without_automatic_drain

# --- what looks like a namespace -------------------------------------------------------------------------------------


def test_a_view_of_a_namespace_is_refused_because_it_is_no_dict():
    class C:
        x = 1

    for view in (vars(C), types.MappingProxyType({"x": 1})):
        for read in (depwatch.Recorder("r").depend_on, depwatch.id_of):
            with pytest.raises(depwatch.Unwatchable, match="mappingproxy"):
                read(view)
        with pytest.raises(TypeError, match="mappingproxy"):
            depwatch.Recorder("r").read_global(view, "x")


@without_automatic_drain
def test_the_locals_of_a_function_are_a_dict_like_any_other_or_refused(log):
    claims = Claims(log)

    def function():
        x = 1
        snapshot = locals()
        snapshot["__builtins__"] = {}
        claims.of_global(snapshot, "x")
        x = 2
        locals()  # on 3.12 this stores x into the same dict
        claims.settled()
        sys._getframe().f_locals["x"] = 3
        claims.settled()
        snapshot["x"] = 4
        claims.settled()
        return x

    function()
    (claim,) = claims.all
    assert (claim.truth(), claim.handle.broken) == (4, 1)
    frame_locals = (lambda captured: sys._getframe().f_locals)(1)
    if type(frame_locals) is not dict:
        with pytest.raises(TypeError, match="FrameLocalsProxy"):
            depwatch.Recorder("r").read_global(frame_locals, "captured")


@without_automatic_drain
def test_the_namespace_of_a_class_body_is_another_dict_than_that_of_the_class(log):
    claims = Claims(log)

    class C:
        x = 1
        __builtins__ = builtins
        claims.of_global(locals(), "x")
        exec("x = 2")
        claims.changed(*claims.all)
        exec("x = 1")
        claims.restored(*claims.all)

    C.x = 3
    assert (claims.settled(), C.x) == ([], 3)


class Instance:
    def __init__(self):
        self.X = "old"
        self.Y = 1
        self.__builtins__ = {}


INSTANCE_CHANGES = {
    "store": lambda obj: setattr(obj, "X", 2),
    "object.__setattr__": lambda obj: object.__setattr__(obj, "X", 2),
    "delete": lambda obj: delattr(obj, "X"),
    "in the dict": lambda obj: vars(obj).update(X=2),
    "hot loop": lambda obj: [setattr(obj, "X", i) for i in range(100)],
    "growing": lambda obj: [setattr(obj, name, 2) for name in ("X", *(f"n{i}" for i in range(50)))],
}


@pytest.mark.parametrize("change", INSTANCE_CHANGES.values(), ids=INSTANCE_CHANGES)
@without_automatic_drain
def test_a_dict_of_an_instance_is_refused_where_stores_through_it_are_not_told(log, change):
    obj = Instance()
    claims = Claims(log)
    if MISSES_INSTANCE_STORES:
        for read, arguments in (("read_global", ("X",)), ("depend_on", ()), ("value_cell", ("X", "object"))):
            with pytest.raises(depwatch.Unwatchable, match="gh-125608"):
                getattr(depwatch.Recorder("r"), read)(vars(obj), *arguments)
        return
    claim = claims.of_global(vars(obj), "X")
    change(obj)
    claims.changed(claim)
    obj.X = "old"
    claims.restored(claim)


@pytest.mark.skipif(MISSES_INSTANCE_STORES, reason="there the dict is refused: see the test before")
@pytest.mark.parametrize("give_up", [
    lambda obj: setattr(obj, "__dict__", {}), lambda obj: delattr(obj, "__dict__"),
], ids=["=", "del"])  # fmt: skip
@without_automatic_drain
def test_the_dict_that_an_instance_gave_up_is_still_what_it_is(log, give_up):
    obj = Instance()
    mapping = vars(obj)
    claims = Claims(log)
    claim = claims.of_global(mapping, "X")
    give_up(obj)
    obj.X = "of the new dict"
    claims.unchanged()
    del obj
    claims.unchanged()
    mapping["X"] = 2
    claims.changed(claim)


def test_an_instance_attribute_is_refused_whatever_the_object_has_for_a_dict():
    class Slotted:
        __slots__ = ("x",)

    slotted = Slotted()
    slotted.x = 1
    for obj in (Instance(), slotted, types.SimpleNamespace(X=1), ValueError()):
        with pytest.raises(depwatch.Unwatchable, match="instance attribute"):
            depwatch.Recorder("r").read_attr(obj, "X")


@without_automatic_drain
def test_missing_makes_no_entry_and_so_no_event(log):
    class Computed(dict):
        def __missing__(self, key):
            return "computed"

    mapping = Computed(X=1)
    subscription = depwatch.subscribe(log.event, mapping, "X", "Y")
    assert (mapping["Y"], log.drained()) == ("computed", [])
    del mapping["X"]
    assert (mapping["X"], log.drained()) == ("computed", [("DELETED", "X", 1, UNKNOWN)])
    with pytest.raises(depwatch.Unwatchable, match="exact dict"):
        depwatch.Recorder("r").read_global(mapping, "Y")
    subscription.cancel()


# --- whole dicts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mapping, change", [
    (collections.OrderedDict(a=1, b=2), lambda d: d.move_to_end("a")),
    (collections.defaultdict(int), lambda d: setattr(d, "default_factory", list)),
], ids=["OrderedDict", "defaultdict"])  # fmt: skip
@without_automatic_drain
def test_a_whole_dict_with_state_that_sends_no_event_is_refused(log, mapping, change):
    """Its keys may be subscribed to: a change of an item sends an event as in any dict."""
    with pytest.raises(depwatch.Unwatchable, match=r"subclass of dict.*depend on"):
        depwatch.Recorder("r").depend_on(mapping)
    subscriptions = [depwatch.subscribe(log.event, mapping), depwatch.subscribe(log.event, mapping, "a")]
    change(mapping)
    assert log.drained() == []
    mapping["a"] = 5
    assert len(log.drained()) == 2
    for subscription in subscriptions:
        subscription.cancel()
