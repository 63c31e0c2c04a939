"""Calls a compiled function that loads a global: `numba_call.py plain|watched TIMES`."""

import sys

if sys.argv[1] == "watched":
    from depwatch.integrations.numba import njit
else:
    from numba import njit

X = 3


@njit
def cell(x):
    return x * X


def call(times):
    for _ in range(times):
        cell(2)


call(100)
call(int(sys.argv[2]))
