"""Objects that own a place in the core: one owner each, and every call is one step that tests and acts."""

import copy
import gc
import pickle
import sys
import threading
from array import array

import pytest

import depwatch
from support import Log, dependents, freeze, namespace, without_automatic_drain

GLOBALS = namespace(X=1, Y=1.5)


def many(globals_, n=1, artifacts=None, **callbacks):
    recorder = freeze(globals_, "X", name="many")
    return recorder.commit_many(array("Q", range(n + 1)), array("I", [recorder.reads - 1] * n), artifacts, **callbacks)


def function():
    return 1


def installed():
    return depwatch.install(function, lambda: 2, freeze(GLOBALS, "X").commit())


def cell(kind):
    recorder = freeze(GLOBALS)
    made = recorder.guard_cell(GLOBALS, "X") if kind == "guard" else recorder.value_cell(GLOBALS, "Y", kind)
    recorder.commit()
    return made


OWNERS = {
    "Recorder": lambda: freeze(GLOBALS, "X"),
    "Handle": lambda: freeze(GLOBALS, "X").commit(),
    "Handles": lambda: many(GLOBALS),
    "Subscription": lambda: depwatch.subscribe(print, GLOBALS, "X"),
    "ValueCell": lambda: cell("f64"),
    "GuardCell": lambda: cell("guard"),
    "Entry": installed,
    "GuardedBuiltin": lambda: depwatch.guarded_builtin("".format, function),
}


@pytest.fixture(params=OWNERS)
def owner(request):
    made = OWNERS[request.param]()
    yield made
    for end in ("remove", "cancel", "close"):
        getattr(made, end, lambda: None)()


# --- one owner --------------------------------------------------------------------------------------------------------


def test_no_owner_is_copied_or_pickled(owner):
    for again in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match=f"^a {type(owner).__name__} cannot be copied or pickled"):
            again(owner)


def test_no_owner_is_initialised_twice(owner):
    for arguments in ((), ("name",)):
        with pytest.raises(TypeError):
            owner.__init__(*arguments)


def test_nothing_of_an_owner_is_assigned_or_deleted(owner):
    names = {name for name in dir(owner) if not name.startswith("__")} | {"handle", "callbacks", "_cells", "other"}
    for name in names:
        with pytest.raises(TypeError, match=f"^'{name}' of a {type(owner).__name__} is depwatch's and cannot be ass"):
            setattr(owner, name, None)
        with pytest.raises(TypeError, match=f"^'{name}' of a {type(owner).__name__} is depwatch's and cannot be del"):
            delattr(owner, name)


@pytest.mark.parametrize("name", [name for name in OWNERS if name != "Recorder"])
def test_an_owner_that_is_made_by_hand_is_refused_or_owns_nothing(name):
    cls = getattr(depwatch, name)
    with pytest.raises(TypeError, match=f"^a {name} is made by depwatch"):
        cls()
    made = cls.__new__(cls)
    for attribute in (each for each in dir(made) if not each.startswith("__")):
        try:
            value = getattr(made, attribute)
            if attribute in ("release", "retire", "cancel", "remove", "original"):
                value(*["why"] * (attribute == "retire"))
        except (depwatch.Released, AttributeError, TypeError, ReferenceError):
            pass
    assert repr(made)


def test_what_is_not_there_is_itself_after_a_copy():
    for again in (copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))):
        assert again(depwatch.UNKNOWN) is depwatch.UNKNOWN


# --- a recorder -------------------------------------------------------------------------------------------------------

