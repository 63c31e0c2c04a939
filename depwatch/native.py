"""Finds the facets that functions of the C API (ext/api/capi.pxi) return, and the directory of depwatch.h."""

import os
import types
from typing import Any, Final

from depwatch import _core, naming
from depwatch._core import FacetReference
from depwatch.errors import Unwatchable
from depwatch.index import id_of
from depwatch.naming import created_facet
from depwatch.notice import explained
from depwatch.recorder import Recorder
from depwatch.values import brief, is_a

__all__ = ["created_facet", "id_of"]  # the C API calls these two unchanged
_ABSENT: Final = object()
_PARTS = ("code", "defaults", "kwdefaults", "existence")  # in the order of depwatch_part


def get_include() -> str:
    """The directory of depwatch.h and depwatch.pxd, for compilers (-I) and Cython."""
    return os.path.join(os.path.dirname(__file__), "include")


def key_facet(namespace: object, name: object) -> FacetReference:
    if not is_a(namespace, dict):
        raise naming.refused(namespace, "dict (of a module, pass its __dict__, or use Recorder.read_attr)")
    return _core.facet("key", naming.exact_dict(namespace, "the namespace"), naming.check_name(name))


def global_facet(function: Any, name: Any) -> FacetReference:
    if not is_a(function, types.FunctionType):
        raise naming.refused(
            function, "Python function (of a namespace, use Recorder.read_global: builtins can change)"
        )
    return naming.global_facet(function, name, ())


def attribute_facet(cls: Any, name: Any) -> FacetReference:
    if not is_a(cls, type):
        raise naming.refused(cls, "class")
    facet = naming.attribute_facet(cls, name)
    if facet is None:
        raise Unwatchable(f"{brief(cls)} is immutable: {name!r} never changes and has no facet; use its value")
    return facet


def function_facet(function: Any, part: int) -> FacetReference:
    if not 0 <= part < len(_PARTS):
        raise ValueError(f"the part is {part}; it must be a depwatch_part from 0 to {len(_PARTS) - 1}")
    return naming.function_facet(function, _PARTS[part])


def whole_facet(obj: Any) -> FacetReference:
    naming.check_whole(obj)
    facet = naming.whole_facet(obj)
    if facet is None:
        raise Unwatchable(f"{brief(obj)} is immutable: it never changes and has no facet; rely on it without one")
    return facet


def breaks_address() -> int:
    """Address of a word (uint64) that is another one after each break of anything that is relied on in the process.

    For native code that computes for long: if the word is as it was before, nothing has broken since, undone or not. It
    may be read in any thread, without the GIL. The same as depwatch_breaks() of depwatch.h.
    """
    return _core.breaks_address()


def read_name(recorder: Recorder, owner: Any, name: Any, absence: bool) -> tuple[Any, ...]:
    """(value,), or () if the name is missing."""
    if absence:
        value = recorder.read(owner, name, default=_ABSENT)
        return () if value is _ABSENT else (value,)
    try:
        return (recorder.read(owner, name),)
    except (NameError, KeyError, AttributeError):
        return ()


def explain_handle(number: int, byte: int, assumptions: list[Any]) -> str:
    return explained(f"handle {number} is", byte, None, assumptions)


def recorder(name: str, unstable_after: int) -> Recorder:
    """unstable_after: 0: the default; UINT32_MAX: no limit."""
    if not unstable_after:
        return Recorder(name)
    return Recorder(name, None if unstable_after == 2**32 - 1 else unstable_after)
