"""Metaclasses: code that runs while an MRO is made, and who has no say in what is found."""

import inspect
import warnings
from pathlib import Path

import pytest

import depwatch
from claims import Claims, along_the_mro
from fuzz.keys import Key
from support import dependents, freeze_attribute, python, without_automatic_drain

PROGRAMS = Path(__file__).with_name("programs")

# --- code that runs while an MRO is made -----------------------------------------------------------------------------


class Interrupted(type):
    """Runs an action while the MRO of a class is computed."""

    actions = []

    def mro(cls):
        if Interrupted.actions:
            Interrupted.actions.pop()(cls)
        return super().mro()


@pytest.fixture
def interrupted():
    yield Interrupted.actions
    Interrupted.actions.clear()


class A:
    x = "a"


class B:
    x = "b"


class D:
    x = "d"


@without_automatic_drain
def test_a_change_of_bases_is_told_when_the_mros_of_all_subclasses_are_made(log, interrupted):
    """Not while a subclass computes its own in Python: that is the limit said in docs/host-contract.md."""

    class C(A):
        pass

    class Derived(C, metaclass=Interrupted):
        pass

    claims = Claims(log)
    own = claims.of_attribute(C, "x")
    interrupted.append(lambda cls: None)
    C.__bases__ = (B,)
    assert not interrupted
    claims.changed(own)


@pytest.mark.parametrize("earlier", [False, True], ids=["", "claimed before"])
@without_automatic_drain
def test_what_is_claimed_during_a_change_of_bases_is_not_stale_when_it_is_undone(log, interrupted, earlier):
    class C(A):
        pass

    class Derived(C, metaclass=Interrupted):
        pass

    claims = Claims(log)
    if earlier:
        claims.of_attribute(C, "x")

    def claim_and_fail(cls):
        recorder = depwatch.Recorder("inside")
        try:
            value = recorder.read_type_attr(C, "x")
            inside.append(log.commit(recorder, value))
        except (depwatch.Unwatchable, depwatch.Stale):
            pass  # fine, too
        raise ZeroDivisionError

    inside = []
    interrupted.append(claim_and_fail)
    with pytest.raises(ZeroDivisionError):
        C.__bases__ = (B,)
    assert along_the_mro(C, "x") == "a"
    depwatch.drain()
    # What was known before was not looked up anew; what was not is refused meanwhile.
    assert [(handle.valid, handle.artifact) for handle in inside] == [(True, "a")] * earlier
    assert [claim.handle.valid for claim in claims.all] == [True] * earlier
    assert depwatch.Recorder("r").read_type_attr(C, "x") == "a"


@without_automatic_drain
def test_bases_assigned_by_a_key_that_is_hashed_during_the_look_up_are_seen(log):
    key = Key()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 3.13+ warns of a key that is no str
        C = type("C", (A,), {key: 1})
    key.on_hash.append(lambda: setattr(C, "__bases__", (B,)))
    recorder = depwatch.Recorder("r")
    value = recorder.read_type_attr(C, "x")
    assert not key.on_hash
    handle = log.commit(recorder)
    assert (value, handle.valid) == (along_the_mro(C, "x"), True)


@pytest.mark.parametrize("use", [
    "recorder.read_type_attr(cls, 'x')", "recorder.depend_on(cls)", "recorder.value_cell(cls, 'x', 'object')",
    "recorder.guard_cell(cls, 'x')", "depwatch.subscribe(print, cls, 'x')", "depwatch.subscribe(print, cls)",
    "depwatch.id_of(cls)", "depwatch.dependents(cls)",
])  # fmt: skip
def test_a_class_that_has_no_mro_yet_is_refused_or_harmless(use):
    assert python(PROGRAMS / "no_mro_yet.py", use) == "alive\n"


# --- who is asked ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("read", ["read_type_attr", "depend_on"])
@without_automatic_drain
def test_a_metaclass_that_lies_is_not_asked(log, read):
    class Lying(type):
        __flags__ = inspect.TPFLAGS_IS_ABSTRACT | 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE
        __mro__ = ()

        @property
        def __dict__(cls):
            raise AssertionError("asked")

        def __getattribute__(cls, name):
            raise AssertionError(f"asked for {name}")

    class C(metaclass=Lying):
        x = 1

    recorder = depwatch.Recorder("r")
    getattr(recorder, read)(C, *(["x"] if read == "read_type_attr" else []))
    handle = log.commit(recorder)
    assert dependents(C, "x") == {handle.id}
    type.__setattr__(C, "x", 2)
    assert not handle.valid
    ((state, _),) = log.drained()
    assert state == ("invalidated" if read == "read_type_attr" else "retired")
    assert "C" in depwatch.explain(handle)


@without_automatic_drain
def test_a_class_whose_dict_was_copied_from_that_of_an_instance_is_watched(log):
    """The copy may share keys and be split like that of an instance; but stores to a class are told on 3.13.0, too."""

    class Instance:
        def __init__(self):
            self.x = 1

    C = type("C", (), vars(Instance()))
    handle = log.commit(freeze_attribute(C, "x"))
    C.x = 2
    assert (handle.broken, log.drained()) == (1, [("invalidated", "frozen")])
    C.x = 1
    assert (handle.valid, log.drained()) == (True, [("resumed", "frozen")])


def test_classes_whose_metaclass_has_an_mro_of_its_own_are_refused():
    """It runs in the middle of a change of bases and may change them itself, which could not be told in time.

    The inner assignment finds the class in no table but that of its oldest base, which it then never leaves.
    """

    class Odd(metaclass=Interrupted):
        x = 1

    for cls in (Odd, type("Derived", (Odd,), {})):
        for use in (lambda r, c: r.read_type_attr(c, "x"), lambda r, c: r.depend_on(c)):
            with pytest.raises(depwatch.Unwatchable, match=r"metaclass Interrupted has an mro\(\) of its own"):
                use(depwatch.Recorder("r"), cls)


# --- what has no say, and what has no event --------------------------------------------------------------------------


@without_automatic_drain
def test_the_class_of_instances_and_the_metaclass_have_no_say_in_the_mro(log):
    class Plain(type):
        pass

    class Meta(type):
        x = "meta"

        def __getattr__(cls, name):
            return "made up"

        def __getattribute__(cls, name):
            return "meta" if name == "x" else super().__getattribute__(name)

    class C(metaclass=Plain):
        x = "c"

        def __getattr__(self, name):
            return "made up"

    class D(metaclass=Plain):
        x = "d"

    claims = Claims(log)
    claims.of_attribute(C, "x")
    claims.of_attribute(D, "x")
    obj = C()
    obj.__class__ = D
    obj.x = "of the instance"
    C.__class__ = Meta
    assert (C.x, C().x, D.x) == ("meta", "c", "d")
    claims.unchanged()
    with pytest.raises(AttributeError):
        depwatch.Recorder("r").read_type_attr(C, "made_up")
    Meta.x = "other"
    del Meta.__getattribute__
    C.__class__ = Plain
    claims.unchanged()
    with pytest.raises(depwatch.Unwatchable, match="metaclass"):
        depwatch.Recorder("r").read_attr(C, "x")
