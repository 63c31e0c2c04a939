"""A watched function that is pickled is watched where it is unpickled: in this process and in another one."""

import functools
import pickle
import subprocess
import sys

import pytest
from numba.core.serialize import dumps
from numba_programs import Program

import depwatch.integrations.numba as watched

ELSEWHERE = """
import pickle, sys
{before}
found = pickle.loads(pickle.load(sys.stdin.buffer))
function = found[0] if isinstance(found, tuple) else getattr(found, "func", found)
namespace = function.py_func.__globals__
given = []
for namespace["KIND"] in ("a", "aaa", "a"):
    given.append(function(1))
import depwatch.integrations.numba as watched
print(given, *watched.stats(function)[:2])
"""
PACKED = {
    "alone": lambda function: function,
    "in a tuple": lambda function: (function, 1),
    "in a partial": lambda function: functools.partial(function, 1),
}


@pytest.mark.parametrize("before", [
    "import depwatch.integrations.numba", pytest.param("", marks=pytest.mark.slow)
])  # fmt: skip
@pytest.mark.parametrize("pack", [
    PACKED["alone"], *(pytest.param(pack, marks=pytest.mark.slow) for pack in list(PACKED.values())[1:])
])  # fmt: skip
def test_in_another_process(pack, before):
    program = Program('KIND = "a"\n@njit\ndef f(x): return x + len(KIND)')
    ran = subprocess.run(
        [sys.executable, "-c", ELSEWHERE.format(before=before)],
        input=pickle.dumps(dumps(pack(program.f))), capture_output=True, check=False,
    )  # fmt: skip
    assert (ran.stdout.decode(), ran.stderr.decode()) == ("[2, 4, 2] 2 1\n", "")


def test_in_this_process_it_is_the_same_function():
    program = Program('KIND = "a"\n@njit\ndef f(x): return x + len(KIND)')
    assert pickle.loads(dumps(program.f)) is program.f


def test_what_was_given_to_njit_is_kept():
    program = Program("X = 1\n@njit('int64(int64)', policy='bulk', keep=3)\ndef f(x): return x + X")
    states = program.f._reduce_states()
    del program.f._memo[states["uuid"]]  # as if it came from another process
    again = pickle.loads(dumps(program.f))
    assert again is not program.f
    again.py_func.__globals__["X"] = 5
    assert (again(1), program.f(1)) == (6, 2)
    with pytest.raises(TypeError, match="No matching definition"):
        again("text")
    assert watched.stats(again)[:2] == (2, 0)
    with pytest.raises(ValueError, match="is watched with policy 'bulk', not None"):
        watched.watch(again)
