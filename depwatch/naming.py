"""Finds the facet of an object and a name, or says why depwatch cannot watch it."""

import builtins as of_python
import sys
import types
from typing import Any, Final

from depwatch import _core
from depwatch._core import FacetReference
from depwatch.errors import Unwatchable
from depwatch.values import (
    IMMUTABLE_TYPE,
    along_mro,
    brief,
    dict_of_module,
    flags_of,
    is_a,
    mro_of,
    name_of,
    qualname_of,
)

FUNCTION_PARTS: Final = ("code", "defaults", "kwdefaults", "existence")
UNWATCHED_PARTS: Final = ("globals", "closure", "name", "qualname")
# __name__ is not here: code that loads it gets the module's.
PARTS_BY_ATTRIBUTE: Final = {
    f"__{part}__": part for part in ("code", "defaults", "kwdefaults", "globals", "closure", "qualname")
}
FROZEN: Final = vars(of_python).get("frozendict", types.NoneType)  # before 3.15 a type that no namespace has
HAS_LAZY_IMPORTS: Final = "lazy_modules" in vars(sys)
LAZY_MODULES: Final[set[str]] = vars(sys).get("lazy_modules", set())  # from 3.15 on, CPython's own set
KEPT_IN_THE_CLASS: Final = ("__name__", "__qualname__")  # stored in the type object, not in its dict


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
            f"{what} is {brief(namespace)}: a look-up in it can run any code; use an exact dict for globals"
        )
    return namespace


def constant_global(owner: Any, name: str) -> tuple[Any, ...]:
    """(value,) of a function's global that can never change, because it is in a frozendict (3.15+); or ().

    Raises Unwatchable if the frozendict has keys that are no strs: their __eq__ may later call them equal to the name.
    """
    if not is_a(owner, types.FunctionType):
        return ()
    for namespace in (owner.__globals__, owner.__builtins__):
        if type(namespace) is not FROZEN:
            return ()
        if not all(type(key) is str for key in namespace):
            raise Unwatchable(
                f"{name!r} in {brief(namespace)}, which has keys that are no str, whose __eq__ may call them equal to "
                "the name; use only keys of type str"
            )
        if name in namespace:
            return (namespace[name],)
    return ()


def namespace_of(owner: Any) -> dict[str, object]:
    """The dict of a module, or the dict itself. Raises TypeError, Unwatchable."""
    if is_a(owner, types.ModuleType):
        return dict_of_module(owner)
    if is_a(owner, dict):
        return exact_dict(owner, "the namespace")
    raise refused(owner, "function, module or dict: pass the function that loads the global, or its namespace")


def builtins_facet(owner: Any) -> FacetReference | None:
    """The facet of a namespace's "__builtins__", where code that runs in the namespace looks names up. None for a
    function, which keeps the builtins that it was made with. Raises TypeError, Unwatchable.
    """
    if is_a(owner, types.FunctionType):
        return None
    return _core.facet("key", namespace_of(owner), "__builtins__")


def global_facet(owner: Any, name: str, builtins: tuple[Any, ...]) -> FacetReference:
    """The facet of a name that code looks up in globals, then in builtins. Raises TypeError, Unwatchable.

    builtins: (value,) of builtins_facet(owner), or () if there are none. Not needed for a function.
    """
    check_name(name)
    if is_a(owner, types.FunctionType):
        if name in owner.__code__.co_freevars:
            raise Unwatchable(
                f"{name!r} is a closure cell of {brief(owner)}: CPython reports no change of a cell; pass the "
                "value as an argument, or re-read it on every call"
            )
        namespace: object = owner.__globals__
        builtins = (owner.__builtins__,)
        if constant_global(owner, name):
            raise Unwatchable(f"{name!r} of {brief(owner)} is in a frozendict: it never changes, so use its value")
        if type(namespace) is FROZEN:
            namespace, builtins = owner.__builtins__, ()
    else:
        namespace = namespace_of(owner)
    fallback = None
    if builtins:
        found = dict_of_module(builtins[0]) if is_a(builtins[0], types.ModuleType) else builtins[0]
        fallback = exact_dict(found, f"the builtins of {brief(owner)}")
    return _core.facet("global", exact_dict(namespace, f"the globals of {brief(owner)}"), name, fallback)


