"""Weak references of depwatch beside those of the program: CPython takes all of a dying object, then calls them."""

import gc
import weakref

import depwatch
from support import freeze, freeze_attribute, namespace, without_automatic_drain


class Value:
    pass


@without_automatic_drain
def test_a_callback_of_the_program_may_let_go_of_all_that_waited_for_the_value():
    for i in range(20):
        value, kept = Value(), {}
        kept["globals"] = namespace(X=value)
        kept["handle"] = freeze(kept["globals"], "X").commit()
        kept["globals"]["X"] = 1
        depwatch.drain()  # the old value is kept weakly from now on

        def callback(_, kept=kept):
            kept.pop("handle").release()
            kept.clear()
            depwatch.drain()

        reference = weakref.ref(value, callback)
        del value
        depwatch.drain()
        assert (reference(), kept) == (None, {})
        other = namespace(Y=i)
        handle = freeze(other, "Y").commit()
        assert handle.valid
        other["Y"] = -1
        assert not handle.valid


@without_automatic_drain
def test_a_callback_of_the_program_may_give_the_number_of_a_dying_class_away():
    for i in range(4):
        made = []
        cls = type("Class", (), {"attribute": 1})
        handle = freeze_attribute(cls, "attribute").commit()

        def callback(_, handle=handle, made=made):
            handle.release()
            depwatch.drain()
            for j in range(8):
                globals_ = namespace(X=j)
                made.append((globals_, freeze(globals_, "X").commit()))

        reference = weakref.ref(cls, callback)
        del cls
        gc.collect()
        depwatch.drain()
        assert (reference(), len(made)) == (None, 8)
        for globals_, other in made:
            assert other.valid, f"round {i}"
            globals_["X"] = -1
            assert not other.valid
            other.release()


def test_a_refused_look_up_keeps_no_dict():
    class Odd:
        def __hash__(self):
            return hash("X")

        def __eq__(self, other):
            return self is other

    value = Value()
    gone = weakref.ref(value)
    globals_ = {Odd(): 1, "X": 2, "value": value, "__builtins__": {}}
    for _ in range(3):
        try:
            depwatch.Recorder("r").read_global(globals_, "X")
        except depwatch.Unwatchable:
            pass
        else:
            raise AssertionError("not refused")
    del globals_, value
    gc.collect()
    depwatch.drain()
    gc.collect()
    assert gone() is None


def test_our_callback_does_nothing_when_the_program_calls_it():
    value = Value()
    globals_, owner = namespace(X=value), type("Owner", (), {"x": 1})
    handles = [freeze(globals_, "X").commit(), freeze_attribute(owner, "x").commit()]
    globals_["X"] = 1
    depwatch.drain()
    for ours in (weakref.getweakrefs(value)[-1], weakref.getweakrefs(owner)[-1]):
        for argument in (None, weakref.ref(Value), weakref.ref(owner)):
            ours.__callback__(argument)
    depwatch.drain()
    depwatch._core.check_index()
    globals_["X"] = value
    assert [handle.valid for handle in handles] == [True, True]
