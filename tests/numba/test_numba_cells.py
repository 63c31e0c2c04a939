"""Value cells in numba code: a changed int, float or bool is seen with no code compiled again."""

import builtins
import math
import types

import numba
import numpy as np
import pytest
from numba_programs import Program

from depwatch import Unwatchable


def test_a_changed_int_float_or_bool_is_seen_and_nothing_is_compiled_again():
    program = Program(
        """
        RATE, COUNT, FLAG = 2.5, 3, True

        @njit
        def f(x):
            return x * RATE + COUNT if FLAG else 1.0 * x
        """
    )
    assert program.f(2) == 8.0
    program.RATE = 0.5
    assert program.f(2) == 4.0
    program.COUNT = -7
    assert program.f(2) == -6.0
    program.FLAG = False
    assert program.f(2) == 2
    program.FLAG, program.RATE, program.COUNT = True, math.inf, 2**62
    assert program.f(1) == math.inf
    assert program.stats("f") == [(1, 0, 0)]


def test_what_a_call_gives_is_of_the_types_that_plain_numba_gives():
    def f(x):
        return COUNT, RATE, FLAG  # noqa: F821

    namespace = {"COUNT": 3, "RATE": 2.5, "FLAG": True, "__builtins__": builtins}
    function = types.FunctionType(f.__code__, namespace)
    from depwatch.integrations.numba import njit

    ours, plain = njit(function), numba.njit(function)
    assert [type(each) for each in ours(1)] == [type(each) for each in plain(1)] == [int, float, bool]
    assert ours.overloads.keys() == plain.overloads.keys()


def test_attributes_of_modules_are_cells_but_constants_of_math_are_built_in():
    import depwatch.integrations.numba as watched

    config = types.ModuleType("config")
    config.inner = types.ModuleType("inner")
    config.inner.SCALE, config.OFFSET = 10.0, 1
    program = Program(
        """
        @njit
        def f(x):
            return x * config.inner.SCALE + config.OFFSET + math.pi - np.pi
        """,
        config=config, math=math, np=np,
    )  # fmt: skip
    assert program.f(2) == 21.0
    config.inner.SCALE = 20.0
    config.OFFSET = 5
    assert program.f(2) == 45.0
    assert program.stats("f") == [(1, 0, 0)]
    told = watched.explain(program.f)
    assert "loads 'SCALE' (float)" in told and "loads 'OFFSET' (int of 64 bits)" in told
    assert "has built in: 'pi' of <module math>" in told


def test_a_changed_constant_of_math_is_seen_too(monkeypatch):
    program = Program("@njit\ndef f(): return math.tau", math=math)
    assert program.f() == math.tau
    with monkeypatch.context() as changed:
        changed.setattr(math, "tau", 6.0)
        assert program.f() == 6.0
    assert program.f() == math.tau
    assert program.stats("f") == [(2, 1, 0)]


def test_a_name_that_is_found_in_the_builtins_is_followed_to_the_globals(monkeypatch):
    monkeypatch.setattr(builtins, "LIMIT", 5, raising=False)
    program = Program("@njit\ndef f(): return LIMIT")
    assert program.f() == 5
    monkeypatch.setattr(builtins, "LIMIT", 6)
    assert program.f() == 6
    program.LIMIT = 7
    assert program.f() == 7
    del program.LIMIT
    assert program.f() == 6
    assert program.stats("f") == [(1, 0, 0)]


def test_the_functions_that_it_calls_load_from_cells_too_whoever_decorated_them():
    program = Program(
        """
        import numba

        A, B, C = 1, 10, 100

        @numba.njit
        def inner(x): return x + A

        @njit
        def middle(x): return inner(x) + B

        @njit
        def outer(x): return middle(x) + C
        """
    )
    assert program.outer(0) == 111
    program.A, program.B, program.C = 2, 20, 200
    assert program.outer(0) == 222
    assert program.stats("inner", "middle", "outer") == [(1, 0, 0)] * 3


