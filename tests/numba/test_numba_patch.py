"""Whole programs: patch(), DEPWATCH_NUMBA=1 and `python -m depwatch numba`."""

import textwrap

import pytest

import parent
from depwatch.integrations.numba import patch

BEGIN = """
import numba
from numba import njit, vectorize
import numpy as np
from depwatch.integrations import numba as watched
K, TABLE = 1, np.arange(3)
"""
REFUSED = (
    "global 'TABLE' of {} is a NumPy array that can be written to: numba compiles its contents in, and nobody is told "
    "of a store into an array; pass it as an argument, or make it and what it is a view of read-only "
    "(array.setflags(write=False))"
)
UFUNC = "a ufunc (@vectorize): NumPy keeps the compiled loops, which cannot be taken out again"


def run(program, *, begin=BEGIN, **environment):
    """The lines that a program prints to stdout and to stderr. Its process has imported numba, but not depwatch."""
    done = parent.parent("numba").run(begin + textwrap.dedent(program), environment=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr.splitlines()


def test_functions_that_numba_decorates_after_patch_are_watched_by_any_name(tmp_path):
    program = tmp_path / "program.py"  # jit_module asks inspect for the module, which needs a file
    program.write_text(
        BEGIN
        + textwrap.dedent(
            """
            watched.patch()
            @njit
            def by_old_name(x): return x + K
            @numba.jit(nogil=True)
            def by_jit(x): return x + K
            @numba.njit("int64(int64)")
            def with_signature(x): return x + K
            def whole_module(x): return x + K
            numba.jit_module(nopython=True)
            functions = by_old_name, by_jit, with_signature, whole_module
            print([f(1) for f in functions])
            K = 10
            print([f(1) for f in functions], with_signature.signatures)
            """
        )
    )
    done = parent.parent("numba").run(program)
    assert done.stdout.splitlines() == ["[2, 2, 2, 2]", "[11, 11, 11, 11] [(int64,)]"]
    assert done.stderr == ""


def test_our_decorator_in_the_place_of_numbas_does_not_call_itself():
    out, listed = run(
        """
        numba.njit = watched.njit
        @numba.njit
        def f(x): return x + K
        print(f(1))
        K = 10
        print(f(1))
        """
    )
    assert (out, listed) == (["2", "11"], [])


def test_the_module_has_what_people_take_from_numba_beside_the_decorators():
    out, listed = run(
        """
        import depwatch.integrations.numba as nb
        @nb.njit(parallel=True)
        def total(n):
            found = 0
            for i in nb.prange(n): found += K
            return found
        print(total(4))
        K = 3
        print(total(4), nb.float64 is numba.float64, nb.typed.List is numba.typed.List)
        """
    )
    assert (out, listed) == (["4", "12 True True"], [])


def test_what_must_be_refused_stays_plain_numba_and_is_listed_once_at_the_end():
    out, listed = run(
        """
        watched.patch()
        @njit
        def look_up(x): return TABLE[x]
        @njit
        def both(x): return look_up(x) + K
        @vectorize
        def twice(x): return both(x)
        @numba.njit
        def never_called(x): return TABLE[x]
        print(look_up(1), look_up(np.int8(1)), both(1), twice(np.array([1])))
        TABLE[1], K = 7, 2
        print(look_up(1), both(1), twice(np.array([1])))
        print(watched.explain(look_up))
        """
    )
    refused = REFUSED.format("look_up")
    assert out == ["1 1 2 [2]", "1 3 [3]", f"look_up stays plain numba: {refused}"]
    assert listed == [
        "depwatch: plain numba, not watched: 2",
        f"  __main__.twice: {UFUNC}",
        f"  __main__.look_up: {refused}",
    ]


def test_refused_functions_of_every_kind_do_what_they_do_in_numba():
    out, listed = run(
        """
        watched.patch()
        @njit
        def even(n): return True if n == 0 else odd(n - 1)
        @njit
        def odd(n): return TABLE[0] > 0 if n == 0 else even(n - 1)
        @njit
        def numbers(n):
            for i in range(n): yield TABLE[i]
        @njit
        def total(n):
            found = 0
            for x in numbers(n): found += x * K
            return found
        @njit(parallel=True)
        def in_parallel(n):
            found = 0
            for i in numba.prange(n): found += TABLE[i]
            return found
        @njit(inline="always")
        def copied(i): return TABLE[i]
        @njit
        def copies(i): return copied(i)
        @njit
        def factorial(n): return 1 if n < 2 else n * factorial(n - 1) * TABLE[1]
        print(even(10), odd(7), list(numbers(3)), total(3), in_parallel(3), copies(2), factorial(5))
        K = 2
        print(total(3), even(10), watched.stats(even).compiled)
        even.py_func.__code__ = (lambda n: False if n == 0 else odd(n - 1)).__code__
        print(even(0), even(10), odd(1))
        @njit
        def broken(): return nothing_of_this_name
        try:
            broken()
        except numba.TypingError as error:
            print(error.__context__)
        """
    )
    assert out == ["True True [0, 1, 2] 3 3 2 120", "6 True 1", "False True True", "None"]
    names = [line.split(": ")[0].removeprefix("  __main__.") for line in listed[1:]]
    assert names == ["odd", "numbers", "in_parallel", "copies", "factorial"]


def test_what_numbas_other_decorators_make_goes_on_as_in_numba_and_is_listed():
    out, listed = run(
        """
        from numba.experimental import jitclass
        watched.patch()
        @njit
        def f(x): return x + K
        @numba.cfunc("int64(int64)")
        def callback(x): return f(x)
        @numba.stencil
        def kernel(a): return a[0] + a[1]
        @jitclass([("x", numba.int64)])
        class Box:
            def __init__(self): self.x = f(1)
            def get(self): return f(self.x)
        @numba.guvectorize("(int64[:], int64[:])", "(n)->(n)")
        def ufunc(a, out):
            for i in range(a.shape[0]): out[i] = f(a[i])
        print(callback.ctypes(1), Box().get(), ufunc(np.arange(2)), kernel(np.arange(3)))
        """
    )
    assert out == ["2 3 [1 2] [1 3 0]"]
    assert [line.split(": ")[0] for line in listed] == [
        "depwatch",
        "  __main__.callback",
        "  __main__.kernel",
        "  __main__.Box",
        "  __main__.ufunc",
    ]


def test_code_that_cannot_be_taken_back_keeps_the_cells_of_what_it_calls():
    out, _ = run(
        """
        import gc
        watched.patch()
        def make():
            @njit
            def f(x): return x + K + len(NAME)
            @vectorize
            def ufunc(x): return f(x)
            return ufunc
        NAME = "a"
        ufunc = make()
        print(ufunc(np.array([1])))
        gc.collect()
        K = 10
        print(ufunc(np.array([1])))
        """
    )
    assert out == ["[3]", "[12]"]


STORED_PLAIN = """
from depwatch.integrations.numba import patch
import numba
from numba import cfunc, guvectorize, njit, vectorize
import numpy as np
patch()
K = {value}
@njit
def g(x): return x + K
@njit
def block(x):
    with numba.objmode(r="int64"):
        r = x + K
    return r
@vectorize(["int64(int64)"], cache=True)
def v(x): return g(x) + block(x)
@cfunc("int64(int64)", cache=True)
def c(x): return g(x)
@guvectorize(["int64[:],int64[:]"], "(n)->(n)", cache=True)
def w(x, y):
    for i in range(x.size):
        y[i] = g(x[i])
@vectorize(["int64(int64)"], cache=True)
def alone(x): return x
if __name__ == "__main__":
    print(v(3), c.ctypes(3), w(np.array([3])), alone(3))
"""


def test_code_of_numbas_other_decorators_is_not_stored_with_watched_code_in_it(tmp_path):
    program = tmp_path / "program.py"
    for value in (1, 1, 2):
        program.write_text(STORED_PLAIN.format(value=value))
        done = parent.parent("numba").run(program, environment={"NUMBA_CACHE_DIR": str(tmp_path / "cache")})
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{6 + 2 * value} {3 + value} [{3 + value}] 3\n"
        why = "it is plain numba, and has code of a watched function in it"
        assert [line for line in done.stderr.splitlines() if why in line] == [
            f"  program.{name}: {why}" for name in ("v", "c", "w")
        ]
        assert {path.name.partition("-")[0] for path in tmp_path.rglob("*.nbi")} == {"program.alone"}


def test_after_unpatch_numba_is_as_before_and_what_is_watched_stays_so():
    out, _ = run(
        """
        before = numba.core.decorators._jit, numba.core.ccallback.CFunc.__init__, numba.njit
        watched.patch()
        watched.patch()
        @njit
        def f(): return K
        watched.unpatch()
        watched.unpatch()
        @njit
        def plain(): return K
        f(), plain()
        K = 2
        print(f(), plain())
        print(before == (numba.core.decorators._jit, numba.core.ccallback.CFunc.__init__, numba.njit))
        """
    )
    assert out == ["2 1", "True"]


def test_patched_functions_are_dispatchers_and_pickle_as_ever():
    out, _ = run(
        """
        import pickle
        from numba.core.registry import CPUDispatcher
        watched.patch()
        @njit
        def f(): return K
        f()
        print(type(f) is CPUDispatcher, pickle.loads(pickle.dumps(f)) is f, numba.extending.is_jitted(f))
        """
    )
    assert out == ["True True True"]


def test_numbas_own_functions_and_implementations_are_left_alone():
    out, listed = run(
        """
        from numba.extending import overload
        watched.patch()
        def hook(x): ...
        @overload(hook)
        def choose(x): return lambda x: x + K
        @njit
        def f(x): return hook(x) + np.linalg.norm(np.ones(4))
        print(f(1))
        K = 2
        print(f(1))
        """
    )
    assert (out, listed) == (["4.0", "5.0"], [])


def test_patch_can_raise_as_the_decorator_does():
    out, listed = run(
        """
        watched.patch(on_refusal="raise")
        @njit
        def f(x): return TABLE[x]
        try:
            f(1)
        except Exception as error:
            print(type(error).__name__, str(error)[:27])
        """
    )
    assert (out, listed) == (["Unwatchable global 'TABLE' of f is a Nu"], [])


def test_a_decorated_function_that_must_not_be_stale_calls_nothing_plain():
    out, listed = run(
        """
        watched.patch()
        @njit
        def look_up(x): return TABLE[x]
        look_up(1)
        @watched.njit
        def strict(x): return look_up(x)
        try:
            strict(1)
        except Exception as error:
            print(type(error).__name__, str(error)[:52])
        """
    )
    assert out == ["Unwatchable strict calls look_up, which stays plain numba: globa"]
    assert [line.split(": ")[0] for line in listed] == ["depwatch", "  __main__.look_up"]


def test_a_policy_is_kept_by_the_decorator_of_depwatch_while_numba_is_patched():
    out, _ = run(
        """
        watched.patch()
        @watched.njit(policy="error")
        def f(): return K
        f()
        K = 2
        try:
            f()
        except watched.Changed as error:
            print(error.args[0][:14])
        """
    )
    assert out == ["f was compiled"]


def test_an_argument_of_patch_that_is_none_is_refused():
    with pytest.raises(ValueError, match="on_refusal is 'ignore'; it must be 'raise' or 'plain'"):
        patch(on_refusal="ignore")


def test_switched_off_patch_does_nothing():
    out, _ = run(
        """
        before = numba.core.decorators._jit
        watched.patch()
        print(numba.core.decorators._jit is before)
        """,
        DEPWATCH="0",
    )
    assert out == ["True"]


PROGRAM = """
import sys
import numba
from numba import njit
K = 1
@njit("int64(int64)")
def with_signature(x): return x + K
@njit
def early(x): return x + K
early(1)
@njit
def late(x): return x + K
late(1)
K = 5
print(with_signature(1), early(1), late(1), "depwatch" in sys.modules, sys.argv[1:], __name__)
"""
STALE, RIGHT = "2 2 2 False", "6 6 6 True"


@pytest.mark.parametrize(
    "environment, expected",
    [({"DEPWATCH_NUMBA": "1"}, RIGHT), ({}, STALE), ({"DEPWATCH_NUMBA": "1", "DEPWATCH": "0"}, STALE)],
)
def test_an_environment_variable_watches_what_was_decorated_before_the_first_call(environment, expected):
    out, listed = run(PROGRAM, begin="", **environment)
    assert (out, listed) == ([f"{expected} [] __main__"], [])


def test_code_with_a_signature_that_comes_from_the_disk_is_watched_too(tmp_path):
    source = tmp_path / "program.py"
    source.write_text(
        "import numba\nK = 1\n@numba.njit('int64(int64)', cache=True)\ndef f(x): return x + K\nfirst, K = f(1), 5\n"
        "print(first, f(1), sum(f.stats.cache_hits.values()))\n"
    )
    environment = {"NUMBA_CACHE_DIR": str(tmp_path)}
    outputs = [
        parent.parent("numba").run(source, environment=environment | more).stdout.splitlines()
        for more in ({}, {}, {"DEPWATCH_NUMBA": "1"})
    ]
    assert outputs == [["2 2 0"], ["2 2 1"], ["2 6 1"]]


def test_the_command_runs_scripts_and_modules_and_ends_as_they_do(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM + "sys.exit(3)\n")
    for how in (["program.py"], ["-m", "program"]):
        done = parent.depwatch("numba", *how, "-m", "x", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (3, f"{RIGHT} ['-m', 'x'] __main__\n"), done.stderr


def test_the_command_needs_a_program():
    done = parent.depwatch("numba")
    assert done.returncode == 2
    assert done.stderr.endswith("error: name a SCRIPT, or a MODULE after -m\n")


def test_processes_that_multiprocessing_starts_are_watched_and_list_nothing(tmp_path):
    source = tmp_path / "program.py"
    source.write_text(
        """
import multiprocessing, os, sys
import numba
import numpy as np
TABLE = np.ones(1, int)
K = 1
@numba.njit
def refused(x): return x + TABLE[0]
@numba.njit
def f(x): return x + K
def child(result):
    global K
    refused(1), f(1)
    K = 5
    result.put(f(1))
if __name__ == "__main__":
    refused(1)
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        result = context.SimpleQueue()
        process = context.Process(target=child, args=(result,))
        process.start()
        print(result.get())
        process.join()
"""
    )
    done = parent.depwatch("numba", str(source))
    assert done.stdout == "6\n6\n", done.stderr
    assert done.stderr.count("depwatch: plain numba, not watched: 1") == 1
