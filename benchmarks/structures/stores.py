"""A program for valgrind: stores that break and mend facets with one dependent, as often as its argument says."""

import sys

import depwatch
from depwatch import _core
from measure import load_noop

KEYS = 1000
OLD, NEW = object(), object()


def main(rounds: int) -> None:
    noop = load_noop()
    names = [sys.intern(f"name_{i}") for i in range(KEYS)]
    space = dict.fromkeys(names, OLD)
    for name in names:
        recorder = depwatch.Recorder(name, 1000)
        recorder.read_facet(_core.facet("key", space, name))
        recorder.commit()
    for _ in range(rounds):
        noop.time_change_and_undo(space, names, NEW, OLD, 1)
        depwatch.drain()
    assert depwatch.stats()["handles"] == KEYS


if __name__ == "__main__":
    main(int(sys.argv[1]))
