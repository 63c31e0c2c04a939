"""What compiled code has built in: a change is seen at the next call, which compiles what is concerned and no more."""

import enum
import math
import types
from unittest import mock

import numba
import numpy as np
import pytest
from numba_programs import Program, compilations  # noqa: F401 (a fixture)

import depwatch
import depwatch.integrations.numba as watched


class Color(enum.Enum):
    RED = 1


CHANGES = {
    "str": ("'one'", "'two'"),
    "tuple": ("(1, 2)", "(1, 3)"),
    "None": ("None", "5"),
    "complex": ("1j", "2j"),
    "scalar of NumPy": ("np.float32(1.5)", "np.float32(2.5)"),
    "read-only array": ("fixed(1)", "fixed(2)"),
}


def fixed(first):
    array = np.arange(first, first + 3)
    array.setflags(write=False)
    return array


@pytest.mark.parametrize("before, after", CHANGES.values(), ids=CHANGES)
def test_data_of_any_kind_that_has_no_cell(before, after):
    program = Program(f"X = {before}\n@njit\ndef f(): return X", np=np, fixed=fixed)
    first = program.X
    program.f()
    program.X = eval(after, vars(program))
    assert str(program.f()) == str(program.X)
    program.X = first
    assert str(program.f()) == str(first)
    assert program.stats("f") == [(2, 1, 0)]


@pytest.mark.parametrize("policy", ["bulk", pytest.param(None, marks=pytest.mark.slow)])
def test_a_changed_callee_concerns_all_transitive_callers_and_nobody_else(policy, compilations):  # noqa: F811
    program = Program(
        """
        def make(f): return njit(f, policy=policy)
        KIND, OTHER = "a", "b"

        @make
        def leaf(x): return x + len(KIND)

        @make
        def middle(x): return leaf(x) * 10

        @make
        def outer(x): return middle(x) + 1

        @make
        def bystander(x): return x + len(OTHER)
        """,
        policy=policy,
    )
    assert (program.outer(1), program.bystander(1)) == (21, 2)
    assert compilations.taken() == ["outer", "middle", "leaf", "bystander"]
    program.KIND = "aaa"
    assert compilations.taken() == []  # nothing is compiled until somebody calls
    assert (program.outer(1), program.bystander(1)) == (41, 2)
    assert compilations.taken() == ["outer", "middle", "leaf"]
    program.leaf = watched.njit(lambda x: x, policy=policy)
    assert (program.outer(1), program.bystander(1)) == (11, 2)
    assert compilations.taken() == ["outer", "middle", "<lambda>"]


def test_an_undone_change_that_no_call_came_between_costs_nothing(compilations):  # noqa: F811
    program = Program('KIND = "a"\n@njit\ndef f(): return len(KIND)')
    assert program.f() == 1
    code = program.f.overloads[()]
    compilations.taken()
    for _ in range(20):  # more often than a facet may break for other optimizers
        with mock.patch.object(program, "KIND", "other"):
            pass
        assert program.f() == 1
    assert (program.stats("f"), program.f.overloads[()], compilations.taken()) == ([(1, 0, 0)], code, [])


def test_an_undone_change_that_was_compiled_for_puts_the_first_code_back():
    program = Program(
        """
        KIND = "a"
        @njit
        def leaf(): return len(KIND)
        @njit
        def outer(): return leaf()
        """
    )
    first = program.KIND
    for _ in range(20):
        program.KIND = "other"
        assert program.outer() == 5
        program.KIND = first
        assert program.outer() == 1
    assert [(compiled, renewed) for compiled, _, renewed in program.stats("leaf", "outer")] == [(2, 0), (2, 0)]


def test_what_another_function_was_compiled_for_meanwhile_costs_a_new_handle_only():
    program = Program(
        """
        KIND = "a"
        @njit
        def called(): return len(KIND)
        @njit
        def waiting(): return len(KIND) * 10
        """
    )
    assert (program.called(), program.waiting()) == (1, 10)
    first = program.KIND
    program.KIND = "other"
    assert program.called() == 5
    program.KIND = first
    assert (program.called(), program.waiting()) == (1, 10)
    assert program.stats("called", "waiting") == [(2, 1, 0), (1, 0, 1)]


