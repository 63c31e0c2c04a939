"""Threads: some change what others read, compile and commit with."""

import contextlib
import sys
import threading

import pytest

import depwatch
from support import freeze, namespace


@pytest.fixture
def often_switched():
    """Threads take turns every few bytecodes, not every 5 ms."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_threads_change_read_and_commit_at_the_same_time(often_switched):
    """Whatever the order, a handle that is valid at the end has the values that are there."""
    globals_ = namespace(**{f"N{i}": 0 for i in range(8)})
    handles, errors = [], []
    barrier = threading.Barrier(6)

    def change(name):
        barrier.wait()
        for i in range(400):
            globals_[name] = i % 3
        globals_[name] = 1

    def build(first):
        barrier.wait()
        try:
            for _ in range(150):
                names = [f"N{first}", f"N{first + 1}"]
                recorder = depwatch.Recorder("threads", 60000)
                values = {name: recorder.read_global(globals_, name) for name in names}
                with contextlib.suppress(depwatch.Stale):
                    handles.append((recorder.commit(), values))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=change, args=(f"N{i}",)) for i in range(3)]
    threads += [threading.Thread(target=build, args=(i,)) for i in (0, 2, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    depwatch.drain()
    assert errors == []
    assert handles
    for handle, values in handles:
        if handle.valid:
            assert all(globals_[name] == value for name, value in values.items())
        elif not handle.retired:
            assert any(globals_[name] != value for name, value in values.items())


def test_a_change_in_a_thread_is_drained_by_the_main_thread(log):
    globals_ = namespace(X=1)
    threads = []
    recorder = freeze(globals_, "X")
    handle = recorder.commit(on_invalidate=lambda handle: threads.append(threading.current_thread()))
    thread = threading.Thread(target=globals_.__setitem__, args=("X", 2))
    thread.start()
    thread.join()
    for _ in range(1000):
        len(threads)
    assert threads == [threading.main_thread()]
    assert handle.broken == 1


def test_compilers_of_every_kind_commit_while_others_change_all_they_read(often_switched):
    """Handles over globals, attributes and functions together, of several threads; healing, drains and releases too."""

    class Base:
        x = 0

    class Derived(Base):
        pass

    def function(a=0):
        return a

    parts = [(i,) for i in range(3)]
    function.__defaults__ = parts[0]
    globals_ = namespace(G=0, function=function)
    reads = {
        "global": lambda recorder: recorder.read_global(globals_, "G"),
        "attribute": lambda recorder: recorder.read_type_attr(Derived, "x"),
        "defaults": lambda recorder: recorder.read_function(function, "defaults")[0][0],
    }
    now = {
        "global": lambda: globals_["G"],
        "attribute": lambda: Derived.x,
        "defaults": lambda: function.__defaults__[0],
    }
    committed, errors, stale = [], [], []
    barrier = threading.Barrier(6)

    def guarded(work):
        def run():
            try:
                barrier.wait()
                work()
            except BaseException as error:
                errors.append(error)

        return threading.Thread(target=run)

    def change():
        for i in range(6000):
            globals_["G"] = i % 3
            Base.x = i // 2 % 3
            function.__defaults__ = parts[i // 3 % 3]
            if i % 10 == 0:
                globals_.pop("G", None)
                globals_["G"] = 0
        globals_["G"] = Base.x = 1
        function.__defaults__ = parts[1]

    def build(names):
        for i in range(250):
            recorder = depwatch.Recorder("threads", 60000)
            try:
                values = {name: reads[name](recorder) for name in names}
                handle = recorder.commit(values)
            except depwatch.Stale:
                stale.append(names)
                continue
            except NameError:  # between the delete and the store
                continue
            committed.append(handle)
            if i % 4 == 0:
                handle.retire("enough")
            elif i % 4 == 1:
                depwatch.drain()

    orders = [["global", "attribute"], ["attribute", "defaults"], ["defaults", "global"], list(reads)]
    threads = [guarded(change), guarded(change), *(guarded(lambda names=names: build(names)) for names in orders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(committed) + len(stale) > 100
    for settled in (False, True):
        for handle in committed:
            if handle.valid:
                assert {name: now[name]() for name in handle.artifact} == handle.artifact
            elif settled and not handle.retired:
                broken = sum(now[name]() != value for name, value in handle.artifact.items())
                assert handle.broken == broken > 0
        depwatch.drain()
