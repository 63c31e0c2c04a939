"""What is told: what broke, from what to what, where, when and at what cost; counters of one function and of all."""

import re

import pytest
from numba.core import event
from numba_programs import Program

import depwatch.integrations.numba as watched

SOURCE = """
KIND, UNIT, RATE = "fast", "kg", 2
@njit
def f(): return len(KIND) + len(UNIT) + RATE

def change(text):
    global KIND
    KIND = text
"""


def broke(function):
    """What explain() says of breaks, without the times."""
    lines = [line.strip() for line in watched.explain(function).splitlines() if "broke at" in line]
    return [re.sub(r"\d\d:\d\d:\d\d|\d+\.\d", "#", line) for line in lines]


def test_a_break_is_told_while_the_code_is_broken_and_after_that_with_what_it_cost():
    program = Program(SOURCE)
    assert program.f() == 8
    assert broke(program.f) == []
    program.change("slow and right")
    told = f"broke at #: global 'KIND' of module {program.__name__}: 'fast' -> 'slow and right', program:8"
    assert "() -> int64: broken" in watched.explain(program.f)
    assert broke(program.f) == [f"{told}; the next call mends it"]
    assert program.f() == 18
    assert broke(program.f) == [f"{told}; compiled again in # ms"]
    program.change("fast")
    assert program.f() == 8
    assert broke(program.f) == [
        f"{told}; compiled again in # ms",
        f"broke at #: global 'KIND' of module {program.__name__}: 'slow and right' -> 'fast', program:8; "
        "put back in # ms",
    ]


def test_an_undone_change_is_told_as_undone():
    program = Program(SOURCE)
    program.f()
    first = program.KIND
    program.change("other")
    assert broke(program.f)[0].endswith("the next call mends it")
    program.change(first)
    assert broke(program.f)[0].endswith("undone")


def test_a_variable_around_and_a_cell_whose_type_changed_are_told_too():
    program = Program(
        """
        RATE = 2
        def make():
            n = 1
            def assign(value):
                nonlocal n
                n = value
            @njit
            def f(): return n + RATE
            return f, assign
        f, assign = make()
        """
    )
    assert program.f() == 3
    program.assign(5)
    assert program.f() == 7
    program.RATE = "text"
    with pytest.raises(Exception, match=r"unicode_type|Cannot|Failed"):
        program.f()
    program.RATE = 2.5
    assert program.f() == 7.5
    told = "\n".join(broke(program.f))
    assert "variable 'n' of the function around <function make.<locals>.f>: 1 -> 5; compiled again in # ms" in told
    assert "'RATE': of type int of 64 bits -> 'text'" in told


def test_only_the_last_breaks_are_kept():
    program = Program(SOURCE)
    for text in "abcdefgh":
        program.change(text)
        program.f()
    assert len(broke(program.f)) == 5


def test_what_is_numbas_own_is_told_only_if_it_is_asked_for():
    program = Program("import numba\n@njit\ndef f(x): return numba.float32(x) + len(KIND)\nKIND = 'a'")
    program.f(1)
    told, all_of_it = watched.explain(program.f), watched.explain(program.f, internals=True)
    assert "has built in: global 'KIND'" in told and "numba.core" not in told
    assert set(told.splitlines()) <= set(all_of_it.splitlines())


def test_the_counters_of_all_functions_are_the_sum_of_what_has_happened():
    before = watched.stats()
    program = Program(SOURCE)
    for text in ("fast", "slow", "fast"):
        program.change(text)
        program.f()
    one, after = watched.stats(program.f), watched.stats()
    assert one == (2, 1, 0, 1)
    assert [after[i] - before[i] for i in range(3)] == [2, 1, 0]


def test_code_that_is_put_back_is_no_compilation_for_those_who_listen():
    class Hears(event.Listener):
        def on_start(self, event):
            heard.append(event.data["dispatcher"].py_func.__name__)

        def on_end(self, event):
            pass

    program = Program('KIND = "a"\n@njit\ndef leaf(): return len(KIND)\n@njit\ndef f(): return leaf()')
    heard, hears = [], Hears()
    first = program.KIND
    event.register("numba:compile", hears)
    try:
        for program.KIND in (first, "aaa", first, "aaa", first):
            assert program.f() == len(program.KIND)
    finally:
        event.unregister("numba:compile", hears)
    assert heard == ["f", "leaf"] * 2
    assert program.stats("f") == [(2, 3, 0)]
