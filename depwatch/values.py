"""What an object really is, ignoring `__class__` and metaclasses."""

import types
from collections.abc import Callable, Mapping
from typing import Any, Final, final

from depwatch._core import brief as brief  # a short description, for messages
from depwatch.errors import Unwatchable

# type's own descriptors, which CPython goes by. A class or its metaclass may override the attributes of these names.
flags_of: Final[Callable[[type], int]] = vars(type)["__flags__"].__get__
mro_of: Final[Callable[[type], tuple[type, ...]]] = vars(type)["__mro__"].__get__
dict_of_class: Final[Callable[[type], types.MappingProxyType[str, Any]]] = vars(type)["__dict__"].__get__
dict_of_module: Final[Callable[[types.ModuleType], dict[str, Any]]] = vars(types.ModuleType)["__dict__"].__get__
name_of: Final[Callable[[type], str]] = vars(type)["__name__"].__get__
_qualname_of: Final[Callable[[type], str]] = vars(type)["__qualname__"].__get__
_is_subtype: Final = type.__subclasscheck__
IMMUTABLE_TYPE: Final = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE: static types have it too
_STR_ALONE: Final = frozenset({id(str)})
_exact: Final = str.__str__  # a name may be of a subclass of str, whose methods would run when it is formatted


def qualname_of(cls: type) -> str:
    return _exact(_qualname_of(cls))


def is_a(obj: object, kind: type | tuple[type, ...]) -> bool:
    """isinstance(), but by the bases of the object's type, not by its __class__ nor by what an ABC says."""
    if isinstance(kind, tuple):
        return any(_is_subtype(each, type(obj)) for each in kind)
    return _is_subtype(kind, type(obj))


def along_mro(cls: type, name: str) -> tuple[Any, ...]:
    """(value,) of the first class along the MRO that has the name in its dict, or ().

    Raises Unwatchable where a class before that has keys other than str: one may come to equal the name, and to ask
    whether it does would run its `__eq__`.
    """
    for base in mro_of(cls) or ():  # the MRO is None while the class is being made
        names = dict_of_class(base)
        if not flags_of(base) & IMMUTABLE_TYPE and not has_str_keys(names):
            raise Unwatchable(
                f"{name!r} in the dict of {brief(base)}, which has other keys than str: one may come to equal it; "
                "use a class without such keys"
            )
        if name in names:
            return (names[name],)
    return ()


def has_str_keys(names: Mapping[str, Any]) -> bool:
    """Whether all keys are exact strs, so that a look-up of a str runs no code of the program's."""
    return _STR_ALONE.issuperset(map(id, map(type, names)))  # by identity: a metaclass may have an __eq__


@final
class Unknown:
    """The type of UNKNOWN."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __reduce__(self) -> str:
        return "UNKNOWN"  # so that copying and unpickling give this very object


UNKNOWN: Final = Unknown()  # in the place of a value that CPython does not report, or that is gone
