"""Prints what an empty Python call takes, in ns: the median of many loops, less what an empty loop takes."""

import time
from statistics import median

N = 200_000


def nothing():
    pass


def calls(n):
    for _ in range(n):
        nothing()


def loops(n):
    for _ in range(n):
        pass


def taken(function):
    begun = time.thread_time_ns()
    function(N)
    return (time.thread_time_ns() - begun) / N


print(median(taken(calls) - taken(loops) for _ in range(15)))
