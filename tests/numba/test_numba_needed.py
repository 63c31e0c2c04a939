"""What is used of numba that it promises nobody."""

import ast
from pathlib import Path

import numba
import pytest
from numba.core.dispatcher import Dispatcher

from depwatch.integrations.numba import needed

PACKAGE = Path(needed.__file__).parent
NOT_NUMBAS = {
    *("_asdict", "_fields", "_field_defaults", "_replace", "_getframe", "_current_frames"),
    *("_depwatch", "_depwatch_calls_watched"),
}


def private_names(tree):
    """Attributes of others whose names begin with one underscore, also as strings that getattr is given."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id == "self"):
            yield node.attr
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("getattr", "hasattr"):
            yield from [word.value for word in node.args if isinstance(word, ast.Constant) and type(word.value) is str]


def test_each_private_name_of_numba_that_is_used_is_checked_at_import():
    used = {name for path in PACKAGE.glob("*.py") for name in private_names(ast.parse(path.read_text()))}
    private = {name for name in used if name[0] == "_" and name[1] != "_"} - NOT_NUMBAS
    checked = {name for names in needed.NEEDED.values() for name in names}
    assert private <= checked


def test_a_numba_that_lacks_something_is_refused_by_its_version(monkeypatch):
    monkeypatch.setitem(needed.NEEDED, "numba.core.dispatcher:Dispatcher", ("_insert", "_compile_faster"))
    monkeypatch.setitem(needed.NEEDED, "numba.core.nothing:Gone", ())
    with pytest.raises(ImportError) as error:
        needed.check_numba()
    assert str(error.value) == (
        f"numba {numba.__version__} lacks numba.core.dispatcher.Dispatcher._compile_faster, numba.core.nothing.Gone, "
        "which depwatch needs; use numba 0.68, or a later version that the extra depwatch[numba] allows"
    )
    assert hasattr(Dispatcher, "_insert")
