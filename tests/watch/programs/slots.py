"""free() is how many slots of each kind are free, slots() what stats() says is taken."""

import counting


def free():
    counts = []
    for kind in range(4):
        counts.append(counting.take_slots(kind))
        counting.give_slots(kind)
    return counts


before = free()
import depwatch


def slots():
    taken = depwatch.stats()
    return [taken[kind + "_slots"] for kind in ("dict", "type", "function", "code")]


def check(*expected):
    assert slots() == list(expected), (slots(), expected)
    assert [a - b for a, b in zip(before, free())] == list(expected), (before, free())


class Plain:
    attribute = 1


def function():
    pass


recorder = depwatch.Recorder("one")