def test_an_equal_number_that_is_another_object_is_the_same_to_compiled_code():
    program = Program('X = 3.25\n@njit(policy="bulk")\ndef f(): return X')
    assert program.f() == 3.25
    program.X = float("3.25")
    assert program.f() == 3.25
    program.X = -0.0
    assert math.copysign(1, program.f()) == -1
    program.X = 0.0
    assert math.copysign(1, program.f()) == 1
    assert program.stats("f")[0][0] == 3


def test_at_most_so_many_versions_are_kept_aside():
    program = Program('X = 0\n@njit(policy="bulk", keep=2)\ndef f(): return X')
    for program.X in (0, 1, 2, 3):
        assert program.f() == program.X
    assert watched.stats(program.f) == (4, 0, 0, 2)
    program.X = 2
    assert program.f() == 2
    assert watched.stats(program.f) == (4, 1, 0, 2)
    program.X = 0
    assert program.f() == 0
    assert watched.stats(program.f) == (5, 1, 0, 2)
    program.X = 3
    assert program.f() == 3
    assert watched.stats(program.f) == (5, 2, 0, 2)


def test_functions_of_modules_builtins_and_members_of_enums():
    module = types.ModuleType("module")
    module.step = watched.njit(lambda x: x + 1)
    program = Program(
        """
        @njit
        def f(x): return module.step(abs(x)) + Color.RED.value
        """,
        module=module, Color=Color,
    )  # fmt: skip
    assert program.f(-1) == 3
    module.step = watched.njit(lambda x: x + 2)
    assert program.f(-1) == 4
    program.abs = watched.njit(lambda x: x)
    assert program.f(-1) == 2
    del program.abs
    assert program.f(-1) == 4
    program.Color = enum.Enum("Color", {"RED": 100})
    assert program.f(-1) == 103
    assert program.stats("f")[0][:2] == (4, 1)


def test_the_code_of_a_function_that_is_exchanged():
    program = Program("@njit\ndef f(x): return x + 1\n@njit\ndef g(x): return f(x) * 10")
    assert program.g(1) == 20
    program.f.py_func.__code__ = (lambda x: x + 2).__code__
    assert (program.f(1), program.g(1)) == (3, 30)


def test_closures_see_a_changed_variable_in_the_next_call_and_so_do_their_callers():
    program = Program(
        """
        def make():
            step, name = 1000.0, "a"
            @njit
            def inner(x): return x + step + len(name)
            @njit
            def outer(x): return inner(x) * 10
            def change(new_step, new_name):
                nonlocal step, name
                step, name = new_step, new_name
            return inner, outer, change
        """
    )
    inner, outer, change = program.make()
    assert (inner(0), outer(0)) == (1001, 10010)
    change(2000.0, "bb")
    assert (outer(0), inner(0)) == (20020, 2002)
    change(float("1000"), "a")
    assert (inner(0), outer(0)) == (1001, 10010)
    change(float("1000"), "a")  # an equal float that is another object
    assert (inner(0), outer(0)) == (1001, 10010)
    assert [watched.stats(each).compiled for each in (inner, outer)] == [2, 2]


def test_functions_with_signatures_keep_those_and_get_no_others():
    program = Program(
        """
        KIND = "a"
        @njit(["int64(int64)", "float64(float64)"])
        def f(x): return x + len(KIND)
        @njit("int64(int64)")
        def g(x): return f(x)
        """
    )
    assert (program.f(1), program.f(0.5), program.g(1)) == (2, 1.5, 2)
    program.KIND = "aaa"
    assert (program.g(1), program.f(1), program.f(0.5)) == (4, 4, 3.5)
    assert sorted(map(str, program.f.signatures)) == ["(float64,)", "(int64,)"]
    with pytest.raises(TypeError, match="No matching definition"):
        program.f("text")
    program.KIND = None
    for _ in range(2):
        with pytest.raises(numba.TypingError):
            program.f(1)
    program.KIND = "a"
    assert (program.f(1), program.f(0.5), program.g(1)) == (2, 1.5, 2)


