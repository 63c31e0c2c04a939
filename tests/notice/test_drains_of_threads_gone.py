"""fork() while other threads are in the middle of drains: in the child, which has only the thread that forked."""

from support import python

# held() is where a thread of the parent stays, inside a drain, while another forks. In the child nobody gets there.
COMMON = """
import _thread, itertools, operator, os, threading, warnings
import depwatch

warnings.simplefilter("ignore", DeprecationWarning)  # CPython's, of forks beside threads
inside, go, ended, done = (_thread.allocate_lock() for _ in range(4))
for lock in inside, go, ended, done:
    lock.acquire()
parent, holding = os.getpid(), True

def held():
    global holding
    if os.getpid() == parent and holding:
        holding = False
        inside.release()
        go.acquire()

class Value:
    # Dies where a drain lets it go.
    def __del__(self):
        held()

told = []

def commit(names, name, label=None):
    recorder = depwatch.Recorder(label or name)
    recorder.read_global(names, name)
    def tell(state):
        return lambda handle: told.append((state, handle.name))
    return recorder.commit(on_invalidate=tell("invalidated"), on_resume=tell("resumed"), on_retire=tell("retired"))

def event(event):
    told.append((event.change.name, event.facet, event.old, event.new))

def taken():
    # Sorted, as callbacks of a drain have no order of handles.
    found = sorted(told)
    told.clear()
    return found

def by_itself():
    for _ in range(1000):
        len(told)
    return taken()

def drained():
    while depwatch.drain():
        pass
    return taken()

def fork(check):
    # 0 if all is well in the child.
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if check() else 2
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

statuses = []

def forks_beside(drains, check):
    # One thread is held in drains(), another forks. The main thread waits in C for both: it drains by itself.
    def holder():
        drains()
        ended.release()
    def forker():
        inside.acquire()
        statuses.append(fork(check))
        go.release()
        ended.acquire()
        done.release()
    calls = [(_thread.start_new_thread, each, ()) for each in (holder, forker)]
    list(itertools.starmap(operator.call, [*calls, (done.acquire,)]))

other, names = {"Y": 1}, {"X": 1, "Z": 1}
handle = commit(other, "Y")

def later(taken):
    # The child's own changes.
    other["Y"] = 2
    return handle.broken == 1 and taken() == [("invalidated", "Y")]
"""

# A drain that has settled is held in the destructor of what it lets go, with all that is to be told before it.
IN_DESTRUCTOR = """
names["X"] = Value()
own, zed = commit(names, "X"), commit(names, "Z")
subscription = depwatch.subscribe(event, names, "Z")

def drains():
    value = names["X"]
    del names["X"]
    del value  # now depwatch alone has it, until a drain
    names["Z"] = 2
    depwatch.drain()
"""
# Nobody has X's value any more.
TOLD = [("MODIFIED", "Z", 1, 2), ("invalidated", "X"), ("invalidated", "Z"), ("retired", "X")]


def run(script):
    return python(COMMON + script)


def test_a_child_drains_by_itself_though_a_thread_that_is_gone_was_draining():
    printed = run(
        IN_DESTRUCTOR
        + """
thread = threading.Thread(target=drains)
thread.start()
inside.acquire()
def check():
    by_itself()  # what the main thread has not told before it forked
    return later(by_itself) and not depwatch.drain()
print(fork(check))
go.release()
thread.join()
print(drained() or by_itself(), own.retired)
"""
    )
    assert printed.splitlines()[0] == "0"
    assert printed.endswith("True\n")


def test_what_a_thread_that_is_gone_had_taken_is_told_in_the_child_once():
    printed = run(
        IN_DESTRUCTOR
        + """
def check():
    print(drained(), zed.broken, drained(), flush=True)
    names["Z"] = 1
    print(drained(), zed.valid, flush=True)
    zed.release()
    own.release()
    depwatch.drain()
    return depwatch.stats()["handles"] == 1 and later(drained)
forks_beside(drains, check)
print(statuses, drained(), own.retired)
"""
    )
    assert printed.splitlines() == [
        f"{TOLD} 1 []",
        "[('MODIFIED', 'Z', 2, 1), ('resumed', 'Z')] True",
        f"[0] {TOLD} True",
    ]


def test_a_child_of_a_child_is_told_what_the_child_was_not():
    printed = run(
        IN_DESTRUCTOR
        + """
def check():
    # This thread drains only when it is asked to.
    return fork(lambda: print(drained(), flush=True) or later(drained)) == 0 and len(drained()) == 4 and later(drained)
forks_beside(drains, check)
print(statuses)
"""
    )
    assert printed == f"{TOLD}\n[0]\n"


