"""What built-in code asks of the values that it gets: which methods of their classes run, of their items' too."""

from __future__ import annotations

import types
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from depwatch.discovery.abstract import (
    UNKNOWN,
    Value,
    Values,
    class_of,
    ids,
    is_plain,
    is_plain_object,
    known,
    leads_on,
)
from depwatch.naming import is_immutable
from depwatch.values import is_a

if TYPE_CHECKING:
    from depwatch.discovery.frame import Frame

_EQUAL: Final = ("__eq__",)
_KEY: Final = ("__hash__", "__eq__")
# What a container's own method asks of its items.
_OF_ITEMS: Final[dict[str, tuple[str, ...]]] = {
    "__str__": ("__repr__",), "__repr__": ("__repr__",), "__format__": ("__repr__",), "__hash__": ("__hash__",),
    "__eq__": _EQUAL, "__ne__": _EQUAL, "__contains__": _EQUAL, "__lt__": ("__eq__", "__lt__"),
    "__le__": ("__eq__", "__le__"), "__gt__": ("__eq__", "__gt__"), "__ge__": ("__eq__", "__ge__"),
    "__or__": _KEY, "__ror__": _KEY, "__and__": _KEY, "__rand__": _KEY, "__xor__": _KEY, "__rxor__": _KEY,
    "__sub__": _KEY, "__rsub__": _KEY, "__mod__": ("__str__",), "__rmod__": ("__str__",),
}  # fmt: skip
_CONTAINERS: Final = ids(tuple, list, set, frozenset, dict)
_CALLED: Final = ids(types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType)
_ITERATE: Final = ids(map, zip, enumerate, list.extend)  # these ask their arguments for their items only
_KEEP: Final = ids(
    list.append, list.insert, list.clear, list.pop, list.reverse, list.copy, dict.keys, dict.values, dict.items,
    dict.copy, dict.clear, dict.popitem, set.copy, set.clear, set.pop,
)  # fmt: skip
_BY_KEY: Final = ids(dict.get, dict.setdefault, dict.pop, set.add, set.discard, set.remove)


def items(frame: Frame, value: Value, name: str) -> None:
    """A method of a built-in container runs: the items of the container are asked, too."""
    if name == "__contains__" and class_of(value) is dict:
        keys_of(frame, value)
        return
    for asked in _OF_ITEMS.get(name, ()):
        each_item(frame, value, asked)


def keys_of(frame: Frame, value: Value) -> None:
    """A key is looked for in a dict: those that it has may call it equal."""
    if value.what == "known" and type(value.obj) is dict:
        for each in dict.keys(value.obj):
            if type(each) is not str and not is_plain_object(each):
                frame.operator(known(each, value.via), "__eq__")


def each_item(frame: Frame, value: Value, name: str) -> None:
    """Each item of a container is asked for a method."""
    obj = value.obj
    if value.what == "instance" and id(obj) in _CONTAINERS:
        frame.operator(UNKNOWN, name)
        return
    if value.what != "known" or id(type(obj)) not in _CONTAINERS:
        return
    key = ("items", id(obj), name)  # once, also in a dict that is in itself
    if key in frame.walk.returns:
        return
    frame.walk.returns[key] = ()
    frame.walk.kept.append(obj)
    for each in _inside(obj):
        value_of = known(each, value.via)
        if not is_plain(value_of):
            frame.operator(value_of, name)


def _inside(obj: Any) -> Iterable[Any]:
    """What is in a container that an assumption keeps as it is; a list and a set are told as opaque."""
    if type(obj) is dict:
        return [*dict.keys(obj), *dict.values(obj)]
    return obj if type(obj) is tuple or type(obj) is frozenset else ()


def key(frame: Frame, values: Values) -> None:
    """A dict or set looks for these: their classes say what they are equal to."""
    for value in values:
        for name in _KEY:
            if value.what != "unknown" or name == "__hash__":  # one of them tells it
                frame.operator(value, name)


def compared(frame: Frame, values: Values, container: Values) -> None:
    """`value in container`"""
    if any(not is_plain(each) and class_of(each) is not tuple for each in container):
        key(frame, values)
        return
    for value in values:
        frame.operator(value, "__eq__")


def index(frame: Frame, values: Values) -> None:
    """A sequence is asked for these items."""
    for value in values:
        if class_of(value) is not slice and value.what != "unknown":
            frame.operator(value, "__index__")


def by_built_in(frame: Frame, obj: Any, name: str, arguments: tuple[Values, ...], more: Iterable[Values]) -> None:
    """A built-in callable gets these arguments, and may ask them, and what is in them, for anything."""
    if id(obj) in _KEEP:
        return
    if id(obj) in _BY_KEY:
        for value in arguments[0] if arguments else ():
            keys_of(frame, value)
        for values in arguments[1:2]:
            key(frame, values)
        return
    given = [value for values in (*arguments, *more) for value in values]
    if id(obj) in _ITERATE and not any(map(_asks, given)):
        for value in given:
            if not leads_on(value) and value.what != "made":
                frame.operator(value, "__iter__")
        return
    for value in given:
        anything(frame, name, value)


def _asks(value: Value) -> bool:
    """Whether a value is built-in code that may ask what it is called with."""
    if value.what != "known":
        return False
    return id(type(value.obj)) in _CALLED or (is_a(value.obj, type) and is_immutable(value.obj))


def anything(frame: Frame, name: str, value: Value) -> None:
    """Built-in code gets a value, and may ask it for any method."""
    cls = class_of(value)
    if value.what == "unknown":
        frame.tell("world", "class", f"{name}(...) of a value of unknown class")
    elif cls is None or is_plain(value) or leads_on(value):
        return
    elif not is_immutable(cls) and not is_a(value.obj if value.what == "known" else None, type):
        frame.operator(value, "__iter__")
        frame.tell("world", "class", f"{name}(...) of an instance of {cls.__name__}, which it may ask for any method")
    elif value.what == "instance" and id(cls) in _CONTAINERS:
        frame.tell("world", "class", f"{name}(...) of items of unknown class")
    elif value.what == "known":
        frame.operator(value, "__iter__")
        mark = ("anything", id(value.obj), name)
        if id(cls) in _CONTAINERS and mark not in frame.walk.returns:
            frame.walk.returns[mark] = ()
            frame.walk.kept.append(value.obj)
            for each in _inside(value.obj):
                anything(frame, name, known(each, value.via))
