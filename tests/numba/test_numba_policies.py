"""policy="error", and the policies together."""

import pytest
from numba_programs import Program

import depwatch.integrations.numba as watched
from depwatch.integrations.numba import Changed


def test_error_raises_at_the_next_call_until_the_change_is_undone():
    program = Program('X, KIND = 1, "a"\n@njit(policy="error")\ndef f(): return X + len(KIND)')
    assert program.f() == 2
    first = program.KIND
    program.KIND = "other"
    for _ in range(2):
        with pytest.raises(Changed, match=r"f was compiled when global 'KIND' of <function f> was 'a' and is 'other'"):
            program.f()
    program.KIND = first
    assert program.f() == 2
    program.X = 5
    with pytest.raises(Changed, match=r"global 'X' of <function f> was 1 and is 5.*undo the change"):
        program.f()
    del program.X
    with pytest.raises(Changed, match=r"global 'X' of <function f> was 1 and is gone"):
        program.f()
    program.X = 1
    assert program.f() == 2
    assert program.stats("f")[0][0] == 1


def test_error_is_about_what_the_function_reads_and_reaches_its_callers():
    program = Program(
        """
        KIND, OTHER = "a", "b"
        @njit(policy="error")
        def strict(): return len(KIND)
        @njit
        def caller(): return strict() * 10 + len(OTHER)
        """
    )
    assert program.caller() == 11
    program.OTHER = "bbb"
    assert program.caller() == 13
    program.KIND = "aaa"
    with pytest.raises(Changed, match=r"global 'KIND' of <function strict> was 'a' and is 'aaa'"):
        program.caller()
    program.KIND = "a"
    assert program.caller() == 13


def test_what_nobody_decorated_has_the_policy_of_the_function_that_calls_it():
    program = Program(
        """
        import numba
        X = 1
        @numba.njit
        def plain(): return X
        @njit(policy="error")
        def f(): return plain()
        """
    )
    assert program.f() == 1
    program.X = 2
    for call in (program.f, program.plain):
        with pytest.raises(Changed, match=r"global 'X' of <function plain> was 1 and is 2"):
            call()


def test_bulk_builds_scalars_in():
    program = Program('X = 1\n@njit(policy="bulk")\ndef f(): return X')
    for program.X in (1, 2, 3, 2, 1):
        assert program.f() == program.X
    assert program.stats("f") == [(3, 2, 0)]
    assert "has built in: global 'X'" in watched.explain(program.f)
    assert "loads" not in watched.explain(program.f)


def test_error_is_about_what_chooses_an_implementation_too():
    program = Program(
        """
        from numba.extending import overload
        KIND = "a"
        def hook(x): pass
        @overload(hook)
        def choose(x):
            n = len(KIND)
            return lambda x: x + n
        @njit(policy="error")
        def strict(x): return hook(x)
        """
    )
    first = program.KIND
    assert program.strict(1) == 2
    program.KIND = "aaa"
    with pytest.raises(Changed, match=r"strict was .*'KIND' of <function choose> was 'a' and is 'aaa'"):
        program.strict(1)
    program.KIND = first
    assert program.strict(1) == 2
