"""Who imports JAX, and who does not."""

import sys

import pytest

from support import NO_JAX, python

if sys.version_info >= NO_JAX:
    pytest.skip("JAX has no release for this CPython: nothing of test_jax_*.py runs", allow_module_level=True)


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


def test_the_cache_never_imports_jax():
    code = "import depwatch.integrations.functools, sys; print({'jax', 'numpy'} & set(sys.modules))"
    assert python(code, cold=True) == "set()\n"
