"""Functions with cache=True, each called for the first time: prints the processor time of that, in seconds.

Arguments: "watched" or "plain", how many functions.
"""

import sys
import time

import numba
import numpy as np

from depwatch.integrations import numba as watched

SCALE, NAME = 2.0, "abc"
SOURCE = """
def leaf_{i}(x): return x * SCALE + {i}
def f_{i}(a):
    total = 0.0
    for i in range(a.shape[0]):
        total += leaf_{i}(a[i]) + len(NAME)
    return total
"""

jit = {"watched": watched.njit, "plain": numba.njit}[sys.argv[1]]
functions = []
for number in range(int(sys.argv[2])):
    exec(compile(SOURCE.replace("{i}", str(number)), __file__, "exec"))
    globals()[f"leaf_{number}"] = jit(globals()[f"leaf_{number}"])
    functions.append(jit(cache=True)(globals()[f"f_{number}"]))
first, *others = functions
first(np.ones(3))  # with what numba does once in a process
start = time.process_time()
for function in others:
    function(np.ones(3))
print(time.process_time() - start, sum(sum(each.stats.cache_hits.values()) for each in others))