def module_facet(module: types.ModuleType, name: str) -> FacetReference:
    """The facet of a module's attribute; valid while the module keeps its class. Raises Unwatchable."""
    check_name(name)
    kind = type(module)
    if name == "__builtins__":  # watched only as a key that code reads, which holds whatever class the module gets
        raise Unwatchable(f"{name!r} of {brief(module)} as an attribute: read the global that you need from it")
    if along_mro(kind, "__getattribute__")[0] is not types.ModuleType.__getattribute__:
        raise Unwatchable(
            f"{name!r} of {brief(module)}: its class {qualname_of(kind)} has a __getattribute__ of its own, which "
            "may return anything; read it at run time"
        )
    for found in along_mro(kind, name):
        if along_mro(type(found), "__get__") and (
            along_mro(type(found), "__set__") or along_mro(type(found), "__delete__")
        ):
            raise Unwatchable(
                f"{name!r} of {brief(module)} is computed by a descriptor of {qualname_of(kind)}; read it at run time"
            )
        if not is_immutable(type(found)):
            raise Unwatchable(
                f"{name!r} of {brief(module)}: its class {qualname_of(kind)} has {brief(found)} of that name, whose "
                "type may get a __get__ and compute the attribute; read it at run time"
            )
    _core.see_module_classes()
    return _core.facet("key", dict_of_module(module), name)


def check_plain_class(module: types.ModuleType, name: str) -> None:
    """Raises Unwatchable if a module's class can get a property that computes attributes: no cell could follow that."""
    if not is_immutable(type(module)):
        raise Unwatchable(
            f"a cell of {name!r} of {brief(module)}: its class {qualname_of(type(module))} may get a property that "
            "computes the attribute; use read_attr, which depends on the class too"
        )


def _in_module(module: types.ModuleType, name: str) -> tuple[Any, ...]:
    """(value,) of a key of the module's dict, or (). Runs no __eq__ of another key: raises Unwatchable instead."""
    return _core.facet("key", dict_of_module(module), name).value()


def is_lazy_submodule(module: types.ModuleType, name: str) -> bool:
    """Whether loading this attribute, which the module's dict does not have, imports a submodule (3.15+). Raises
    Unwatchable."""
    if not LAZY_MODULES:
        return False
    package = _in_module(module, "__name__")
    full = f"{package[0]}.{name}" if package and type(package[0]) is str else None
    return any(type(each) is str and each == full for each in tuple(LAZY_MODULES))


def no_module_attribute(module: types.ModuleType, name: str) -> Exception:
    """The exception for an attribute that the module's dict does not have."""
    kind = type(module)
    if _in_module(module, "__getattr__") or along_mro(kind, "__getattr__"):
        return Unwatchable(
            f"{name!r} of {brief(module)} comes from the module's __getattr__, which may return something else each "
            "time; read it at run time"
        )
    if is_lazy_submodule(module, name):
        return Unwatchable(
            f"{name!r} of {brief(module)} is a submodule that Python imports when the attribute is first loaded: load "
            "it first, then read it"
        )
    if along_mro(kind, name):
        return Unwatchable(
            f"{name!r} of {brief(module)} is an attribute of its class, not of the module; use "
            f"read_type_attr({qualname_of(kind)}, {name!r})"
        )
    of = _in_module(module, "__name__")
    named = f"module {of[0]!r}" if of and type(of[0]) is str else "module"
    return AttributeError(f"{named} has no attribute {name!r}", name=name, obj=module)


def check_missing(module: types.ModuleType, name: str) -> None:
    """Raises Unwatchable unless loading the attribute, which the module's dict does not have, raises AttributeError."""
    found = no_module_attribute(module, name)
    try:
        if type(found) is Unwatchable:
            raise found
    finally:
        del found  # else the exception and this frame would keep each other alive


def is_immutable(cls: type) -> bool:
    return bool(flags_of(cls) & IMMUTABLE_TYPE) and all(flags_of(base) & IMMUTABLE_TYPE for base in mro_of(cls))


