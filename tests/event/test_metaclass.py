"""Metaclasses: code that runs while an MRO is made, and who has no say in what is found."""

import abc
import inspect
import warnings

import pytest

import depwatch
from claims import Claims, along_the_mro
from support import UNKNOWN, dependents, freeze_attribute, python, without_automatic_drain

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
def test_classes_whose_bases_may_be_assigned_while_they_are_assigned_are_refused(log):
    """The inner assignment finds the class in no table but that of its oldest base, which it then never leaves: so such
    classes are refused."""

    class C(A, metaclass=Interrupted):
        pass

    class Derived(C):
        pass

    for cls in (C, Derived):
        with pytest.raises(depwatch.Unwatchable, match=r"an mro\(\) of its own"):
            Claims(log).of_attribute(cls, "x")


@without_automatic_drain
def test_what_is_looked_up_along_bases_is_given_up_before_a_subclass_runs_its_mro(log, interrupted):
    class C(A):
        pass

    class Derived(C, metaclass=Interrupted):
        pass

    claims = Claims(log)
    own = claims.of_attribute(C, "x")
    states = []
    interrupted.append(lambda cls: states.append((own.handle.retired, own.guard.holds, own.cell.value)))
    C.__bases__ = (B,)
    assert states == [(True, False, UNKNOWN)]
    assert log.drained() == [("retired", "C.x 0")]


def fail(cls):
    raise ZeroDivisionError


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
    # What was claimed before may be right again, but nothing tells; more is refused meanwhile.
    assert inside == []
    assert [claim.handle.retired for claim in claims.all] == [True] * earlier
    assert depwatch.Recorder("r").read_type_attr(C, "x") == "a"


@without_automatic_drain
def test_a_look_up_along_the_mro_asks_no_key_of_a_class(log):
    class Meddler:
        armed = False

        def __hash__(self):
            assert not Meddler.armed
            return 1

        def __eq__(self, other):
            assert not Meddler.armed
            return self is other

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 3.13+ warns of a key that is no str
        C = type("C", (A,), {Meddler(): 1})
    Meddler.armed = True
    recorder = depwatch.Recorder("r")
    value = recorder.read_type_attr(C, "x")
    handle = log.commit(recorder)
    Meddler.armed = False
    assert (value, handle.valid) == (along_the_mro(C, "x"), True)


@pytest.mark.parametrize("use", [
    "recorder.read_type_attr(cls, 'x')", "recorder.depend_on(cls)", "recorder.value_cell(cls, 'x', 'object')",
    "recorder.guard_cell(cls, 'x')", "depwatch.subscribe(print, cls, 'x')", "depwatch.subscribe(print, cls)",
    "depwatch.id_of(cls)", "depwatch.dependents(cls)",
])  # fmt: skip
def test_a_class_that_has_no_mro_yet_is_refused_or_harmless(use):
    script = """
        import depwatch

        class Meta(type):
            def mro(cls):
                recorder = depwatch.Recorder("r")
                try:
                    USE
                except depwatch.Unwatchable as error:
                    assert "MRO" in str(error) or "mro" in str(error), error
                return super().mro()

        class C(metaclass=Meta):
            x = 1

        C.x = 2
        depwatch.drain()
        print("alive")
        """
    assert python(script.replace("USE", use)) == "alive\n"


# --- who is asked ----------------------------------------------------------------------------------------------------


@without_automatic_drain
def test_a_metaclass_that_lies_about_flags_or_mro_is_not_asked(log):
    class Lying(type):
        __flags__ = inspect.TPFLAGS_IS_ABSTRACT | 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE
        __mro__ = ()

    class C(metaclass=Lying):
        x = 1

    for read in ("read_type_attr", "depend_on"):
        recorder = depwatch.Recorder(read)
        getattr(recorder, read)(C, *(["x"] if read == "read_type_attr" else []))
        handle = log.commit(recorder)
        C.x = 2
        assert not handle.valid
        C.x = 1
        handle.release()


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


def test_abc_registration_and_a_changed_metaclass_change_no_attribute(log):
    class Abstract(metaclass=abc.ABCMeta):  # noqa: B024
        x = 1

    class Meta(abc.ABCMeta):
        pass

    handle = log.commit(freeze_attribute(Abstract, "x"))
    Abstract.register(int)
    Abstract.__class__ = Meta
    assert isinstance(5, Abstract)
    assert (handle.valid, log.drained()) == (True, [])


def test_classes_of_a_metaclass_with_an_mro_of_its_own_are_refused():
    """It runs in the middle of a change of bases, and may change them itself: that could not be told in time."""

    class Meta(type):
        def mro(cls):
            return super().mro()

    class Odd(metaclass=Meta):
        x = 1

    for cls in (Odd, type("Derived", (Odd,), {})):
        for use in (lambda r, c: r.read_type_attr(c, "x"), lambda r, c: r.depend_on(c)):
            with pytest.raises(depwatch.Unwatchable, match=r"metaclass Meta has an mro\(\) of its own"):
                use(depwatch.Recorder("r"), cls)


def test_a_metaclass_that_lies_about_its_attributes_is_not_asked(log):
    class Meta(type):
        @property
        def __dict__(cls):
            raise AssertionError("asked")

        def __getattribute__(cls, name):
            if name in ("__mro__", "__flags__", "__qualname__"):
                return super().__getattribute__(name)
            raise AssertionError(f"asked for {name}")

    class Odd(metaclass=Meta):
        x = 1

    recorder = depwatch.Recorder("r")
    assert recorder.read_type_attr(Odd, "x") == 1
    handle = log.commit(recorder)
    type.__setattr__(Odd, "x", 2)
    assert handle.broken == 1
    assert log.drained() == [("invalidated", "r")]
    assert "Odd" in depwatch.explain(handle)
    assert dependents(Odd, "x") == {handle.id}


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
