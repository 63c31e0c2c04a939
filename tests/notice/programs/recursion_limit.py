import sys

import depwatch

told = []
namespace = {"X": 0}


def listener(event, depth=50):
    if depth:
        listener(event, depth - 1)
    else:
        told.append((event.old, event.new))


def run(depth):
    if depth:
        return run(depth - 1)
    namespace["X"] += 1
    for _ in range(100):
        len(told)


def explicitly(depth):
    if depth:
        return explicitly(depth - 1)
    namespace["X"] += 1
    return depwatch.drain()


def room():
    depth = 0
    frame = sys._getframe()
    while frame:
        depth, frame = depth + 1, frame.f_back
    return sys.getrecursionlimit() - depth


def deepest():
    try:
        return 1 + deepest()
    except RecursionError:
        return 0


subscription = depwatch.subscribe(listener, namespace, "X")
before = deepest()
run(room() - 2)
print(told)
explicitly(room() - 4)
print(told)
print(deepest() - before)
