"""Classes: every route to one, stores that fail, providers that move, subclasses that die."""

import functools
import gc
import operator

import pytest
from classes import dict_of, family

import depwatch
from claims import Claims, along_the_mro
from fuzz.keys import Text
from support import UNKNOWN, dependents, freeze_attribute, without_automatic_drain

# --- all routes to a class -------------------------------------------------------------------------------------------


class Guarded(type):
    """A metaclass that is asked first, and passes on."""

    def __setattr__(cls, name, value):
        super().__setattr__(name, value)

    def __delattr__(cls, name):
        super().__delattr__(name)


STORES = {
    "type.__setattr__": lambda cls: type.__setattr__(cls, "x", "new"),
    "metaclass": lambda cls: setattr(cls, "x", "new"),
    "a name that is not interned": lambda cls: setattr(cls, "".join(["x"]), "new"),
    "a str subclass": lambda cls: setattr(cls, Text("x"), "new"),
    "the dict itself": lambda cls: operator.setitem(dict_of(cls), "x", "new"),
    "the dict itself, by a str subclass": lambda cls: operator.setitem(dict_of(cls), Text("x"), "new"),
    "the dict itself, update": lambda cls: dict_of(cls).update(x="new"),
    "a method": lambda cls: cls.store(),
    "super of a class method": lambda cls: cls.remote(),
}


def leaves_a_subclass(route, which):
    """Whether the new key may cease to be the name: such a name is given up."""
    return (route, which) == ("the dict itself, by a str subclass", "in front")


@pytest.mark.parametrize("route, store", STORES.items(), ids=STORES)
@pytest.mark.parametrize("which", ["there", "in front"])
@without_automatic_drain
def test_every_route_to_a_class_is_seen(log, route, store, which):
    class Base(metaclass=Guarded):
        x = "old"

        @classmethod
        def store(cls):
            cls.x = "new"

        @classmethod
        def remote(cls):
            functools.partial(setattr, cls, "x")("new")

    class Derived(Base):
        pass

    claims = Claims(log)
    base, derived = claims.of_attribute(Base, "x"), claims.of_attribute(Derived, "x")
    if which == "there":
        store(Base)
        claims.changed(base, derived)
        Base.x = "old"
        claims.restored(base, derived)
        del Base.x
        claims.changed(base, derived)
    else:
        store(Derived)
        if leaves_a_subclass(route, which):
            assert (derived.handle.retired, derived.guard.holds, derived.cell.value) == (True, False, UNKNOWN)
            return
        claims.changed(derived)
        del Derived.x
        claims.restored(derived)


@without_automatic_drain
def test_a_store_or_delete_that_fails_changes_nothing(log):
    class Meta(type):
        def __setattr__(cls, name, value):
            raise AttributeError(name)

    class Refusing(metaclass=Meta):
        x = 1

    Root, Base, *_ = family()
    claims = Claims(log)
    for cls in (Refusing, Root, Base):
        claims.of_attribute(cls, "x")
    for change in (
        lambda: setattr(Refusing, "x", 2), lambda: delattr(Base, "x"), lambda: delattr(Root, "nope"),
        lambda: setattr(Base, "__bases__", (Base,)), lambda: setattr(Root, "__bases__", (Base,)),
        lambda: setattr(Base, "__bases__", (int,)), lambda: delattr(Base, "__bases__"),
        lambda: setattr(Base, "__bases__", ()), lambda: setattr(Base, "__class__", int),
    ):  # fmt: skip
        with pytest.raises((AttributeError, TypeError)):
            change()
    claims.unchanged()


@without_automatic_drain
def test_the_provider_moves_up_and_down_the_mro(log):
    class Top:
        pass

    class Left(Top):
        pass

    class Right(Top):
        pass

    class Bottom(Left, Right):
        pass

    value, chain = object(), [Bottom, Left, Right, Top]
    Top.x = value
    claims = Claims(log)
    bottom, left, right, top = (claims.of_attribute(cls, "x") for cls in chain)
    for cls, concerned in ((Right, [bottom, right]), (Left, [bottom, left]), (Bottom, [bottom])):
        cls.x = "moved down"
        claims.changed(*concerned)
        cls.x = value  # provided by another class now, and the same object
        claims.restored(*concerned)
        Top.x = "behind"
        told = {claim for claim in claims.all if not claim.handle.valid}
        assert top in told
        assert not told & set(concerned)
        claims.settled()
        Top.x = value
        claims.settled()
        del cls.x
        assert claims.settled() == []
        assert all(claim.handle.valid for claim in claims.all)
    Right.x = "right"
    claims.changed(bottom, right)
    Bottom.__bases__ = (Right, Left)
    assert claims.settled() == []
    Bottom.__bases__ = (Left,)
    claims.restored(bottom)
    Left.__bases__ = (Right,)
    claims.changed(bottom, left)
    del Right.x
    claims.restored(bottom, left, right)


