"""What @overload implementations read is followed in every function that gets them."""

import pytest
from numba_programs import Program, compilations  # noqa: F401 (a fixture)

OVERLOADED = """
from numba.extending import overload

KIND, X = "a", 10

def target(x): pass

@overload(target{options})
def typed(x):
    {body}

@njit
def f(x): return target(x)

@njit
def outer(x): return f(x) * 100
"""
BODIES = {
    "what the implementation reads": "return lambda x: x + len(KIND)",
    "what chooses the implementation": "return (lambda x: x + 1) if KIND == 'a' else (lambda x: x + 3)",
    "what the implementation has from around it": "n = len(KIND)\n    def impl(x): return x + n\n    return impl",
}


@pytest.mark.parametrize("options", ["", pytest.param(", inline='always'", marks=pytest.mark.slow)])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_overloads(body, options):
    program = Program(OVERLOADED.format(body=body, options=options))
    assert (program.outer(1), program.f(1)) == (200, 2)
    first = program.KIND
    program.KIND = "aaa"
    assert (program.outer(1), program.f(1)) == (400, 4)
    program.KIND = first
    assert (program.outer(1), program.f(1)) == (200, 2)
    assert program.stats("f", "outer") == [(2, 1, 0), (2, 1, 0)]


def test_overloads_load_from_cells_too():
    program = Program(OVERLOADED.format(body="return lambda x: x + X", options=""))
    for program.X in (10, 20, 30):
        assert program.outer(1) == (1 + program.X) * 100
    assert program.stats("outer") == [(1, 0, 0)]


def test_overloads_that_were_compiled_before_for_code_that_is_not_watched():
    program = Program(OVERLOADED.format(body="return lambda x: x + len(KIND)", options=""))
    exec("import numba\n@numba.njit\ndef plain(x): return target(x)", vars(program))
    assert program.plain(1) == 2
    program.KIND = "aaa"
    assert program.outer(1) == 400
    program.KIND = "aaaaa"
    assert program.outer(1) == 600
    assert (
        program.plain(1) == 2
    )  # nobody asked to watch this one, and nothing that is watched was in it when it was compiled


def test_methods_and_attributes_that_overloads_add():
    program = Program(
        """
        from numba import types
        from numba.extending import overload_attribute, overload_method

        KIND = "a"

        @overload_method(types.UnicodeType, "depwatch_method")
        def method(text):
            return lambda text: len(text) + len(KIND)

        @overload_attribute(types.UnicodeType, "depwatch_attribute")
        def attribute(text):
            n = len(KIND)
            def get(text): return n
            return get

        @njit
        def f(text): return text.depwatch_method() * 100 + text.depwatch_attribute
        """
    )
    assert program.f("x") == 201
    program.KIND = "aaa"
    assert program.f("x") == 403


def test_register_jitable_functions():
    program = Program(
        """
        from numba.extending import register_jitable
        KIND = "a"
        @register_jitable
        def helper(x): return x + len(KIND)
        @njit
        def f(x): return helper(x)
        """
    )
    assert program.f(1) == 2
    program.KIND = "aaa"
    assert program.f(1) == 4