def attribute_facet(cls: type, name: str) -> FacetReference | None:
    """The facet of an attribute as found along the MRO; None where the class can never change. Raises Unwatchable."""
    check_name(name)
    if is_immutable(cls):
        return None
    if name in KEPT_IN_THE_CLASS and not along_mro(cls, name):
        raise Unwatchable(
            f"{name!r} of {brief(cls)} is stored in the class itself, where instances do not find it, and CPython "
            "3.13+ reports no change of it; read it at run time"
        )
    return _core.facet("attribute", cls, name)


def no_attribute(owner: Any, name: str) -> Unwatchable:
    """The exception for an attribute of an object that is no module."""
    if is_a(owner, type):
        return Unwatchable(
            f"{name!r} of {brief(owner)}: its metaclass may override attribute look-up on the class; use "
            "read_type_attr for what instances find along the MRO"
        )
    if is_a(owner, types.CellType):
        return Unwatchable(
            "a closure cell: CPython reports no change of a cell; pass the value as an argument, or re-read it on "
            "every call"
        )
    return Unwatchable(
        f"{name!r} of {brief(owner)} is an instance attribute: `obj.__dict__ = ...` and `obj.__class__ = ...` change "
        "it and CPython reports neither; keep the value in a depwatch.Config, a module or a class, or re-read it"
    )


def missing(owner: Any, name: Any) -> Exception:
    """The exception for a name that the owner does not have: of a function its global, else an attribute or an item."""
    if is_a(owner, types.FunctionType):
        return NameError(f"name {name!r} is not defined", name=name)
    if is_a(owner, dict):
        return KeyError(name)
    if is_a(owner, types.ModuleType):
        return no_module_attribute(owner, name)
    return AttributeError(f"type object {name_of(owner)!r} has no attribute {name!r}", name=name, obj=owner)


def function_facet(function: Any, part: str) -> FacetReference:
    """The facet of a part of a function. Raises TypeError, ValueError, Unwatchable."""
    if not is_a(function, types.FunctionType):
        raise refused(function, "Python function (of a method, pass method.__func__)")
    if part in FUNCTION_PARTS:
        return _core.facet(part, function)
    if part in ("globals", "closure"):
        raise Unwatchable(
            f"{part!r} of {brief(function)}: __{part}__ is read-only, so there is nothing to watch, and CPython "
            "reports no change of a closure cell; use read_global for globals, pass cells' values as arguments"
        )
    if part in ("name", "qualname"):
        raise Unwatchable(
            f"{part!r} of {brief(function)}: no call depends on it, and CPython reports "
            + ("no change of it" if part == "name" else "no change of it before 3.15")
            + "; read it when you need it"
        )
    raise ValueError(f"a function has no part {part!r}; pass one of {', '.join(FUNCTION_PARTS)}")


def created_facet(code: object) -> FacetReference:
    """The facet of the functions that are made from a code object. Raises TypeError, Unwatchable."""
    if type(code) is not types.CodeType:
        raise TypeError(f"{brief(code)} is no code object (of a function, pass function.__code__)")
    return _core.facet("created", code)


def whole_facet(obj: Any) -> FacetReference | None:
    """The facet that every change of the object concerns; None if it can never change. Raises Unwatchable."""
    if type(obj) is _core.Fact:
        obj = _core.dict_of_fact(obj)
    if is_a(obj, types.ModuleType):
        obj = dict_of_module(obj)
    return None if is_a(obj, type) and is_immutable(obj) else _core.facet("any", obj)


def check_whole(obj: object) -> None:
    """Raises Unwatchable for an object of which CPython reports only some of the changes."""
    if is_a(obj, dict) and type(obj) is not dict:
        raise Unwatchable(
            f"{brief(obj)}: CPython reports changes of its items, but not of what a subclass of dict has besides "
            "(order, default_factory, attributes); depend on an exact dict, or read it at run time"
        )


