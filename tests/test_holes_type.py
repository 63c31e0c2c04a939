"""Classes: ways to change what is found along an MRO, or to ask for it, that were once not seen."""

import inspect
import warnings

import pytest

import depwatch
from claims import Claims, along_the_mro
from support import UNKNOWN, freeze_attribute, python, without_automatic_drain

# --- leaving a static base -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("old, new, name", [
    (ValueError, TypeError, "__new__"), (KeyError, LookupError, "__str__"), (BufferError, EOFError, "__new__"),
])  # fmt: skip
@without_automatic_drain
def test_an_exception_class_that_leaves_one_static_base_for_another_is_seen(log, old, new, name):
    """Every version allows it: classes of exceptions have the same layout and deallocator."""

    class Error(old):
        pass

    class Derived(Error):
        pass

    claims = Claims(log)
    own, derived = claims.of_attribute(Error, name), claims.of_attribute(Derived, name)
    Error.__bases__ = (new,)
    assert along_the_mro(Derived, name) is not derived.value
    claims.changed(own, derived)
    Error.__bases__ = (old,)
    claims.restored(own, derived)


LEAVES = """
    import gc, weakref
    import depwatch

    registry = {0: []}  # older than the table
    gc.collect()

    class Error(BufferError): pass
    class Derived(Error): pass

    PREPARE

    def found():
        return next(vars(base)["__new__"] for base in Derived.__mro__ if "__new__" in vars(base))

    try:
        recorder = depwatch.Recorder("r")
        value = recorder.read_type_attr(Derived, "__new__")
        handle = recorder.commit()
    except depwatch.Unwatchable:
        print("fine")
    else:
        Error.__bases__ = (EOFError,)
        assert found() is not value
        print("stale" if handle.valid else "fine")
    """


@pytest.mark.parametrize("prepare", ["gc.freeze()", "registry[id(Error)] = weakref.ref(Error); gc.collect()"])
def test_a_static_base_is_watched_or_refused_also_where_its_table_of_subclasses_is_hard_to_find(prepare):
    """Frozen objects have no referrers; and a dict of the program may look just like that table."""
    assert python(LEAVES.replace("PREPARE", prepare)) == "fine\n"


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
def test_what_is_looked_up_along_bases_is_given_up_before_a_subclass_runs_its_own_mro(log, interrupted):
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
def test_what_is_claimed_while_a_change_of_bases_is_under_way_is_not_stale_when_it_is_undone(log, interrupted, earlier):
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
