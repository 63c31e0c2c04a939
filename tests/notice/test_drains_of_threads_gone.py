"""fork() while other threads are in the middle of drains: in the child, which has only the thread that forked."""

from support import python

# held() is where a thread of the parent waits, inside a drain, while another forks. In the child nobody gets there.
COMMON = """
import os, threading, warnings
import depwatch

warnings.simplefilter("ignore", DeprecationWarning)  # CPython's, of forks beside threads
inside, go = threading.Event(), threading.Event()
parent, holding = os.getpid(), True

def held():
    global holding
    if os.getpid() == parent and holding:
        holding = False
        inside.set()
        go.wait(30)

class Key:
    hold = False
    def __hash__(self):
        if Key.hold:
            held()
        return 12345
    def __eq__(self, other):
        return self is other

told = []

def commit(names, name, label=None):
    recorder = depwatch.Recorder(label or name)
    recorder.read_global(names, name)
    def tell(state):
        return lambda handle: told.append((state, handle.name))
    return recorder.commit(on_invalidate=tell("invalidated"), on_resume=tell("resumed"), on_retire=tell("retired"))

def event(event):
    told.append((event.change.name, event.facet, event.old, event.new))

def settled():
    # What has been told, by drains that run by themselves; sorted, as callbacks of a drain have no order of handles.
    for _ in range(1000):
        len(told)
    found = sorted(told)
    told.clear()
    return found

def fork(check):
    # True in the child of the main thread if all is well there.
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if check() else 2
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def end(thread):
    go.set()
    thread.join()

other, names = {"Y": 1}, {"X": 1, Key(): 0}
handle = commit(other, "Y")

def later():
    # The child's own changes, told by themselves.
    other["Y"] = 2
    return handle.broken == 1 and settled() == [("invalidated", "Y")]
"""

# A drain that looks again at a facet, and so hashes a key of the program, is held there.
IN_SETTLE = """
own = commit(names, "X")
subscription = depwatch.subscribe(event, names, "X")

def change():
    Key.hold = True
    names.pop("X")
    depwatch.drain()

def in_settle():
    thread = threading.Thread(target=drains)
    thread.start()
    assert inside.wait(30)
    return thread

def drains():
    def listener(event):
        trigger.cancel()
        change()
    names_of_thread = {"T": 0}
    trigger = depwatch.subscribe(listener, names_of_thread, "T")
    names_of_thread["T"] = 1
    depwatch.drain()
"""


def run(script):
    return python(COMMON + script)


def test_a_child_drains_by_itself_though_a_thread_that_is_gone_was_settling():
    printed = run(
        IN_SETTLE
        + """
thread = in_settle()
told.clear()
def check():
    settled()
    return later() and not depwatch.drain()
print(fork(check))
end(thread)
print(sorted(told), own.broken)
"""
    )
    assert printed == "0\n[('DELETED', 'X', 1, UNKNOWN), ('invalidated', 'X')] 1\n"


def test_what_a_thread_that_is_gone_had_taken_is_told_in_the_child_once():
    printed = run(
        IN_SETTLE
        + """
thread = in_settle()
told.clear()
def check():
    first = settled()
    print(first, own.broken, settled(), depwatch.drain(), flush=True)
    names["X"] = 1
    print(settled(), own.valid, flush=True)
    own.release()
    depwatch.drain()
    return depwatch.stats()["handles"] == 1 and later()
print(fork(check), told)
end(thread)
"""
    )
    both = "[('DELETED', 'X', 1, UNKNOWN), ('invalidated', 'X')]"
    assert printed == f"{both} 1 [] 0\n[('ADDED', 'X', UNKNOWN, 1), ('resumed', 'X')] True\n0 []\n"


def test_a_child_of_a_child_is_told_what_the_child_was_not():
    printed = run(
        IN_SETTLE
        + """
thread = in_settle()
told.clear()
def check():
    return fork(lambda: settled() and later()) == 0 and len(settled()) == 2 and later()
print(fork(check))
end(thread)
"""
    )
    assert printed == "0\n"