def part_in_question(function: Any, name: str) -> str | None:
    """The part of a function that a name means in a question: "__code__" or, for short, "code". None: a global.

    Raises ValueError where a short name may mean a global, too."""
    if name in PARTS_BY_ATTRIBUTE or name not in (*FUNCTION_PARTS, *UNWATCHED_PARTS):
        return PARTS_BY_ATTRIBUTE.get(name)
    names = tuple(function.__globals__)
    if name not in function.__code__.co_names and not any(type(key) is str and key == name for key in names):
        return name
    long = next((each for each, part in PARTS_BY_ATTRIBUTE.items() if part == name), "the function without a name")
    raise ValueError(
        f"{name!r} of {brief(function)} may be the function's part or a global of that name: pass {long} for the part, "
        "or the function's __globals__ for the global"
    )


def owner_and_name(obj: Any, name: str) -> tuple[Any, str]:
    """The object and the key, attribute or part that the index knows by what (obj, name) means. Raises ValueError."""
    check_name(name)
    if is_a(obj, types.FunctionType):
        part = part_in_question(obj, name)
        if part is not None:
            function_facet(obj, part)  # raises if it cannot be watched
        return (obj.__globals__, name) if part is None else (obj, part)
    if is_a(obj, types.CodeType) and name not in ("existence", "created"):
        raise ValueError(f"a code object has no part {name!r}; pass existence or created")
    return obj, name


def named_facet(obj: Any, name: str) -> FacetReference | None:
    """The facet that (obj, name) means, in reads, cells, subscriptions and questions alike. None: it can never change.

    Of a function a part ("__code__") or a global; of a module or class an attribute; of an exact dict an item. The
    facet of a module's attribute is valid while the module keeps its class. Raises Unwatchable, TypeError, ValueError.
    """
    check_name(name)
    if is_a(obj, types.FunctionType):
        part = PARTS_BY_ATTRIBUTE.get(name)
        return global_facet(obj, name, ()) if part is None else function_facet(obj, part)
    if is_a(obj, types.ModuleType):
        return module_facet(obj, name)
    if is_a(obj, type):
        return attribute_facet(obj, name)
    if is_a(obj, dict):
        return item_facet(obj, name)
    raise no_attribute(obj, name)


def item_facet(obj: dict[str, Any], name: str) -> FacetReference:
    return _core.facet("key", exact_dict(obj, "the dict"), name)


def facets_of_absence(module: types.ModuleType, name: str) -> list[FacetReference]:
    """What must be missing, too, so that loading the attribute raises AttributeError. Raises Unwatchable."""
    names = dict_of_module(module)
    if not HAS_LAZY_IMPORTS:
        return [_core.facet("key", names, "__getattr__")]
    path = _core.facet("key", names, "__path__")
    if path.value():
        raise Unwatchable(
            f"that {name!r} of {brief(module)} is missing: the module is a package, and CPython does not report when a "
            "lazy import lets the attribute import a submodule; ask at run time"
        )
    return [_core.facet("key", names, "__getattr__"), path]


def subscribed_facets(obj: Any, names: tuple[str, ...]) -> list[FacetReference]:
    """The facets of these names, for subscribe(); without names, the facet of the whole object."""
    if type(obj) is _core.Fact and not names:
        return [fact_facet(obj)]
    if not names:
        whole = whole_facet(obj)
        return [] if whole is None else [whole]
    if is_a(obj, types.ModuleType):
        obj = dict_of_module(obj)  # a listener is told of the key, whatever computes the attribute
    if is_a(obj, types.CodeType) and names == ("existence",):
        return [_core.facet("existence", obj)]
    if is_a(obj, dict):
        return [
            _core.facet("key", obj, check_name(name)) for name in names
        ]  # of a subclass, too: its items are told of
    if is_a(obj, types.CodeType) or not (is_a(obj, types.FunctionType) or is_a(obj, type)):
        return [function_facet(obj, name) for name in names]  # raises
    if is_a(obj, types.FunctionType):
        parts = [part_in_question(obj, check_name(name)) for name in names]
        return [
            global_facet(obj, name, ()) if part is None else function_facet(obj, part)
            for name, part in zip(names, parts, strict=True)
        ]
    return [facet for name in names if (facet := named_facet(obj, name)) is not None]


def fact_facet(fact: _core.Fact) -> FacetReference:
    return _core.facet("key", _core.dict_of_fact(fact), "value")
