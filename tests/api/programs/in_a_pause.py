"""Ends many handles in one way, while another thread does one deed in the first pause. argv: the end and the deed.

Prints what went wrong; nothing if all is right.
"""

import sys
import threading
from array import array

import pausing

import depwatch
from depwatch import _core

SLICE = 8192  # PAUSE_AFTER in ext/notice/pauses.h
MANY = 3 * SLICE

sys.setswitchinterval(100)  # threads run only where one lets another
space, other = ({"__builtins__": {}, "X": 1, "Y": 2} for _ in range(2))


def commit(space, names, count=1):
    recorder = depwatch.Recorder("many", None)
    numbers = []
    for name in names:
        before = recorder.reads
        recorder.read_global(space, name)
        numbers.extend(range(before, recorder.reads))
    offsets = range(0, len(numbers) * count + 1, len(numbers))
    return recorder.commit_many(array("Q", offsets), array("I", numbers * count))


def release_and_commit_others():
    """The numbers of the handles, and of their facets, are used again."""
    numbers = set(many.ids)
    many.release()
    alone.release()
    depwatch.drain()
    kept.append(commit(other, "X", MANY))
    kept.append(commit(other, "Y", MANY))
    assert numbers & set(kept[0].ids)


def release_one_and_commit_another():
    """The number of one of the facets is used again."""
    alone.release()
    depwatch.drain()
    kept.append(commit(other, "Y"))


def drain():
    depwatch.drain()


def break_and_drain():
    space["X"] = 3
    depwatch.drain()


def commit_more():
    commit(space, "XY").release()
    late.append(commit(space, "X", MANY))


ENDS = {
    "invalidate": lambda: depwatch.invalidate([space], "by hand"),
    "retire": lambda: many.retire("by hand"),
    "release": lambda: many.release(),
}
end, deed = ENDS[sys.argv[1]], globals()[sys.argv[2]]
kept, late = [], []
alone = commit(space, "Y")
many = commit(space, "X", MANY)
facets = depwatch.stats()["facets"]


def in_another_thread():
    thread = threading.Thread(target=deed)
    thread.start()
    thread.join()


def main():
    ended = threading.Event()
    waiting = threading.Thread(target=ended.wait)  # a thread alone does not pause
    waiting.start()
    pausing.run_in_next_pause(in_another_thread)
    end()
    if pausing.is_armed():
        print("there was no pause")
    ended.set()
    waiting.join()
    depwatch.drain()
    _core.check_index()
    if not all(handles.valid for handles in kept):
        print("handles that were made in the pause were retired in place of others")
    if not (many.released or many.retired):
        print("some handles were not ended")
    for handles in (*kept, *late, many, alone):
        handles.release()
    depwatch.drain()
    _core.check_index()
    if depwatch.stats()["handles"] != 0:
        print("handles were lost")


main()
