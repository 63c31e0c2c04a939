"""What numba can be asked for, row by row: kept right, or refused with the reason; never stale without a word."""

import array
import ctypes
import types
import warnings

import numba
import numpy as np
import pytest
from numba.experimental import jitclass
from numba.typed import List
from numba_programs import Program, compilations  # noqa: F401 (a fixture)

import depwatch.integrations.numba as watched
from depwatch import Unwatchable
from depwatch.integrations.numba import njit
from support import python

# --- other ways in which one function gets into the code of another --------------------------------------------------


def test_a_dispatcher_as_an_argument():
    program = Program(
        """
        KIND = "a"
        @njit
        def leaf(x): return x + len(KIND)
        @njit
        def apply(f, x): return f(x)
        """
    )
    assert program.apply(program.leaf, 1) == 2
    program.KIND = "aaa"
    assert program.apply(program.leaf, 1) == 4


@pytest.mark.filterwarnings("ignore:First-class function type")
def test_a_dispatcher_in_a_tuple_and_from_a_closure():
    program = Program(
        """
        KIND = "a"
        @njit
        def leaf(x): return x + len(KIND)
        PAIR = (leaf, 1)
        @njit
        def f(x): return PAIR[0](x)
        def make(g):
            @njit
            def h(x): return g(x)
            return h
        """
    )
    h = program.make(program.leaf)
    assert (program.f(1), h(1)) == (2, 2)
    program.KIND = "aaa"
    assert (program.f(1), h(1)) == (4, 4)


def test_code_that_numba_has_compiled_for_itself_with_a_function_of_ours_in_it():
    program = Program(
        """
        KIND = "a"
        @njit
        def step(x): return x + len(KIND)
        @njit
        def f(values):
            total = 0
            for value in map(step, values):
                total += value
            return total
        """
    )
    for program.KIND in ("a", "aaa", "a"):
        assert program.f((1, 2)) == 3 + 2 * len(program.KIND)


def test_callees_that_were_compiled_before_they_were_watched(compilations):  # noqa: F811
    program = Program(
        """
        import numba
        KIND = "a"
        @numba.njit
        def leaf(x): return x + len(KIND)
        """
    )
    assert program.leaf(1) == 2
    program.KIND = "aaa"
    assert program.leaf(1) == 2  # plain numba
    exec("@njit\ndef f(x): return leaf(x)", vars(program))
    assert program.f(1) == 4
    program.KIND = "aaaaa"
    assert program.f(1) == program.leaf(1) == 6


def test_callers_that_nobody_asked_to_watch_are_watched_if_what_they_call_is():
    program = Program(
        """
        import numba
        KIND = "a"
        @njit
        def leaf(x): return x + len(KIND)
        @numba.njit
        def middle(x): return leaf(x)
        @numba.njit("int64(int64)")
        def outer(x): return middle(x) * 10
        """
    )
    assert (program.outer(1), program.middle(1)) == (20, 2)
    program.KIND = "aaa"
    assert (program.outer(1), program.middle(1)) == (40, 4)
    with pytest.raises(TypeError, match="No matching definition"):
        program.outer("text")


def test_watch_compiles_again_what_is_compiled_already():
    program = Program('import numba\nKIND, X = "a", 1\n@numba.njit\ndef f(): return len(KIND) + X')
    assert program.f() == 2
    program.KIND, program.X = "aaa", 10
    assert program.f() == 2
    assert watched.watch(program.f) is program.f
    assert program.f() == 13
    program.KIND = "a"
    program.X = 20
    assert program.f() == 21
    assert watched.watch(program.f) is program.f
    with pytest.raises(ValueError, match="f is watched with policy None, not 'bulk'"):
        watched.watch(program.f, policy="bulk")


# --- refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, arguments", [
    ("cfunc", ("int64(int64)",)), ("vectorize", ()), ("vectorize", (["int64(int64)"],)),
    ("guvectorize", (["(int64[:],int64[:])"], "(n)->(n)")), ("jitclass", ([("a", numba.int64)],)), ("stencil", ()),
])  # fmt: skip
def test_decorators_whose_code_cannot_be_taken_back(name, arguments):
    with pytest.raises(Unwatchable, match=rf"@{name} makes a .*use @njit, or numba.{name}"):
        getattr(watched, name)(*arguments)


def doubled(x):
    return 2 * x


def copied(x, out):
    for i in range(len(x)):
        out[i] = x[i]


class Jitted:
    def __init__(self, a):
        self.a = a


def jitted():
    return jitclass([("a", numba.int64)])(Jitted)


