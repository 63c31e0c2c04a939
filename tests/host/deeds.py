"""What a dict's callback must not do to that dict, and what comes of it: as a script it prints that as JSON.

Each case runs in a forked child, as many are fatal.
"""

import gc
import json
import os
import signal
import sys
import threading

ACTIONS = {
    "set the same key": lambda d, key: dict.__setitem__(d, key, "inner"),
    "set another key": lambda d, key: dict.__setitem__(d, "another", "inner"),
    "grow": lambda d, key: [dict.__setitem__(d, i, "inner") for i in range(200)],
    "delete the key": lambda d, key: dict.pop(d, key, None),
    "clear": lambda d, key: dict.clear(d),
    "clear in another thread": lambda d, key: run_in_thread(d.clear),
}
FULL = {"first": 1, "key": 2}
OPERATIONS = {
    "add": (FULL, "d['new'] = 3"),
    "add to empty": ({}, "d['new'] = 3"),
    "modify": (FULL, "d['key'] = 3"),
    "delete": (FULL, "del d['key']"),
    "popitem": (FULL, "d.popitem()"),
    "clear": (FULL, "d.clear()"),
    "clone": ({}, "d.update(FULL)"),
    "deallocate": (FULL, "del d"),
}


def run_in_thread(work):
    """What happens when a callback lets go of the GIL."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def outcome(operation, action):
    import hostreact  # not where the tests read what the cases are
    import hostwatch

    start, change = OPERATIONS[operation]
    values = [object() for _ in start]
    references = list(map(sys.getrefcount, values))
    names = {"d": dict(zip(start, values, strict=True)), "FULL": FULL}
    slot = hostreact.add("D", lambda event, d, key, value: ACTIONS[action](d, key if type(key) is str else "key"))
    hostwatch.watch(slot, names["d"])
    try:
        exec(change, names)
    except Exception as error:
        return type(error).__name__
    if (d := names.pop("d", None)) is None:
        return "ok" if list(map(sys.getrefcount, values)) == references else "references lost"
    hostwatch.unwatch(slot, d)
    keys = list(d)
    if len(set(keys)) != len(keys):
        return "a key twice"
    if len(keys) != len(d) or any(key not in d for key in keys):
        return "a key lost"
    for i in range(100):
        d[str(i)] = list(d.values())
    d.clear()
    del d
    gc.collect()
    return "ok" if list(map(sys.getrefcount, values)) == references else "references lost"


def outcome_in_child(operation, action):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, 0.3)  # of processor time: some never end
        os.write(writer, outcome(operation, action).encode())
        os._exit(0)
    os.close(writer)
    with open(reader) as answer:
        said = answer.read()
    status = os.waitpid(child, 0)[1]
    return said if status == 0 else f"killed by {status}"


if __name__ == "__main__":
    gc.freeze()  # so that the children need not collect it
    print(json.dumps([[o, a, outcome_in_child(o, a)] for o in OPERATIONS for a in ACTIONS]))
