"""Values in words: short, and without running any code of the observed program (no __repr__, no __getattr__)."""

import types
from collections.abc import Callable
from typing import Final, final

MAX_LENGTH: Final = 60  # characters of a repr that are shown


@final
class Unknown:
    """The type of UNKNOWN."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()  # CPython did not tell, or there is no such value


def _int(value: int) -> str:
    return repr(value) if value.bit_length() <= 128 else f"<int of {value.bit_length()} bits>"


def _text(value: str | bytes) -> str:
    if len(value) <= MAX_LENGTH:
        return repr(value)
    return f"{value[:MAX_LENGTH]!r}... ({len(value)} {'characters' if isinstance(value, str) else 'bytes'})"


def _items(value: list[object] | tuple[object, ...] | dict[object, object] | set[object] | frozenset[object]) -> str:
    return f"<{type(value).__name__} of {len(value)} item{'' if len(value) == 1 else 's'}>"


def _code(value: types.CodeType) -> str:
    return f"<code of {value.co_qualname}, line {value.co_firstlineno}>"


# By exact type: a subclass may override anything.
_BRIEF: Final[dict[type, Callable[..., str]]] = {
    type(None): repr,
    bool: repr,
    Unknown: lambda value: "(not told)",
    int: _int,
    float: repr,
    complex: repr,
    str: _text,
    bytes: _text,
    list: _items,
    tuple: _items,
    dict: _items,
    set: _items,
    frozenset: _items,
    types.FunctionType: lambda value: f"<function {value.__qualname__}>",
    types.BuiltinFunctionType: lambda value: f"<built-in {value.__name__}>",
    types.CodeType: _code,
}
_qualname_of = type.__dict__["__qualname__"].__get__  # what a metaclass cannot override


def brief(value: object) -> str:
    """The value in at most about 80 characters. Never raises, never runs the program's code."""
    kind = type(value)
    if kind in _BRIEF:
        return _BRIEF[kind](value)
    if issubclass(kind, type):
        return f"<class {_qualname_of(value)}>"
    if kind is types.ModuleType:
        name = object.__getattribute__(value, "__dict__").get("__name__")
        return f"<module {name}>" if type(name) is str else "<module>"
    return f"<{_qualname_of(kind)} object>"
