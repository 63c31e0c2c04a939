"""Bases that are assigned while a subclass's metaclass has an mro() of its own: CPython reports that late, or never."""

import _thread
import contextlib
import gc
import weakref

import pytest

import depwatch
from host.versions import HOST
from support import UNKNOWN, freeze_attribute, python, without_automatic_drain


class Meta(type):
    """Does something while the MRO of a class is computed, once."""

    do = None

    def mro(cls):
        do, Meta.do = Meta.do, None
        if do is not None:
            do()
        return type.mro(cls)


@pytest.fixture(autouse=True)
def nothing_to_do():
    yield
    Meta.do = None


class Family:
    """B inherits from A; C, whose metaclass has an mro(), and D from B. N1 and N2 are what B may get."""

    def __init__(self, metaclass=Meta):
        self.A, self.N1, self.N2 = (type(name, (), {"X": name}) for name in ("A", "N1", "N2"))
        self.B = type("B", (self.A,), {})
        self.D = type("D", (self.B,), {})
        self.C = metaclass("C", (self.B,), {})


class Claim:
    """What is said of X of a class: by a handle, a whole-object dependency, a guard and a value cell."""

    def __init__(self, log, cls):
        self.cls = cls
        self.value = cls.X
        self.handle = log.commit(freeze_attribute(cls, "X", name=f"{cls.__name__}.X"))
        recorder = depwatch.Recorder("cells")
        self.guard, self.cell = recorder.guard_cell(cls, "X"), recorder.value_cell(cls, "X", "object")
        self.keep = recorder.commit()
        recorder = depwatch.Recorder(f"whole {cls.__name__}")
        recorder.depend_on(cls)
        self.whole = log.commit(recorder)

    def ended(self):
        retired = self.handle.retired and self.whole.retired
        return (retired, self.guard.holds, self.cell.value) == (True, False, UNKNOWN)

    def untouched(self):
        now = (self.handle.valid, self.whole.valid, self.guard.holds, self.cell.value)
        return now == (True, True, True, self.value)


def fail():
    raise ZeroDivisionError


MIDDLES = {
    "nothing": lambda family: None,
    "other bases": lambda family: setattr(family.B, "__bases__", (family.N1,)),
    "the same bases": lambda family: setattr(family.B, "__bases__", (family.A,)),
    "bases of a sibling": lambda family: setattr(family.D, "__bases__", (family.N1,)),
    "bases, and an exception": lambda family: (setattr(family.B, "__bases__", (family.N1,)), fail()),
    "an exception": lambda family: fail(),
    "a drain": lambda family: depwatch.drain(),
    "bases and a drain": lambda family: (setattr(family.B, "__bases__", (family.N1,)), depwatch.drain()),
    "three deep": lambda family: (
        setattr(Meta, "do", lambda: setattr(family.B, "__bases__", (family.N2,))),
        setattr(family.B, "__bases__", (family.N1,)),
    ),
    "no mro() any more": lambda family: setattr(family.C, "__class__", type("Plain", (type,), {})),
}


def assign(family, cls=None, bases=None):
    with contextlib.suppress(ZeroDivisionError):
        (cls or family.B).__bases__ = bases or (family.N2,)


@pytest.mark.parametrize("middle", MIDDLES.values(), ids=MIDDLES)
@without_automatic_drain
def test_all_that_relies_on_such_bases_ends_before_the_assignment(log, middle):
    family, states = Family(), []
    claims = [Claim(log, cls) for cls in (family.B, family.D)]
    other = Claim(log, family.A)
    Meta.do = lambda: (states.append([claim.ended() for claim in claims]), middle(family))
    assign(family)
    assert states == [[True, True]]
    told = log.drained()
    assert sorted(told) == [("retired", name) for name in ("B.X", "D.X", "whole B", "whole D")]
    assert all(claim.ended() for claim in claims)
    assert other.untouched()
    for claim in claims:
        assert claim.handle.reason.partition(":")[0].endswith(
            ("and a metaclass's mro() may change them meanwhile", "can no longer be watched")
        )
    for cls in (family.B, family.D):  # it is over
        again = Claim(log, cls)
        assert again.untouched()
        again.cls.X = "changed"
        assert (again.handle.valid, again.guard.holds, again.cell.value) == (False, False, UNKNOWN)
        del again.cls.X
        depwatch.drain()


