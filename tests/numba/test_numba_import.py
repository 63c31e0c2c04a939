"""Who imports numba, and who does not."""

import sys

import pytest

from support import NO_NUMBA, python

if sys.version_info >= NO_NUMBA:
    pytest.skip("numba has no release for this CPython: nothing of test_numba_*.py runs", allow_module_level=True)


def test_depwatch_alone_never_imports_numba():
    assert python("import depwatch, depwatch.integrations, sys; print('numba' in sys.modules)") == "False\n"


def test_without_numba_the_import_says_what_to_install():
    out = python(
        """
        import sys
        sys.modules["numba"] = None
        try:
            import depwatch.integrations.numba
        except ImportError as error:
            print(error)
        """
    )
    assert out == "depwatch.integrations.numba needs numba: pip install depwatch[numba]\n"


def test_where_numba_compiles_nothing_the_decorator_gives_the_function_back(monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    out = python(
        """
        from depwatch.integrations.numba import njit
        X = 1
        def f(): return X
        print(njit(f) is f, njit(nogil=True)(f) is f, njit("int64()")(f) is f)
        """
    )
    assert out == "True True True\n"


def test_a_process_that_ends_with_watched_functions_in_it_ends_quietly(monkeypatch):
    monkeypatch.setenv("PYTHONWARNINGS", "ignore::ResourceWarning")  # debug builds complain of numba's own type
    python(
        """
        from depwatch.integrations.numba import njit
        X, KIND = 1, "a"
        @njit
        def f(): return X + len(KIND)
        f()
        KIND = "b"
        class Late:
            def __del__(self):
                global X
                X = 2
        late = Late()
        """
    )


def test_the_import_runs_nothing_of_the_objects_that_the_program_has():
    out = python(
        """
        import weakref
        class Dead: pass
        proxy = weakref.proxy(Dead())
        class Lazy:
            @property
            def __class__(self):
                print("looked at")
                raise ValueError
        lazy = Lazy()
        from depwatch.integrations.numba import njit
        KIND = "a"
        @njit
        def f(): return len(KIND)
        print(f())
        """
    )
    assert out == "1\n"


def test_the_import_while_numba_compiles_is_as_good_as_one_before():
    out = python(
        """
        import numba
        from numba.extending import overload
        def hook(x): pass
        @overload(hook)
        def choose(x):
            import depwatch.integrations.numba
            return lambda x: x + len(KIND)
        KIND = "a"
        @numba.njit
        def f(x): return hook(x)
        print(f(1))
        from depwatch.integrations.numba import njit
        @njit
        def g(x): return f(x)
        for KIND in ("aaa", "a", "aa"):
            print(g(1))
        """
    )
    assert out == "2\n4\n2\n3\n"