def test_calls_that_were_due_in_a_thread_that_is_gone_are_made_in_the_child():
    """But not the one that it was in: that is cut off, as all code is that such a thread runs."""
    printed = run(
        """
chain = {f"K{i}": 1 for i in range(5)}
handles = []
for name in chain:
    recorder = depwatch.Recorder(name)
    recorder.read_global(chain, name)
    def tell(handle):
        told.append(handle.name)
        if len(told) == 2:
            held()
    handles.append(recorder.commit(on_invalidate=tell, on_retire=lambda handle: told.append((handle.name, "retired"))))

def breaks():
    # In a thread, and at once: no drain by itself in between.
    def change(event):
        trigger.cancel()
        for name in chain:
            chain[name] = 2
        depwatch.drain()
    names_of_thread = {"T": 0}
    trigger = depwatch.subscribe(change, names_of_thread, "T")
    names_of_thread["T"] = 1
    depwatch.drain()

thread = threading.Thread(target=breaks)
thread.start()
assert inside.wait(30)
begun = list(told)
told.clear()
def check():
    for _ in range(1000):
        len(told)
    print(len(begun), len(set(told)), len(told), sorted(begun + told) == sorted(chain), flush=True)
    told.clear()
    handles[0].retire("done")
    depwatch.drain()
    return told == [("K0", "retired")] and told.clear() is None and later()
print(fork(check), told)
end(thread)
print(sorted(begun + told) == sorted(chain))
"""
    )
    assert printed == "2 3 3 True\n0 []\nTrue\n"


def test_a_drain_in_the_main_thread_is_ended_by_the_child_of_another():
    """At the next call that drains, if not before: mostly CPython runs no pending calls in such a child."""
    printed = run(
        """
recorder = depwatch.Recorder("held")
recorder.read_global(names, "X")
first = recorder.commit(on_invalidate=lambda handle: held())
second = commit(names, "X", "second")
third = commit(other, "Y", "third")

def forks():
    assert inside.wait(30)
    def check():
        other["Y"] = 2
        by_itself = settled()
        depwatch.drain()
        print(sorted(by_itself + told), flush=True)
        return handle.broken == third.broken == second.broken == first.broken == 1
    results.append(fork(check))
    go.set()

results = []
thread = threading.Thread(target=forks)
thread.start()
names["X"] = 2
depwatch.drain()
thread.join()
print(results, told, handle.broken)
"""
    )
    told = [("invalidated", "Y"), ("invalidated", "second"), ("invalidated", "third")]
    assert printed == f"{told}\n[0] [('invalidated', 'second')] 0\n"


def test_a_drain_of_the_thread_that_forks_goes_on_in_both():
    """Also beside one of a thread that is gone."""
    printed = run(
        IN_SETTLE
        + """
thread = in_settle()
told.clear()
third = {"Z": 1}
ended = []
def forks(event):
    child = os.fork()
    ended.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if child else "child")
subscription_of_fork = depwatch.subscribe(forks, third, "Z")
after = depwatch.subscribe(lambda event: told.append(("after", "Z", 1, event.new)), third, "Z")
third["Z"] = 2
depwatch.drain()
if ended == ["child"]:
    first = settled()
    depwatch.drain()
    good = first == [("DELETED", "X", 1, depwatch.UNKNOWN), ("after", "Z", 1, 2), ("invalidated", "X")]
    os._exit(0 if good and later() else 3)
print(ended, told)
end(thread)
"""
    )
    assert printed == "[0] [('after', 'Z', 1, 2)]\n"


def test_a_fork_beside_threads_that_drain_all_the_time_loses_nothing():
    """Wherever they are: each child finds its own change told."""
    printed = run(
        """
stop = False
def drains(number):
    names, counts = {"N": 0, Key(): number}, 0
    kept = commit(names, "N", f"thread {number}")
    while not stop:
        names["N"] = counts = 1 - counts
        if counts % 3 == 0:
            names.pop("N", None)
        depwatch.drain()
threads = [threading.Thread(target=drains, args=(i,)) for i in range(3)]
for thread in threads:
    thread.start()
def check():
    settled()
    other["Y"] = 2
    return handle.broken == 1 and ("invalidated", "Y") in settled()
results = [fork(check) for _ in range(10)]
stop = True
for thread in threads:
    thread.join()
print(set(results))
"""
    )
    assert printed == "{0}\n"