@pytest.mark.parametrize("middle", ["nothing", "bases", "the same", "fewer"])
@pytest.mark.parametrize("claimed", [False, True], ids=["", "claimed before"])
@without_automatic_drain
def test_what_is_looked_up_along_such_bases_is_refused_until_the_assignment_is_over(log, claimed, middle):
    family, refused = Family(), []
    family.B.__bases__ = (family.A, family.N1)
    old = [Claim(log, family.B)] if claimed else []

    def ask():
        if middle == "bases":
            family.B.__bases__ = (family.N1,)
        for cls in (family.B, family.D):
            for read in ("read_type_attr", "guard_cell"):
                with pytest.raises(depwatch.Unwatchable, match="are being assigned"):
                    getattr(depwatch.Recorder("r"), read)(cls, "X")
            with pytest.raises(depwatch.Unwatchable, match="are being assigned"):
                depwatch.Recorder("r").depend_on(cls)
        depwatch.drain()
        refused.append(True)
        fail()

    Meta.do = ask
    assign(family, bases={"the same": family.B.__bases__, "fewer": (family.A,)}.get(middle))
    assert refused == [True]
    assert all(claim.ended() for claim in old)
    assert all(Claim(log, cls).untouched() for cls in (family.B, family.D))


@without_automatic_drain
def test_an_assignment_in_another_thread_is_not_over_before_its_mro(log):
    family, inside, go_on, done = Family(), *(_thread.allocate_lock() for _ in range(3))
    for lock in (inside, go_on, done):
        lock.acquire()
    Meta.do = lambda: (inside.release(), go_on.acquire(), fail())
    _thread.start_new_thread(lambda: (assign(family, bases=(family.A,)), done.release()), ())
    inside.acquire()
    with pytest.raises(depwatch.Unwatchable, match="are being assigned"):
        depwatch.Recorder("r").read_type_attr(family.D, "X")
    go_on.release()
    done.acquire()
    assert Claim(log, family.D).untouched()


LATER = {
    "on the metaclass": lambda meta: setattr(meta, "mro", lambda cls: type.mro(cls)),
    "on its base": lambda meta: setattr(meta.__base__, "mro", lambda cls: type.mro(cls)),
    "by the bases of the metaclass": lambda meta: setattr(meta, "__bases__", (type("M", (type,), {"mro": Meta.mro}),)),
}


@pytest.mark.parametrize("later", LATER.values(), ids=LATER)
@without_automatic_drain
def test_a_metaclass_that_gets_an_mro_later_ends_all_at_the_next_assignment(log, later):
    base = type("BaseMeta", (type,), {})
    meta = type("LaterMeta", (base,), {})
    family = Family(meta)
    claims = [Claim(log, cls) for cls in (family.B, family.C, family.D)]
    later(meta)
    assert all(claim.untouched() for claim in claims)
    assign(family)
    assert all(claim.ended() for claim in claims)
    assert len(log.drained()) == 6
    with pytest.raises(depwatch.Unwatchable, match=r"an mro\(\) of its own"):
        depwatch.Recorder("r").read_type_attr(family.C, "X")
    assert Claim(log, family.B).untouched()


@without_automatic_drain
def test_the_metaclass_of_a_class_may_become_one_with_an_mro(log):
    family = Family(type("PlainMeta", (type,), {}))
    claim = Claim(log, family.B)
    family.C.__class__ = Meta
    assign(family)
    assert claim.ended()


@without_automatic_drain
def test_bases_of_classes_without_such_a_subclass_heal_as_ever(log):
    family = Family(type("PlainMeta", (type,), {}))
    handle = log.commit(freeze_attribute(family.B, "X"))
    family.B.__bases__ = (family.N1,)
    assert log.drained() == [("invalidated", "frozen")]
    family.B.__bases__ = (family.A,)
    depwatch.drain()
    assert handle.valid


