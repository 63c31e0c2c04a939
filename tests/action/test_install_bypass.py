"""install() finds the classes by which CPython would pass an entry by: all of them, by looking at classes alone."""

import abc
import enum
import gc
import sys
import types

import pytest
from installing import OWN, make, optimized, reading_x

import depwatch
from depwatch import Unwatchable
from support import python

VERSION = sys.version_info[:2]
BY_INIT = VERSION != (3, 12)
BY_GETTER = VERSION not in ((3, 12), (3, 13), (3, 15))  # and what comes later, until it was looked at


@pytest.fixture
def handle(log):
    return reading_x(log)


def check(function, handle, passes, what="is an __init__"):
    """It is refused if CPython passes entries by there, and installed if not."""
    if passes:
        with pytest.raises(Unwatchable, match=what):
            depwatch.install(function, optimized, handle)
        assert function(1) == OWN
    else:
        assert depwatch.install(function, optimized, handle).remove()


class Plain:
    pass


class Mixin:
    pass


class Meta(type):
    pass


def deep(cls, n):
    for i in range(n):
        cls = type(f"Deep{i}", (cls,), {})
    return cls


def of_a_dead_first_base():
    class First:
        pass

    cls = type("Moved", (First, Mixin), {})
    cls.__bases__ = (Mixin, Plain)
    return cls


CLASSES = {
    "a class": lambda: type("C", (), {}),
    "a subclass of a class": lambda: type("C", (Plain,), {}),
    "200 classes down": lambda: deep(Plain, 200),
    "of two bases": lambda: type("C", (Plain, Mixin), {}),
    "of a class of two bases": lambda: type("D", (type("C", (Mixin, Plain), {}),), {}),
    "whose bases were assigned": of_a_dead_first_base,
    "with slots": lambda: type("C", (), {"__slots__": ("x",)}),
    "an exception": lambda: type("C", (BufferError,), {}),
    "of a static type and another": lambda: type("C", (Mixin, dict), {}),
    "a metaclass": lambda: type("C", (type,), {}),
    "of a metaclass": lambda: Meta("C", (), {}),
    "an abstract class": lambda: abc.ABCMeta("C", (abc.ABC,), {}),
    "an enumeration": lambda: enum.Enum("C", "A B"),
    "of a generic class": lambda: types.new_class("C", (list[int],)),
}


@pytest.mark.parametrize("kind", CLASSES)
def test_a_function_that_any_class_has_as_init_is_refused(handle, kind):
    cls, function = CLASSES[kind](), make()
    check(function, handle, passes=False)
    cls.__init__ = function
    check(function, handle, passes=BY_INIT)
    del cls.__init__
    check(function, handle, passes=False)


@pytest.mark.parametrize("kind", CLASSES)
def test_the_getter_of_a_property_of_any_class_is_refused(handle, kind):
    cls, function = CLASSES[kind](), make()
    cls.p = property(function)
    check(function, handle, BY_GETTER, "is the getter of a property")
    del cls.p
    check(function, handle, passes=False)


def test_a_class_that_is_made_with_the_function_as_init_is_refused(handle):
    function, name = make(), "".join(["__in", "it__"])
    assert name is not sys.intern("__init__")
    classes = [type("C", (), {name: function})]
    check(function, handle, passes=BY_INIT)
    assert classes


def test_a_function_is_refused_by_its_name_before_a_class_has_it(handle):
    by_name, by_code = make(), make()
    by_name.__name__ = "__init__"
    by_code.__code__ = by_code.__code__.replace(co_name="__init__")
    for function in (by_name, by_code):
        check(function, handle, passes=BY_INIT)


def test_a_frozen_class_is_seen(handle):
    function, getter = make(), make()
    classes = [type("C", (), {"__init__": function, "p": property(getter)})]
    gc.collect()
    gc.freeze()
    try:
        check(function, handle, passes=BY_INIT)
        check(getter, handle, BY_GETTER, "is the getter of a property")
    finally:
        gc.unfreeze()
    assert classes


def test_what_no_class_has_is_installed(handle):
    """A dict that looks like a class's, a property in no class: of a class that gets it later nothing is known."""
    function = make()
    others = [{"__init__": function}, property(function), types.SimpleNamespace(__init__=function)]
    check(function, handle, passes=False)
    assert others


def test_other_places_in_a_class_are_no_bypass(handle):
    function = make()

    class Property(property):
        pass

    class C:
        init = function
        __call__ = function
        written = property(lambda self: 1, function, function)
        derived = Property(function)
        static, of_class = staticmethod(function), classmethod(function)
        inside = {"__init__": function}

    check(function, handle, passes=False)
    assert C.init is function