@pytest.mark.parametrize("make, why", [
    (lambda: numba.cfunc("int64(int64)")(doubled), "C callback"),
    (lambda: numba.guvectorize(["(int64[:],int64[:])"], "(n)->(n)")(copied), "@guvectorize"),
    (jitted, "jitclass"),
    (lambda: numba.stencil(lambda a: a[-1] + a[1]), "stencil"),
])  # fmt: skip
def test_watched_code_cannot_use_them_either_and_neither_can_they_be_watched(make, why):
    thing = make()
    with pytest.raises(Unwatchable, match=f"{why}.*use @njit"):
        watched.watch(thing)
    with pytest.raises(Unwatchable, match=rf"global 'thing' of f is .*{why}.*call a function made by @njit instead"):
        Program("@njit\ndef f(x): return thing(x)", thing=thing)


def test_a_ufunc_called_from_python_cannot_be_watched():
    with pytest.raises(Unwatchable, match=r"@vectorize.*use @njit"):
        watched.watch(numba.vectorize(["int64(int64)"])(doubled))


def test_an_instance_of_a_jitclass_as_an_argument():
    program = Program("@njit\ndef f(x): return x.a")
    with pytest.raises(Unwatchable, match=r"f uses an instance of .*Jitted.*its methods are compiled into"):
        program.f(jitted()(1))


@pytest.mark.filterwarnings("ignore:First-class function type")
def test_functions_called_by_their_address():
    program = Program(
        """
        @njit("int64(int64)")
        def one(x): return x + 1
        @njit("int64(int64)")
        def two(x): return x + 2
        @njit
        def f(functions, x):
            total = 0
            for function in functions:
                total += function(x)
            return total
        """
    )
    with pytest.raises(Unwatchable, match=r"f calls a function by its address.*pass functions .* one by one"):
        program.f((program.one, program.two), 1)


MUTABLE = {
    "an array that can be written to": np.arange(3),
    "a view of one": np.arange(3)[:],
    "a read-only view of one": np.broadcast_to(np.arange(3), (2, 3)),
    "one in a tuple": (1, np.arange(3)),
    "a list": [1, 2],
    "a typed list": lambda: List([1, 2]),  # made where it is used: that compiles much
    "a dict": {"a": 1},
    "a bytearray": bytearray(b"ab"),
    "an array of the standard library": array.array("d", [1.0]),
    "a record": np.array([(1, 2.0)], dtype=[("a", "i8"), ("b", "f8")])[0],
}


@pytest.mark.parametrize("value", MUTABLE.values(), ids=MUTABLE)
def test_data_that_can_change_in_place_is_refused_when_the_function_is_decorated(value):
    value = value() if callable(value) else value
    with pytest.raises(Unwatchable, match=r"global 'A' of f .*pass it as an argument"):
        Program("@njit\ndef f(i): return A[i]", A=value)
    with pytest.raises(Unwatchable, match=r"variable 'a' around make.<locals>.f .*pass it as an argument"):
        Program("def make(a):\n  @njit\n  def f(i): return a[i]\nmake(A)", A=value)


def test_data_that_can_change_in_place_and_comes_later_is_refused_at_the_call():
    program = Program("@njit\ndef f(i): return A[i]")
    program.A = np.arange(3)
    with pytest.raises(Unwatchable, match="global 'A' of f"):
        program.f(1)
    program.A.setflags(write=False)
    assert program.f(1) == 1
    program.A = np.arange(10, 13)
    with pytest.raises(Unwatchable, match="global 'A' of f"):
        program.f(1)


def test_decorating_runs_no_code_of_a_global():
    asked = []

    class Meta(type):
        def __getattribute__(cls, name):
            asked.append(name)
            return type.__getattribute__(cls, name)

        def __hash__(cls):
            asked.append("hash")
            return 1

    class Odd(metaclass=Meta):
        def __getattribute__(self, name):
            asked.append(name)
            raise KeyError(name)

        __hash__ = None

    odd = Odd()
    asked.clear()
    Program("@njit\ndef f(x): return A(B(x))", A=odd, B=Odd)
    assert asked == []


def test_what_is_inside_objmode_is_python_and_may_be_anything():
    program = Program(
        """
        from numba import objmode
        SEEN, X = [], 1
        @njit
        def f(x):
            with objmode(n="int64"):
                SEEN.append(x)
                n = len(SEEN) + X
            return n + X
        """
    )
    assert program.f(1) == 3
    program.X = 10
    assert program.f(1) == 22
    assert program.SEEN == [1, 1]