@without_automatic_drain
def test_each_of_several_assignments_between_two_drains_is_told_to_listeners(log):
    family = Family(type("PlainMeta", (type,), {}))
    N3 = type("N3", (), {})
    subscriptions = [depwatch.subscribe(log.event, cls, "X") for cls in (family.B, family.D)]
    bases = [(family.A, family.N1), (family.N2,), (family.N1, N3), (family.N1,), (family.A,)]
    for each in bases:
        family.B.__bases__ = each
    assert [entry[:2] for entry in log.drained()] == [("MRO", "X"), ("MRO", "X")] * len(bases)
    for subscription in subscriptions:
        subscription.cancel()


@without_automatic_drain
def test_a_class_whose_bases_were_assigned_dies_as_it_would(log):
    family = Family()
    assign(family)
    assign(family, bases=(family.N1,))
    depwatch.drain()
    died = weakref.ref(family.B)
    del family
    gc.collect()
    assert died() is None


def test_attributes_of_classes_are_refused_where_no_audit_hook_can_be_added():
    script = """
        import sys
        def refuse(event, arguments):
            if event == "sys.addaudithook":
                raise RuntimeError
        sys.addaudithook(refuse)
        import depwatch
        class C:
            x = 1
        recorder = depwatch.Recorder("r")
        for use in (recorder.read_type_attr, recorder.guard_cell):
            try:
                use(C, "x")
            except depwatch.Unwatchable as error:
                print(str(error)[:54])
        try:
            recorder.depend_on(C)
        except depwatch.Unwatchable as error:
            print(str(error)[:54])
        print(recorder.read_type_attr(int, "real") is vars(int)["real"], recorder.read_global({"X": 1}, "X"))
    """
    refused = "attributes of classes: an audit hook of this process r\n"
    assert python(script) == 3 * refused + "True 1\n"


FIRST = """
    import depwatch

    def look():
        for use in (lambda r: r.read_type_attr(D, "X"), lambda r: r.guard_cell(D, "X"), lambda r: r.depend_on(D)):
            try:
                use(depwatch.Recorder("r"))
                print("accepted")
            except depwatch.Unwatchable as error:
                print(str(error)[:42])
        raise ZeroDivisionError

    class Meta(type):
        do = None
        def mro(cls):
            if Meta.do is not None:
                do, Meta.do = Meta.do, None
                do()
            return type.mro(cls)

    class A: X = "A"
    class N: X = "N"
    class B(N, A): pass
    class D(B): pass
    C = Meta("C", (B,), {})
    Meta.do = look
    before = D.X
    try:
        B.__bases__ = (A,)  # D already looks X up in A when look() is called, and in N again after its exception
    except ZeroDivisionError:
        pass
    recorder = depwatch.Recorder("r")
    print(before, D.X, recorder.read_type_attr(D, "X"))
"""


def test_an_assignment_that_began_before_any_class_was_read_is_seen():
    assert python(FIRST) == 3 * "D: bases of a class are being assigned, an\n" + "N N N\n"


USED_UP = """
    import gc
    import depwatch

    class A(ValueError):
        x = "a"

    class E(A):
        pass

    class Root(ValueError):
        pass

    gc.collect()
    gc.freeze()
    recorder = depwatch.Recorder("cells")
    cells = [recorder.value_cell(Root, "args", "object"), recorder.guard_cell(Root, "args")]
    recorder.read_type_attr(Root, "args")
    handle = recorder.commit()
    for i in range(3000):
        Root.y = i
        Root.y
        depwatch.drain()
    ended = handle.retired
    print("up" if not ended and cells[1].holds else "down")
    Root.__bases__ = (TypeError,)
    depwatch.drain()
    print(ended, (cells[0].value is depwatch.UNKNOWN, cells[1].holds) == (True, False))
"""


def test_a_class_that_can_no_longer_be_watched_takes_its_cells_with_it():
    """Where only a type watcher is left, version tags are used up, on versions that count them; else both bases have
    the same value."""
    counted = HOST.type_events_of_a_class is not None and not HOST.visits_frozen
    assert python(USED_UP).split() == (["down", "True", "True"] if counted else ["up", "False", "False"])
