"""Which versions have lazy imports and frozen globals."""

import builtins
import types

import pytest
from versions import HOST


def test_only_some_versions_have_lazy_imports():
    assert hasattr(types, "LazyImportType") is HOST.lazy_imports


def test_globals_in_a_frozendict_need_builtins_and_give_the_function_these():
    frozen = vars(builtins).get("frozendict")
    assert (frozen is not None) is HOST.frozendict
    if frozen is None:
        return
    function = eval("lambda: (X, len)", frozen(X=1, __builtins__={"len": 2}))
    assert (type(function.__globals__), type(function.__builtins__), function()) == (frozen, dict, (1, 2))
    function.__builtins__["len"] = 3
    assert function() == (1, 3)
    with pytest.raises(TypeError):
        eval("X", frozen(X=1))