def test_code_that_links_what_was_watched_later_is_compiled_again():
    program = Program(
        """
        import numba
        NAME = "a"
        @numba.njit
        def leaf(x): return x + len(NAME)
        @numba.njit
        def middle(x): return leaf(x)
        @njit
        def f(x): return middle(x)
        """
    )
    assert program.middle(1) == 2
    watched.watch(program.leaf)
    assert program.f(1) == 2
    program.NAME = "aa"
    assert (program.f(1), program.middle(1)) == (3, 3)


class Native(numba.types.WrapperAddressProtocol):
    """A function of the C library, as libraries give numba those of SciPy."""

    def __init__(self, name):
        self.address = ctypes.cast(getattr(ctypes.CDLL("libm.so.6"), name), ctypes.c_void_p).value

    def __wrapper_address__(self):
        return self.address

    def signature(self):
        return numba.float64(numba.float64)


def test_native_functions_given_by_their_address_are_followed_by_name():
    program = Program("@njit\ndef f(x): return native(x)", native=Native("fabs"))
    assert program.f(-1.5) == 1.5
    program.native = Native("floor")
    assert program.f(-1.5) == -2.0
    assert program.stats("f") == [(2, 0, 0)]


def test_native_functions_that_are_arguments_are_refused_as_all_addresses_are():
    program = Program("@njit\ndef f(native, x): return native(x)")
    with pytest.raises(Unwatchable, match="f calls a function by its address"):
        program.f(Native("fabs"), -1.5)


@pytest.fixture
def cached_leaf(tmp_path, monkeypatch):
    """Makes a function of plain numba with cache=True, anew each time; called once, so that it is on the disk."""
    monkeypatch.setattr(numba.core.config, "CACHE_DIR", str(tmp_path))
    source = tmp_path / "cached_leaf.py"
    source.write_text("import numba\nKIND = 'a'\n@numba.njit(cache=True)\ndef leaf(x): return x + len(KIND)\n")

    def make():
        program = Program("exec(compile(text, path, 'exec'))", text=source.read_text(), path=str(source))
        assert program.leaf(1) == 2
        return program

    make()
    return make


@pytest.mark.filterwarnings("ignore:.*has cache=True")
def test_code_that_numba_has_from_its_cache_is_compiled_again_when_it_is_watched(cached_leaf):
    program = cached_leaf()
    assert sum(program.leaf.stats.cache_hits.values()) == 1
    watched.watch(program.leaf)
    program.KIND = "aa"
    assert program.leaf(1) == 3
    folder = program.leaf.stats.cache_path
    program.leaf.enable_caching()
    assert program.leaf.stats.cache_path == folder is not None


@pytest.mark.filterwarnings("ignore:.*has cache=True")
@pytest.mark.parametrize("source", ["def f(_, x): return leaf(x)", "def f(leaf, x): return leaf(x)"])
def test_code_from_the_disk_is_compiled_again_when_a_watched_function_calls_it(cached_leaf, source):
    program = cached_leaf()
    caller = Program(f"@njit\n{source}", leaf=program.leaf)
    assert caller.f(program.leaf, 1) == 2
    program.KIND = "aa"
    assert (caller.f(program.leaf, 1), program.leaf(1)) == (3, 3)


def test_a_function_that_cannot_be_stored_is_told_once_with_the_reason(tmp_path):
    program = tmp_path / "program.py"
    program.write_text("""
import warnings
import numba
from depwatch.integrations.numba import njit
@njit(cache=True)
def f(x):
    yield x
@njit("int64()", cache=True)
def stored(): return 2
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    f(1), f(1.5)
print(*[(str(warning.message), warning.lineno, warning.filename) for warning in told])
""")
    printed = python(program, NUMBA_CACHE_DIR=str(tmp_path))
    why = "it has a function or class in it that no module has by its name"
    reason = f"__main__.f has cache=True and is compiled in each process: {why}"
    assert printed == f"{(reason, 12, str(program))}\n"
    assert [path.name.partition("-")[0] for path in tmp_path.rglob("*/*")] == ["program.stored"]


def test_defaults_that_are_changed_behind_numbas_back():
    program = Program("@njit\ndef f(x=1): return x\n@njit\ndef g(): return f()")
    assert (program.f(), program.g()) == (1, 1)
    before = program.f.py_func.__defaults__
    program.f.py_func.__defaults__ = (2,)
    for call in (program.f, program.g, program.f):
        with pytest.raises(
            Unwatchable, match=r"defaults of <function f>: they were changed.*decorate the function again"
        ):
            call()
    program.f.py_func.__defaults__ = before
    assert (program.f(), program.g()) == (1, 1)
    assert [put_back for _, put_back, _ in program.stats("f", "g")] == [1, 1]


