"""From an object and a name to the facet that is meant, or to the reason why it cannot be watched."""

import builtins
import sys
import types
from typing import Any, Final

from depwatch import _core
from depwatch._core import FacetReference
from depwatch.errors import Unwatchable
from depwatch.values import brief

IMMUTABLE_TYPE: Final = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE: static types have it too
FUNCTION_PARTS: Final = ("code", "defaults", "kwdefaults", "existence")


def is_a(obj: object, kind: type) -> bool:
    """isinstance(), but by what the object is, not by what its __class__ says: never runs the program's code."""
    return issubclass(type(obj), kind)


def check_name(name: object) -> str:
    """The name as an exact str. Raises TypeError."""
    if type(name) is not str:
        raise TypeError(f"a name must be a str, not {brief(name)}")
    return name


def refused(owner: object, what: str) -> TypeError:
    return TypeError(f"{brief(owner)} is no {what}")


def exact_dict(namespace: object, what: str) -> dict[str, object]:
    if type(namespace) is not dict:
        raise Unwatchable(
            f"{what} is {brief(namespace)}: look-ups in it can run any code; only an exact dict will do for globals"
        )
    return namespace


def builtins_of(namespace: dict[str, object]) -> object:
    """The builtins that a function made in this namespace gets, as CPython finds them."""
    found: Any = namespace.get("__builtins__", builtins)
    return vars(found) if is_a(found, types.ModuleType) else found


def global_facet(owner: Any, name: str) -> FacetReference:
    """The facet [globals, builtins] of a name as a function sees it. Raises TypeError, Unwatchable."""
    check_name(name)
    if is_a(owner, types.FunctionType):
        if name in owner.__code__.co_freevars:
            raise Unwatchable(
                f"{name!r} is a closure cell of {owner.__qualname__}: CPython reports no change of a cell; pass the "
                "value as an argument, or re-read it on every call"
            )
        namespace: object = owner.__globals__
        fallback: object = owner.__builtins__
    elif is_a(owner, types.ModuleType):
        namespace = vars(owner)
        fallback = builtins_of(vars(owner))
    elif is_a(owner, dict):
        namespace = owner
        fallback = builtins_of(exact_dict(owner, "the namespace"))
    else:
        raise refused(owner, "function, module or dict: pass what the global is looked up from")
    return _core.facet(
        "global",
        exact_dict(namespace, f"the globals of {brief(owner)}"),
        name,
        exact_dict(fallback, f"the builtins of {brief(owner)}"),
    )


def module_facet(module: types.ModuleType, name: str) -> FacetReference:
    """The facet of a module's attribute. Raises Unwatchable."""
    check_name(name)
    kind = type(module)
    if kind.__getattribute__ is not types.ModuleType.__getattribute__:
        raise Unwatchable(
            f"{name!r} of {brief(module)}: its class {kind.__qualname__} has a __getattribute__ of its own, which may "
            "return anything; read it at run time"
        )
    for base in kind.__mro__:
        found = vars(base).get(name)
        if found is not None and hasattr(type(found), "__get__") and hasattr(type(found), "__set__"):
            raise Unwatchable(
                f"{name!r} of {brief(module)} is computed by a descriptor of {base.__qualname__}; read it at run time"
            )
    _core.see_module_classes()
    return _core.facet("key", vars(module), name)


def is_immutable(cls: type) -> bool:
    return bool(cls.__flags__ & IMMUTABLE_TYPE) and all(base.__flags__ & IMMUTABLE_TYPE for base in cls.__mro__)


def attribute_facet(cls: type, name: str) -> FacetReference | None:
    """The facet of an attribute as found along the MRO; None where the class can never change. Raises Unwatchable."""
    check_name(name)
    return None if is_immutable(cls) else _core.facet("attribute", cls, name)


def no_attribute(owner: Any, name: str) -> Unwatchable:
    """Why attributes of this object are not watched."""
    if is_a(owner, type):
        return Unwatchable(
            f"{name!r} of {brief(owner)}: its metaclass has a say in what {owner.__qualname__}.{name} is; use "
            "read_type_attr for what instances find along the MRO"
        )
    if is_a(owner, types.CellType):
        return Unwatchable(
            "a closure cell: CPython reports no change of a cell; pass the value as an argument, or re-read it on "
            "every call"
        )
    return Unwatchable(
        f"{name!r} of {brief(owner)} is an instance attribute: `obj.__dict__ = ...` and `obj.__class__ = ...` change "
        "it and CPython reports neither; keep the value in a module or a class, or re-read it on every call"
    )


def function_facet(function: Any, part: str) -> FacetReference:
    """The facet of a part of a function. Raises TypeError, ValueError, Unwatchable."""
    if not is_a(function, types.FunctionType):
        raise refused(function, "Python function (of a method, pass method.__func__)")
    if part in FUNCTION_PARTS:
        return _core.facet(part, function)
    if part in ("globals", "closure"):
        raise Unwatchable(
            f"{part!r} of {brief(function)}: __{part}__ is read-only, so there is nothing to watch; "
            "the contents of closure cells change without any event"
        )
    if part in ("name", "qualname"):
        raise Unwatchable(f"{part!r} of {brief(function)}: CPython {sys.version.split()[0]} reports no change of it")
    raise ValueError(f"a function has no part {part!r}; there are {', '.join(FUNCTION_PARTS)}")


def whole_facet(obj: Any) -> FacetReference | None:
    """The facet that every change of the object concerns; None where it can never change. Raises Unwatchable."""
    if is_a(obj, types.ModuleType):
        obj = vars(obj)
    return None if is_a(obj, type) and is_immutable(obj) else _core.facet("any", obj)


def named_facets(obj: Any, names: tuple[str, ...]) -> list[FacetReference]:
    """The facets that subscribe() and dependents() mean; all of the object where no name is given."""
    if not names:
        whole = whole_facet(obj)
        return [] if whole is None else [whole]
    if is_a(obj, types.ModuleType):
        obj = vars(obj)
    if is_a(obj, dict):
        return [_core.facet("key", obj, check_name(name)) for name in names]
    if is_a(obj, type):
        return [facet for name in names if (facet := attribute_facet(obj, name)) is not None]
    if is_a(obj, types.CodeType) and names == ("existence",):
        return [_core.facet("existence", obj)]
    return [function_facet(obj, name) for name in names]


def describe(facet: int) -> str:
    """The facet in words, for messages."""
    object_id, owner, kind, name = _core.owner_of(facet)
    if owner is None:
        place = f"object {object_id}, which is dead"
    elif type(owner) is dict and type(owner.get("__name__")) is str:
        place = f"module {owner['__name__']}"
    elif is_a(owner, dict):
        place = f"{brief(owner)} (object {object_id})"
    else:
        place = brief(owner)
    match kind:
        case "key":
            return f"{name!r} in {place}"
        case "global":
            return f"global {name!r} of {place}"
        case "attribute":
            return f"attribute {name!r} of {place}"
        case "any":
            return f"anything in {place}"
        case _:
            return f"{kind} of {place}"
