"""Threads: some change what others read, compile and commit with."""

import contextlib
import threading

import depwatch
from support import freeze, namespace


def test_threads_change_read_and_commit_at_the_same_time(log):
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