def test_code_that_cannot_be_taken_back_cannot_call_a_watched_function():
    program = Program('KIND = "a"\n@njit\ndef leaf(x): return x + len(KIND)')
    exec("import numba\ndef f(x): return leaf(x)", vars(program))
    with pytest.raises(Unwatchable, match=r"leaf is called by code.*@cfunc.*call it from @njit code"):
        numba.cfunc("int64(int64)")(program.f)
    with pytest.raises(Unwatchable, match="leaf is called by code"):
        numba.vectorize(["int64(int64)"])(program.f)
    assert numba.njit(program.f)(1) == 2
    program.ufunc = numba.vectorize(program.f)
    exec("@numba.njit\ndef calls_ufunc(x): return ufunc(x)", vars(program))
    with pytest.raises(Unwatchable, match="leaf is called by code"):
        program.calls_ufunc(1)


def test_a_method_of_a_jitclass_cannot_call_a_watched_function():
    program = Program(
        """
        from numba.experimental import jitclass
        import numba
        KIND = "a"
        @njit
        def leaf(x): return x + len(KIND)
        @jitclass([("a", numba.int64)])
        class C:
            def __init__(self, a): self.a = a
            def method(self): return leaf(self.a)
        """
    )
    with pytest.raises(Unwatchable, match="method of a jitclass and calls a watched function"):
        program.C(1).method()


@pytest.mark.parametrize("thing", [len, lambda: 1, 3, "f", None])
def test_what_is_no_jitted_function_is_told_from_what_is(thing):
    for call in (watched.watch, watched.stats, watched.explain):
        with pytest.raises(TypeError, match="is no function jitted by numba"):
            call(thing)


def test_object_mode_is_refused():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = numba.jit(forceobj=True)(lambda x: x)
    with pytest.raises(Unwatchable, match="object mode"):
        watched.watch(plain)


def test_arguments_that_make_no_sense():
    with pytest.raises(ValueError, match="there is no policy 'none'; there are 'bulk', 'granular', 'error' and None"):
        njit(policy="none")
    with pytest.raises(TypeError, match="keep must be an int, not True"):
        njit(keep=True)
    with pytest.raises(ValueError, match="keep is 0; at least 1"):
        njit(keep=0)
    with pytest.raises(ValueError, match="is not watched; use watch"):
        watched.stats(numba.njit(lambda: 1))
    with pytest.raises(TypeError):
        njit(3)


def test_options_of_numbas_are_passed_on():
    @njit(boundscheck=True, fastmath={"contract"}, nogil=True, error_model="numpy")
    def f(a, i):
        return a[i] / 0

    with pytest.raises(IndexError):
        f(np.arange(3), 3)
    assert f(np.arange(1, 3), 1) == np.inf
    assert f.targetoptions["fastmath"] == {"contract"} and f.targetoptions["nogil"]


def test_a_compiler_class_of_the_users_is_followed_too():
    from numba.core.compiler import CompilerBase, DefaultPassBuilder

    class Own(CompilerBase):
        def define_pipelines(self):
            made.append("pipeline")
            return [DefaultPassBuilder.define_nopython_pipeline(self.state)]

    made = []
    program = Program("X = 1\n@njit(pipeline_class=Own)\ndef f(): return X", Own=Own)
    assert program.f() == 1
    program.X = 2
    assert (program.f(), made) == (2, ["pipeline"])


def test_plain_numba_goes_on_with_what_watched_code_is_refused():
    program = Program(
        """
        import functools, numba, operator
        from numba.extending import overload
        ARRAY = np.arange(3)
        def hook(x): pass
        overload(hook, strict=False)(CHOOSER)
        @numba.njit(inline="always")
        def copied(x, table=ARRAY): return table[x] + ARRAY[x]
        @numba.njit
        def by_module(m, x): return m.ARRAY[x]
        @numba.njit
        def plain(x): return copied(x) + by_module(config, x) + config.ARRAY[x] + len(list(map(copied, [x])))
        """,
        np=np, config=types.ModuleType("config"), CHOOSER=lambda x: None,
    )  # fmt: skip
    program.config.ARRAY = program.ARRAY
    assert program.plain(1) == 5
    exec("@njit\ndef watches(x): return plain(x)", vars(program))
    with pytest.raises(Unwatchable, match=r"ARRAY.*can be written to"):
        program.watches(1)