def test_default_and_named_arguments_come_through_when_the_code_is_exchanged():
    program = Program('KIND = "a"\n@njit\ndef f(x, y=10, *rest): return x, y, rest, len(KIND)')
    for program.KIND in ("a", "bb", "a"):
        n = len(program.KIND)
        assert program.f(1) == (1, 10, (), n)
        assert program.f(1, y=2) == (1, 2, (), n)
        assert program.f(1, 2, 3, 4) == (1, 2, (3, 4), n)


def test_what_did_not_compile_may_compile_after_a_change():
    program = Program("X = None\n@njit\ndef f(): return X + 1")
    with pytest.raises(numba.TypingError):
        program.f()
    program.X = 2
    assert program.f() == 3


def test_a_function_with_a_signature_that_calls_itself_before_it_has_its_name():
    """As in pynndescent: numba compiles it while the decorator runs."""
    program = Program(
        """
        K = 1
        @njit("int64(int64)")
        def f(n): return K if n <= 0 else f(n - 1) + K
        """
    )
    before = program.f
    assert program.f(3) == 4
    assert program.stats("f") == [(1, 0, 1)]
    program.K = 2
    assert program.f(3) == 8
    program.f = program.njit(lambda n: 100)
    assert before(3) == 102
    program.f = before
    assert before(3) == 8
    assert program.stats("f") == [(2, 1, 1)]


def test_a_function_that_calls_itself():
    program = Program(
        """
        KIND = "a"
        @njit
        def f(n):
            if n <= 0:
                return len(KIND)
            return f(n - 1) + 1
        """
    )
    assert program.f(3) == 4
    program.KIND = "aaa"
    assert program.f(3) == 6
    assert program.stats("f") == [(2, 0, 0)]


def test_code_in_which_numba_has_names_of_its_own():
    program = Program(
        """
        KIND, FLAG, STEP = "a", True, 2
        @njit
        def f(x):
            try:
                if FLAG:
                    raise ValueError("text")
                return x + len(KIND)
            except Exception:
                return -STEP
        """
    )
    assert program.f(1) == -2
    program.FLAG, program.STEP = False, 3
    assert program.f(1) == 2
    program.KIND = "aaa"
    assert program.f(1) == 4
    program.FLAG = True
    assert program.f(1) == -3
    assert program.stats("f") == [(2, 0, 0)]


def test_recompile_of_numbas_own_gives_right_code_too():
    program = Program('KIND = "a"\n@njit\ndef f(): return len(KIND)')
    assert program.f() == 1
    program.KIND = "aa"
    program.f.recompile()
    assert program.f() == 2
    program.KIND = "a"
    assert program.f() == 1


def test_a_function_with_its_code_is_freed_when_nobody_has_it():
    import gc
    import weakref

    import depwatch

    before = depwatch.stats()["handles"]
    program = Program('KIND, X = "a", 1\n@njit\ndef f(): return len(KIND) + X')
    assert program.f() == 2
    program.KIND = "aa"
    assert program.f() == 3
    dispatcher = weakref.ref(program.f)
    libraries = [weakref.ref(result.library) for result in program.f.overloads.values()]
    assert depwatch.stats()["handles"] == before + 4
    del program.f  # numba itself frees no function that its own globals name
    gc.collect()
    assert (dispatcher(), [library() for library in libraries]) == (None, [None])
    assert depwatch.stats()["handles"] == before


@pytest.mark.parametrize("times", [10, pytest.param(70_000, marks=pytest.mark.slow)])
def test_a_value_is_followed_however_often_it_has_changed(times):
    program = Program(
        """
        import enum
        X, KIND = 1, "a"
        class Color(enum.IntEnum):
            RED = 1
        @njit
        def f(): return X + len(KIND) + Color.RED.value
        """
    )
    first = program.KIND
    assert program.f() == 3
    for number in range(times):
        program.X, program.KIND = number, "other"
        program.Color.GREEN = number
        if number % 3000 < 10:
            depwatch.drain()
    program.X, program.KIND = 5, "aaa"
    assert program.f() == 9
    program.X, program.KIND = 2.5, first
    assert program.f() == 4.5
    program.X = 7
    assert program.f() == 9
