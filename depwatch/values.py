"""Values: what they are, whatever they say of themselves, and in short words."""

import types
from collections.abc import Callable
from typing import Any, Final, final

MAX_LENGTH: Final = 60  # characters of a repr that are shown

# What CPython itself goes by. A class, or its metaclass, may say something else under these names.
flags_of: Final[Callable[[type], int]] = vars(type)["__flags__"].__get__
mro_of: Final[Callable[[type], tuple[type, ...]]] = vars(type)["__mro__"].__get__
dict_of_class: Final[Callable[[type], types.MappingProxyType[str, Any]]] = vars(type)["__dict__"].__get__
dict_of_module: Final[Callable[[types.ModuleType], dict[str, Any]]] = vars(types.ModuleType)["__dict__"].__get__
name_of: Final[Callable[[type], str]] = vars(type)["__name__"].__get__
_qualname_of: Final[Callable[[type], str]] = vars(type)["__qualname__"].__get__
_exact: Final = str.__str__  # a name may be of a subclass of str, which has a say when it is formatted


def qualname_of(cls: type) -> str:
    return _exact(_qualname_of(cls))


def is_a(obj: object, kind: type) -> bool:
    """isinstance(), but by what the object is, not by what its __class__ says."""
    return issubclass(type(obj), kind)


def along_mro(cls: type, name: str) -> tuple[Any, ...]:
    """(value,) of the first class along the MRO that has the name in its dict, or ()."""
    for base in mro_of(cls) or ():  # None while it is being made
        names = dict_of_class(base)
        if name in names:
            return (names[name],)
    return ()


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
    return f"<code of {_exact(value.co_qualname)}, line {value.co_firstlineno}>"


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
    types.FunctionType: lambda value: f"<function {_exact(value.__qualname__)}>",
    types.BuiltinFunctionType: lambda value: f"<built-in {value.__name__}>",
    types.CodeType: _code,
}


def brief(value: Any) -> str:
    """The value in at most about 80 characters. Never raises, never runs the program's code."""
    kind = type(value)
    if kind in _BRIEF:
        return _BRIEF[kind](value)
    if issubclass(kind, type):
        return f"<class {qualname_of(value)}>"
    if kind is types.ModuleType:
        name = dict_of_module(value).get("__name__")
        return f"<module {name}>" if type(name) is str else "<module>"
    return f"<{qualname_of(kind)} object>"
