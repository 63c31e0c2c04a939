"""What to write instead, where a facet keeps dropping code: by what it was, and how it changed."""

import builtins
from typing import Final

from .replay.result import Facet
from .trace.causes import PROGRAM

_FEW: Final = 3  # changes: it settled
_MANY: Final = 20  # times as many changes as breaks: a counter, a clock
_VALUES: Final = 6  # that a thing which counts has had more of
_NUMBERS: Final = frozenset({"int", "float", "complex", "Decimal", "Fraction"})
_MUTABLE: Final = frozenset({"dict", "list", "set", "deque", "defaultdict", "OrderedDict", "Counter", "bytearray"})
_CONTAINERS: Final = _MUTABLE | {"tuple", "frozenset"}
_CALLED: Final = frozenset(
    {"function", "method", "builtin_function_or_method", "partial", "type", "staticmethod", "classmethod", "property"}
)
_CODE: Final = {"__code__": "code", "__defaults__": "defaults", "__kwdefaults__": "defaults"}


def advice(facet: Facet) -> str:
    """One sentence. What is put back comes first: it may change as often as a counter does."""
    if _is_put_back(facet):
        return _PUT_BACK_OWN if _is_own(facet) else _PUT_BACK
    if facet.kind == "function":
        part = _CODE.get(facet.facet.rpartition(".")[2], "code or defaults")
        return (
            f"A function gets other {part}: assign that before it is hot; or keep the functions to choose from in a "
            "dict or an instance, and call the one in use from there."
        )
    if "mro" in facet.deeds[:1]:
        return "Bases are assigned: choose them where the class is made, before code is hot; or make two classes."
    if _hides_builtin(facet):
        return "It hides a builtin from then on: define it before code that uses the name is hot, or rename it."
    if _is(facet, _CALLED):
        if facet.changes <= _FEW:
            return "Another function is put there late: do it at start-up, before code that calls it is hot."
        return (
            "Another function is put there each time: keep the functions to choose from in a dict or an instance, and "
            "call the one in use from there."
        )
    if _is_always_new(facet):
        return _always_new(facet)
    if facet.changes <= _FEW or (facet.breaks <= _FEW and not facet.types):
        return "It is set late, and then settles: set it at start-up, before code that reads it is hot, and freeze it."
    return "It goes from value to value: pass it as an argument, or keep it in an instance."


_PUT_BACK: Final = "It is put back each time: do that once around the whole. Code that heals pays nothing."
_PUT_BACK_OWN: Final = (
    "It is put back each time: pass the replacement as an argument, or patch an attribute of an instance. Code that "
    "heals pays nothing."
)


def _is_put_back(facet: Facet) -> bool:
    """What was patched is there again; a switch goes to and fro, too, but is nothing that is called."""
    if facet.restores and 2 * facet.restores >= facet.breaks:
        return not _is(facet, {"bool"})
    return facet.returns > 0 and facet.changes - 1 <= 2 * facet.returns and (_is(facet, _CALLED) or not _is_own(facet))


def _is_own(facet: Facet) -> bool:
    """Of an object of the program."""
    return facet.home is not None and facet.home.startswith("<program>")


def _hides_builtin(facet: Facet) -> bool:
    name = facet.facet.rpartition(".")[2]
    return facet.kind == "global" and "added" in facet.deeds[:1] and hasattr(builtins, name)


def _is_always_new(facet: Facet) -> bool:
    if facet.types:
        return facet.values > _VALUES or (_is(facet, _CONTAINERS) and facet.changes > _FEW)
    return facet.breaks > 0 and facet.changes >= _MANY * facet.breaks


def _always_new(facet: Facet) -> str:
    if facet.cause != PROGRAM:
        return "It changes all the time, and not by code of the program: call what does it less often."
    if _is(facet, _NUMBERS):
        if facet.kind == "type attribute":
            return "It counts in a class: keep the count in an instance, or take the next of an itertools.count()."
        return "It counts: keep the count in an instance or a list, or take the next of an itertools.count()."
    if _is(facet, _MUTABLE):
        return f"Another {facet.types[0]} is put there each time: change the one that is there."
    if _is(facet, _CONTAINERS):
        return f"Another {facet.types[0]} is put there each time: keep a list or a dict there, and change that."
    return "It changes all the time: keep it in an instance or a list, or pass it as an argument."


def _is(facet: Facet, types: frozenset[str] | set[str]) -> bool:
    """Most of its values are of these types."""
    return bool(facet.types) and facet.types[0] in types