CALLS = {
    "read_global": lambda recorder: recorder.read_global(GLOBALS, "X"),
    "read_attr": lambda recorder: recorder.read_attr(sys, "path"),
    "read_type_attr": lambda recorder: recorder.read_type_attr(Log, "event"),
    "read_function": lambda recorder: recorder.read_function(function, "code"),
    "read_all": lambda recorder: recorder.read_all(depwatch.discover(function)),
    "depend_on": lambda recorder: recorder.depend_on(GLOBALS),
    "value_cell": lambda recorder: recorder.value_cell(GLOBALS, "Y", "f64"),
    "guard_cell": lambda recorder: recorder.guard_cell(GLOBALS, "X"),
    "jump_label": lambda recorder: recorder.jump_label(8, 16, GLOBALS, "X"),
    "commit": lambda recorder: recorder.commit(),
    "commit_many": lambda recorder: recorder.commit_many(array("Q", [0]), array("I")),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_closed_recorder_raises_released_from_every_call(call):
    for end in ("close", "commit"):
        recorder = freeze(GLOBALS, "X", name="ended")
        getattr(recorder, end)()
        with pytest.raises(depwatch.Released, match=r"^recorder 'ended' was committed or closed; make a new one"):
            call(recorder)
        recorder.close()


@without_automatic_drain
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_recorder_that_its_own_drain_closes_raises_released(call):
    globals_ = namespace(T=1)
    recorder = freeze(GLOBALS, "X", name="closed")
    subscription = depwatch.subscribe(lambda event: recorder.close(), globals_, "T")
    globals_["T"] = 2
    with pytest.raises(depwatch.Released, match=r"^recorder 'closed' was committed or closed"):
        call(recorder)
    subscription.cancel()


def test_two_threads_that_commit_one_recorder_make_one_handle():
    def work():
        start.wait()
        try:
            made.append(recorder.commit())
        except depwatch.Released:
            refused.append(1)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(100):
            globals_, made, refused, start = namespace(X=1), [], [], threading.Barrier(2)
            recorder = freeze(globals_, "X")
            threads = [threading.Thread(target=work) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            globals_["X"] = 2
            assert ([handle.valid for handle in made], refused) == ([False], [1])
    finally:
        sys.setswitchinterval(interval)


def test_a_name_that_is_a_subclass_of_str_has_no_say():
    class Name(str):
        def __format__(self, spec):
            raise AssertionError("asked")

        __str__ = __repr__ = __format__

    class Limit(int):
        def __le__(self, other):
            raise AssertionError("asked")

        __ge__ = __lt__ = __gt__ = __index__ = __int__ = __le__

    recorder = depwatch.Recorder(Name("odd"), Limit(3))
    recorder.read_global(GLOBALS, "X")
    assert (type(recorder.name), repr(recorder.commit()).split("'")[1]) == (str, "odd")
    with pytest.raises(depwatch.Released, match=r"^recorder 'odd' was"):
        recorder.commit()


# --- a handle ---------------------------------------------------------------------------------------------------------


def test_a_handle_that_was_released_and_drained_is_not_retired_by_its_old_owner(log):
    globals_ = namespace(X=1)
    handle = freeze(globals_, "X").commit()
    number = handle.id
    handle.release()
    depwatch.drain()
    others = [log.commit(freeze(globals_, "X", name=str(i))) for i in range(2)]
    assert number in {other.id for other in others}
    handle.release()
    for call in (lambda: handle.retire("late"), lambda: handle.valid, lambda: depwatch.explain(handle)):
        with pytest.raises(depwatch.Released, match=f"^handle {number} .* was released"):
            call()
    assert len({other.id for other in others}) == 2 and all(other.valid for other in others)
    assert log.drained() == []


# --- handles that were made together ----------------------------------------------------------------------------------


class Artifacts:
    """A sequence of the program's that does something when an item is asked for."""

    def __init__(self, do):
        self.do = do

    def __len__(self):
        return 1

    def __getitem__(self, index):
        do, self.do = self.do, None
        if do is not None:
            do()
        return "artifact"


def test_handles_give_one_handle_for_each_index_whatever_artifacts_do():
    first, globals_ = [], namespace(X=1)
    handles = many(globals_, 1, Artifacts(lambda: first.append(handles[0])))
    assert handles[0] is first[0] is handles[-1]
    assert (handles[0].artifact, handles[0].valid) == ("artifact", True)


def test_handles_that_artifacts_release_are_released_once():
    def release():
        handles.release()
        depwatch.drain()

    globals_ = namespace(X=1)
    handles = many(globals_, 1, Artifacts(release))
    handle = handles[0]
    assert (handle.released, handles.released) == (True, True)
    others = namespace(Z=1)
    new = freeze(others, "Z").commit()
    handle = handles = None
    gc.collect()
    depwatch.drain()
    assert (new.valid, dependents(others, "Z")) == (True, {new.id})


def test_two_threads_get_the_same_handles():
    def work(into):
        start.wait()
        into.extend(handles[i] for i in range(20))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(30):
            handles, start, got = many(namespace(X=1), 20), threading.Barrier(2), ([], [])
            threads = [threading.Thread(target=work, args=(into,)) for into in got]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert all(a is b for a, b in zip(*got, strict=True))
            handles.release()
    finally:
        sys.setswitchinterval(interval)


def test_the_ids_of_handles_are_a_copy():
    globals_ = namespace(X=1)
    innocent, handles = freeze(globals_, "X").commit(), many(globals_, 2)
    handles.ids[0] = handles.ids[1] = innocent.id
    handles.retire("why")
    handles.release()
    depwatch.drain()
    assert innocent.valid
    assert dependents(globals_, "X") == {innocent.id}


def test_an_artifact_that_is_gone_raises_where_it_is_asked_for():
    globals_, artifacts, told = namespace(X=1), ["one"], []
    handles = many(globals_, 1, artifacts, on_invalidate=told.append)
    artifacts.clear()
    globals_["X"] = 2
    depwatch.drain()
    assert [handle.id for handle in told] == list(handles.ids)
    for ask in (lambda: handles[0], lambda: told[0].artifact):
        with pytest.raises(IndexError):
            ask()
    artifacts.append("another")
    assert handles[0].artifact == told[0].artifact == "another"
    handles.release()


# --- numbers that the program has -------------------------------------------------------------------------------------


def test_invalidate_finds_dependents_after_the_programs_iterable_has_run(log):
    one, others = namespace(A=1), [namespace(C=1) for _ in range(4)]
    handle, made = freeze(one, "A").commit(), []

    def objects():
        yield one
        handle.release()
        depwatch.drain()
        made.extend(log.commit(freeze(other, "C")) for other in others)

    assert list(depwatch.invalidate(objects(), "why")) == []
    assert [each.valid for each in made] == [True] * 4
    assert log.drained() == []
