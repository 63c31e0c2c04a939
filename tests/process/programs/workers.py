# A module, as children that are not forked import it. RATE is what is watched, in the parent and in each child.
import os

import depwatch

RATE = 1
TOLD = []


def price(x):
    return x * RATE


def compiled():
    recorder = depwatch.Recorder("price", 60000)
    recorder.read_global(price, "RATE")
    return recorder.commit(on_invalidate=TOLD.append)


def work(number):
    # Reads, commits and breaks, each process its own; True if all is right.
    global RATE
    RATE = 1
    own = compiled()
    good = own.valid
    RATE = number + 2
    good = good and own.broken == 1
    depwatch.drain()
    good = good and own in TOLD and price(1) == number + 2
    RATE = 1
    good = good and own.valid
    own.release()
    depwatch.drain()
    return good, os.getpid()


def put(queue, number):
    queue.put(work(number))


def die(number):
    work(number)
    raise SystemExit(number)