def test_a_class_whose_bases_are_being_assigned_is_seen(handle):
    """In the middle it is in the tables of its old bases only, and its bases are the new ones."""
    function, refused = make(), []

    class Asks(type):
        ask = False

        def mro(cls):
            if Asks.ask:
                try:
                    depwatch.install(function, optimized, handle).remove()
                except Unwatchable:
                    refused.append(cls.__name__)
            return super().mro()

    class Old:
        pass

    class New:
        pass

    class C(Old, metaclass=Asks):
        pass

    class D(C, Mixin):
        __init__ = function

    Asks.ask = True
    C.__bases__ = (New,)
    Asks.ask = False
    assert refused == (["C", "D"] if BY_INIT else [])
    assert D.__mro__ == (D, C, New, Mixin, object)


def test_a_dead_class_is_no_bypass(handle):
    function = make()
    cls = type("C", (Plain, Mixin), {"__init__": function})
    check(function, handle, passes=BY_INIT)
    del cls
    gc.collect()
    check(function, handle, passes=False)


def test_no_code_of_the_program_runs(handle):
    """Neither of metaclasses nor of keys, though one has the hash of __init__."""
    ran, function = [], make()

    class Loud(type):
        def told(self, *args):
            ran.append(self.__class__)
            raise RuntimeError

        __getattribute__ = __eq__ = __hash__ = __subclasses__ = __instancecheck__ = __subclasscheck__ = told

    class Key(str):
        def __hash__(self):
            ran.append("hash")
            return str.__hash__(self)

        def __eq__(self, other):
            ran.append("eq")
            return False

    class LoudProperty(property):
        def __getattribute__(self, name):
            ran.append(name)

    quiet = type("Quiet", (), {Key("__init__"): 1, Key("x"): 2, "p": LoudProperty(function)})
    loud = Loud("Loudly", (quiet,), {"__init__": len})
    ran.clear()
    assert depwatch.install(function, optimized, handle).remove()
    assert ran == []
    assert loud is not quiet


def test_a_key_that_may_be_init_is_taken_for_it(handle):
    class Key(str):
        __slots__ = ()

        def __hash__(self):
            return hash("__init__")

        def __eq__(self, other):
            return other in ("__init__", "key")

    function = make()
    classes = [type("C", (), {Key("key"): function})]
    check(function, handle, passes=BY_INIT)
    assert classes


def test_a_program_may_replace_gc_and_what_is_in_it():
    printed = python("""
        import gc, sys, builtins
        import depwatch

        def wrong(*args):
            print("called")
            return 5

        class C:
            def __init__(self): pass

        RATE = 1
        def price(x): return x * RATE
        def install(function):
            recorder = depwatch.Recorder("price")
            recorder.read_global(globals(), "RATE")
            try:
                return depwatch.install(function, lambda x: "optimized", recorder.commit())
            except depwatch.Unwatchable:
                return "refused"

        for name in ("get_referrers", "get_objects", "get_referents", "is_tracked"):
            setattr(gc, name, wrong)
        entry = install(price)
        print(price(1), entry.remove(), end=" ")
        sys.modules["gc"] = 5
        entry = install(price)
        print(price(1), entry.remove(), end=" ")
        del sys.modules["gc"], gc
        builtins.__import__ = wrong
        entry = install(price)
        print(price(1), entry.remove(), price(1), end=" ")
        print(install(C.__init__) == "refused")
        """)
    assert printed == f"optimized True optimized True optimized True 1 {BY_INIT}\n"


def test_a_program_may_tamper_with_the_dict_of_type():
    """As some libraries do, through what the garbage collector knows."""
    printed = python("""
        import gc
        import depwatch

        class C: pass
        def function(x): return "own"
        C.__init__ = function
        names = {"X": 1}
        recorder = depwatch.Recorder("r")
        recorder.read_global(names, "X")
        handle = recorder.commit()
        (real,) = (each for each in gc.get_referents(type.__dict__) if "__subclasses__" in each)
        before = real["__subclasses__"]
        real["__subclasses__"] = lambda cls: 5
        try:
            try:
                depwatch.install(function, len, handle)
                print("installed")
            except depwatch.Unwatchable:
                print("refused")
        finally:
            real["__subclasses__"] = before
        """)
    assert printed == ("refused\n" if BY_INIT else "installed\n")