def test_in_parallel_and_nogil_code():
    program = Program(
        """
        import numba

        STEP = 3

        @njit(parallel=True)
        def in_parallel(n):
            total = 0
            for _ in numba.prange(n):
                total += STEP
            return total

        @njit(nogil=True)
        def without_gil(n):
            total = 0
            for _ in range(n):
                total += STEP
            return total
        """
    )
    for program.STEP in (3, 5, -1):
        assert program.in_parallel(100) == program.without_gil(100) == 100 * program.STEP
    assert program.stats("in_parallel", "without_gil") == [(1, 0, 0)] * 2


def test_in_closures_comprehensions_and_code_that_is_copied_into_its_callers():
    program = Program(
        """
        STEP = 3

        @njit
        def comprehension(n): return sum([STEP * i for i in range(n)])

        @njit
        def closure(n):
            def add(x): return x + STEP
            return add(n)

        @njit
        def passed_on(n):
            def add(x): return x + STEP
            return apply(add, n)

        @njit
        def apply(f, x): return f(x)

        @njit(inline="always")
        def copied(x): return x + STEP

        @njit
        def calls_copied(x): return copied(x)
        """
    )
    for program.STEP in (3, 4, 3):
        assert program.comprehension(3) == 3 * program.STEP
        assert program.closure(1) == program.passed_on(1) == program.calls_copied(1) == 1 + program.STEP
    assert program.stats("comprehension", "closure", "passed_on") == [(1, 0, 0)] * 3
    assert program.stats("calls_copied") == [(2, 1, 0)]  # what is copied in has its globals built in


def test_a_scalar_that_numba_needs_to_know_when_it_compiles_is_built_in():
    program = Program(
        """
        WHICH = 0
        PAIR = (1, "text")

        @njit
        def f(): return PAIR[WHICH]
        """
    )
    for program.WHICH in (0, 1, 0):
        assert program.f() == program.PAIR[program.WHICH]
    assert program.stats("f") == [(2, 1, 0)]


@pytest.mark.parametrize("other", [2.5, True, "text", 2**63, None, (1, 2)])
def test_a_value_of_another_type_is_compiled_for_and_the_first_code_comes_back(other):
    program = Program("X = 3\n@njit\ndef f(): return X")
    assert program.f() == 3
    program.X = other
    assert (program.f(), type(program.f())) == (other, type(other))
    program.X = 4
    assert (program.f(), type(program.f())) == (4, int)
    assert program.stats("f") == [(2, 1, 0)]


def test_a_bool_that_becomes_an_int_is_no_bool_any_more():
    program = Program("X = True\n@njit\ndef f(): return X")
    assert program.f() is True
    program.X = 0
    assert (program.f(), type(program.f())) == (0, int)
    program.X = False
    assert program.f() is False
    assert program.stats("f") == [(2, 1, 0)]


def test_a_deleted_name_raises_as_numba_does_and_works_again_when_it_is_back():
    program = Program("X = 3\n@njit\ndef f(): return X")
    assert program.f() == 3
    del program.X
    for _ in range(2):
        with pytest.raises(numba.TypingError, match="'X' is not defined"):
            program.f()
    program.X = 5
    assert program.f() == 5
    assert program.stats("f") == [(1, 1, 0)]


def test_granular_refuses_data_that_has_no_cell_and_takes_what_code_calls():
    program = Program(
        """
        X, NAME = 3, "text"

        @njit(policy="granular")
        def f(n):
            total = 0
            for i in range(n):
                total += X
            return total
        """
    )
    assert program.f(3) == 9
    program.X = 4
    assert program.f(3) == 12
    with pytest.raises(
        Unwatchable, match=r"global 'NAME' of <function f> is of type str.*granular.*leave the policy out"
    ):
        exec('@njit(policy="granular")\ndef f(): return NAME', vars(program))
    assert program.stats("f") == [(1, 0, 0)]