def test_calls_that_were_due_in_a_thread_that_is_gone_are_made_in_the_child():
    """But not the one that it was in: that is cut off, as all code is that such a thread runs."""
    printed = run(
        """
chain = {f"K{i}": 1 for i in range(5)}
handles, begun = [], []
def tell(handle):
    told.append(handle.name)
    if len(told) == 2 and not begun:
        begun.extend(taken())
        held()
for name in chain:
    recorder = depwatch.Recorder(name)
    recorder.read_global(chain, name)
    handles.append(recorder.commit(on_invalidate=tell, on_retire=lambda handle: told.append((handle.name, "retired"))))

def drains():
    for name in chain:
        chain[name] = 2
    depwatch.drain()

def check():
    due = drained()
    print(len(begun), len(due), sorted(begun + due) == sorted(chain), drained(), flush=True)
    handles[0].retire("done")
    return drained() == [("K0", "retired")] and later(drained)

forks_beside(drains, check)
print(statuses, sorted(begun + told) == sorted(chain))
"""
    )
    assert printed == "2 3 True []\n[0] True\n"


def test_a_drain_in_the_main_thread_is_ended_by_the_child_of_another():
    """At the next call that drains, if not before: mostly CPython runs no pending calls in such a child."""
    printed = run(
        """
recorder = depwatch.Recorder("held")
recorder.read_global(names, "Z")
first = recorder.commit(on_invalidate=lambda handle: held())
second = commit(names, "Z", "second")
third = commit(other, "Y", "third")

def forks():
    inside.acquire()
    def check():
        other["Y"] = 2
        print(drained(), flush=True)
        return handle.broken == third.broken == second.broken == first.broken == 1
    statuses.append(fork(check))
    go.release()

thread = threading.Thread(target=forks)
thread.start()
names["Z"] = 2
depwatch.drain()
thread.join()
print(statuses, told, handle.broken)
"""
    )
    told = [("invalidated", "Y"), ("invalidated", "second"), ("invalidated", "third")]
    assert printed == f"{told}\n[0] [('invalidated', 'second')] 0\n"


def test_a_drain_of_the_thread_that_forks_goes_on_in_both():
    """Also beside one of a thread that is gone."""
    printed = run(
        IN_DESTRUCTOR
        + """
third, results = {"W": 1}, []
first = depwatch.subscribe(lambda event: results.append(os.fork()), third, "W")
after = depwatch.subscribe(lambda event: told.append(("after", "W", 1, event.new)), third, "W")

def check():
    # A child, whose drain's listener forks.
    third["W"] = 2
    found = drained()
    if results == [0]:
        os._exit(found != EXPECTED or not later(drained))
    status = os.waitstatus_to_exitcode(os.waitpid(results[0], 0)[1])
    return status == 0 and found == EXPECTED and later(drained)

EXPECTED = [
    ("MODIFIED", "Z", 1, 2), ("after", "W", 1, 2), ("invalidated", "X"), ("invalidated", "Z"), ("retired", "X"),
]
forks_beside(drains, check)
print(statuses, third)
"""
    )
    assert printed == "[0] {'W': 1}\n"


def test_a_fork_beside_threads_that_drain_all_the_time_loses_nothing():
    """Wherever they are: each child finds its own change told."""
    printed = run(
        """
stop = False
def drains(number):
    names, counts = {"N": 0}, 0
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
    other["Y"] = 2
    return handle.broken == 1 and ("invalidated", "Y") in by_itself()
print({fork(check) for _ in range(10)})
stop = True
for thread in threads:
    thread.join()
"""
    )
    assert printed == "{0}\n"


def test_a_child_drains_by_itself_though_a_drain_was_in_a_pause_at_the_fork():
    printed = run(
        """
from array import array
stop, counts = False, {"N": 0}
recorder = depwatch.Recorder("many", None)
recorder.read_global(counts, "N")
many = recorder.commit_many(array("Q", range(100_001)), array("I", [recorder.reads - 1] * 100_000))
def drains():
    while not stop:
        counts["N"] = 1 - counts["N"]
        depwatch.drain()
thread = threading.Thread(target=drains)
thread.start()
def check():
    other["Y"] = 2
    return handle.broken == 1 and ("invalidated", "Y") in by_itself()
print({fork(check) for _ in range(40)})
stop = True
thread.join()
"""
    )
    assert printed == "{0}\n"
