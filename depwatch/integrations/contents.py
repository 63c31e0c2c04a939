"""What a module, a class or a function contains, compared and put into words: nothing of the program's is called."""

from collections.abc import Callable
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

MISSING: Final = object()  # in the place of a value that is not there
SCALARS: Final = set(map(id, (int, float, complex, str, bytes, bool, type(None), type(...), range, CodeType)))
UNORDERED: Final = set(map(id, (set, frozenset, dict)))
CONTAINERS: Final = UNORDERED | {id(list), id(tuple)}
DEPTH, MOST = 12, 100_000  # to which values are compared; and how many of them, as each may contain all others
names_in_module, names_in_class = vars(ModuleType)["__dict__"].__get__, vars(type)["__dict__"].__get__
qualname_of, bases_of = vars(type)["__qualname__"].__get__, vars(type)["__bases__"].__get__


def is_a(value: Any, kind: type) -> bool:
    return issubclass(type(value), kind)  # isinstance() would run the __class__ of the program's value


def id_of_type(value: Any) -> int:
    return id(type(value))  # a type may have an __eq__ and a __hash__ of the program's


def parts_of(value: Any) -> list[Any]:
    """A class or function itself, the functions of a method or a property; of other values nothing."""
    value = value.__func__ if is_a(value, staticmethod) or is_a(value, classmethod) else value
    parts = (value.fget, value.fset, value.fdel) if type(value) is property else (value,)
    return [part for part in parts if type(part) is FunctionType or is_a(part, type)]


def full_name(value: Any) -> str:
    """The dotted name of a module, a class or a function; "" of anything else."""
    names: tuple[Any, ...] = (names_in_module(value).get("__name__"),) if is_a(value, ModuleType) else ()
    if is_a(value, type):
        names = names_in_class(value).get("__module__"), qualname_of(value)
    elif type(value) is FunctionType:
        names = value.__module__, value.__qualname__
    return ".".join(name for name in names if type(name) is str)


def file_of(module: Any) -> str:
    return str(names_in_module(module).get("__file__")) if is_a(module, ModuleType) else ""


def contents_of(owner: Any) -> dict[str, Any]:
    """What can change in a module, a class or a function, by name."""
    if type(owner) is FunctionType:
        keywords = {f"__kwdefaults__[{name!r}]": value for name, value in dict(owner.__kwdefaults__ or {}).items()}
        return {"__code__": owner.__code__, "__defaults__": owner.__defaults__} | keywords
    names = dict((names_in_class if is_a(owner, type) else names_in_module)(owner))
    if is_a(owner, type):  # the two Nones: these attributes would keep the class alive
        names |= {"__bases__": bases_of(owner), "__dict__": None, "__weakref__": None}
    return {name: value for name, value in names.items() if type(name) is str}


def form_of(value: Any) -> Any:
    """Equal forms: the values are equal and of built-in types, or classes or functions of the same code."""
    steps = iter(range(MOST))

    def form(value: Any, other: Callable[[Any], Any], depth: int) -> Any:
        kind = id_of_type(value)
        if kind in SCALARS:
            return kind, value
        if not depth or next(steps, None) is None:
            return other(value)
        if kind in CONTAINERS:
            items = tuple(value.items() if type(value) is dict else value)  # other threads may go on changing it
            forms = [form(each, other, depth - 1) for each in items]
            return kind, frozenset(forms) if kind in UNORDERED else tuple(forms)
        if is_a(value, type) and depth < DEPTH:
            return full_name(value)  # a class in another one has a finding of its own
        parts = parts_of(value)
        if parts and parts[0] is value:
            return full_name(value), form(contents_of(value), id_of_type if is_a(value, type) else id, depth - 1)
        return (kind, *(form(each, id, depth - 1) for each in parts)) if parts else other(value)

    return form(value, id, DEPTH)


def words(value: Any) -> str:
    """The value in short words, at most 80 characters where it has no name."""
    kind, name = id_of_type(value), value.co_qualname if type(value) is CodeType else full_name(value)
    inner = (*value, *(value.values() if type(value) is dict else ())) if kind in CONTAINERS else (value,)
    if value is MISSING:
        return "absent"
    if not name and len(inner) <= 20 and all(id_of_type(each) in SCALARS for each in inner):
        return text if len(text := repr(value)) <= 80 else f"{text[:77]}..."
    what = name or (f"of {len(value)} items" if kind in CONTAINERS else "object")
    return f"<{'class' if is_a(value, type) else qualname_of(type(value))} {what}>"
