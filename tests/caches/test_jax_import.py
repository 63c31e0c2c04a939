"""Who imports JAX, and who does not."""

import importlib.util

import pytest

from support import python


def test_without_jax_the_import_says_what_to_install():
    out = python(
        """
        import sys
        sys.modules["jax"] = None
        try:
            import depwatch.integrations.jax
        except ImportError as error:
            print(error)
        """
    )
    assert out == "depwatch.integrations.jax needs JAX: pip install depwatch[jax]\n"


def test_jax_is_there_or_its_tests_are_skipped():
    if importlib.util.find_spec("jax") is None:
        pytest.skip("JAX is not installed in this environment: nothing of test_jax_*.py runs")


def test_the_cache_never_imports_jax():
    code = "import depwatch.integrations.functools, sys; print({'jax', 'numpy'} & set(sys.modules))"
    assert python(code, cold=True) == "set()\n"