@without_automatic_drain
def test_what_is_found_in_an_immutable_type_is_replaced_by_a_class_in_front(log):
    import array
    import functools
    import io

    for base, name in ((list, "append"), (dict, "get"), (functools.partial, "__call__"), (io.BytesIO, "read"),
                       (array.array, "append"), (ValueError, "__init__"), (type, "mro")):  # fmt: skip

        class Middle(base):
            pass

        class Leaf(Middle):
            pass

        claims = Claims(log)
        claim = claims.of_attribute(Leaf, name)
        assert claim.value is getattr(base, name) or claim.value is along_the_mro(base, name)
        setattr(Middle, name, None)
        claims.changed(claim)
        delattr(Middle, name)
        claims.restored(claim)
        with pytest.raises(TypeError, match="immutable"):
            setattr(base, name, None)
        claims.unchanged()
        log.clear()
        claim.handle.release()


def test_the_names_of_a_class_are_not_found_along_the_mro_and_refused():
    class C:
        pass

    for name in ("__name__", "__qualname__", "__bases__", "__mro__"):
        with pytest.raises(depwatch.Unwatchable, match=f"{name}.*metaclass"):
            depwatch.Recorder("r").read_attr(C, name)
        # CPython 3.13+ does not report a change of the first two, which are nowhere along the MRO.
        error = depwatch.Unwatchable if name in ("__name__", "__qualname__") else AttributeError
        for read, arguments in (("read_type_attr", ()), ("value_cell", ("object",)), ("guard_cell", ())):
            with pytest.raises(error, match=name):
                getattr(depwatch.Recorder("r"), read)(C, name, *arguments)
    for name in ("__name__", "__qualname__"):
        with pytest.raises(depwatch.Unwatchable, match=f"{name}.*no change"):
            depwatch.subscribe(print, C, name)


@without_automatic_drain
def test_a_name_of_a_class_found_along_the_mro_is_an_attribute_like_any_other(log):
    class C:
        __name__ = property(lambda self: "of the instance")

    class Meta(type):
        pass

    claims = Claims(log)
    for cls in (C, Meta):  # classes find theirs in type
        claims.of_attribute(cls, "__name__")
    subscription = depwatch.subscribe(log.event, Meta, "__name__")
    Meta.__name__ = "Renamed"
    claims.unchanged()
    subscription.cancel()
    assert dependents(int, "__name__") == set()
    with pytest.raises(AttributeError, match="__name__"):
        depwatch.Recorder("r").read_type_attr(int, "__name__")


def test_the_names_of_a_function_are_refused_by_everything_that_could_listen(log):
    for name in ("name", "qualname"):
        with pytest.raises(depwatch.Unwatchable, match=f"{name}.*no change"):
            depwatch.Recorder("r").read_function(family, name)
        with pytest.raises(depwatch.Unwatchable, match=f"{name}.*no change"):
            depwatch.subscribe(log.event, family, name)


@without_automatic_drain
def test_a_renamed_class_is_the_same_class(log):
    class C:
        x = 1

    claims = Claims(log)
    claim = claims.of_attribute(C, "x")
    number = depwatch.id_of(C)
    C.__name__ = C.__qualname__ = "Renamed"
    C.__doc__, C.__module__ = "documented", "elsewhere"
    assert depwatch.id_of(C) == number
    claims.unchanged()
    C.x = 2
    claims.changed(claim)
    assert "Renamed" in depwatch.explain(claim.handle)


# --- classes that come and go ----------------------------------------------------------------------------------------


@without_automatic_drain
def test_subclasses_that_die_while_watched_take_their_claims_and_no_others(log):
    class Base:
        x = 1

    gc.collect()
    log.drained()
    before = depwatch.stats()
    handles, addresses = {}, set()
    base = log.commit(freeze_attribute(Base, "x", name="base"))
    for i in range(6):
        Derived = type("Derived", (Base,), {"y": i})
        addresses.add(id(Derived))
        handles[i] = log.commit(freeze_attribute(Derived, "x", "y", name=f"derived {i}"))
        assert handles[i].valid
        del Derived
        gc.collect()
        assert handles[i].retired
        assert log.drained() == [("retired", f"derived {i}")]
        handles[i].release()
    assert len(addresses) < 6  # or no address was reused
    assert base.valid
    base.release()
    after = depwatch.stats()
    assert [after[name] - before[name] for name in ("objects", "facets", "handles", "dependencies")] == [0, 0, 0, 0]
