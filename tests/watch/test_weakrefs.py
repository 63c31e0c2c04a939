"""Weak references of depwatch's own: CPython calls those of a dying object one after the other, whatever each has done."""

import weakref

import pytest

import depwatch
from support import freeze, freeze_attribute, namespace, python


class Value:
    pass


class Keep:
    """What a callback lets go of."""


@pytest.mark.parametrize("again", [False, True], ids=["freed", "used anew"])
def test_a_program_that_lets_a_facet_go_as_its_value_dies_changes_no_other(again):
    others = []
    for _ in range(50):
        value, keep = Value(), Keep()
        keep.space = namespace(X=value)
        keep.handle = freeze(keep.space, "X").commit()
        keep.space["X"] = 1
        depwatch.drain()  # from now on there is a weak reference

        def called(_, keep=keep):
            keep.handle.release()
            del keep.space, keep.handle
            depwatch.drain()
            if again:
                others.extend((space, freeze(space, "Y").commit()) for space in (namespace(Y=1), namespace(Y=2)))

        weak = weakref.ref(value, called)
        del value
        assert weak() is None
        depwatch.drain()
        depwatch._core.check_index()
        space = namespace(Y=0)
        others.append((space, freeze(space, "Y").commit()))
    for space, handle in others:
        assert handle.valid
        space["Y"] = -1
        assert not handle.valid
    assert not any(hasattr(keep, name) for name in ("space", "handle"))


@pytest.mark.parametrize("again", [False, True], ids=["freed", "used anew"])
def test_a_program_that_lets_a_class_go_as_it_dies_changes_no_other_object(again):
    python(f"""
        import gc, weakref, depwatch
        others = []

        def rely():
            space = {{"Y": 1}}
            recorder = depwatch.Recorder("other")
            recorder.read_global(space, "Y")
            others.append((space, recorder.commit()))

        def once():
            class Type: attribute = 1
            recorder = depwatch.Recorder("r")
            recorder.read_type_attr(Type, "attribute")
            handle = recorder.commit()
            def called(_):
                handle.release()
                depwatch.drain()
                for _ in range(8 if {again} else 0):
                    rely()
            weak = weakref.ref(Type, called)
            del Type, recorder
            gc.collect()
            assert weak() is None
            depwatch.drain()
            depwatch._core.check_index()

        for _ in range(10):
            once()
            for _ in range(10):
                rely()
        for space, handle in others:
            assert handle.valid, handle
            space["Y"] = -1
            assert not handle.valid, handle
        """)


@pytest.mark.parametrize("kind", ["value", "class"])
def test_our_callback_does_nothing_when_the_program_calls_it(kind):
    value = Value()
    space, owner = namespace(X=value), type("Owner", (), {"x": 1})
    handles = [freeze(space, "X").commit(), freeze_attribute(owner, "x").commit()]
    space["X"] = 1
    depwatch.drain()
    (ours,) = weakref.getweakrefs(value if kind == "value" else owner)[-1:]
    for argument in (None, weakref.ref(Value), weakref.ref(owner)):
        ours.__callback__(argument)
    depwatch.drain()
    depwatch._core.check_index()
    space["X"] = value
    assert [handle.valid for handle in handles] == [True, True]
