"""Objects whose attributes code may rely on."""

import copyreg
import sys
import types
from typing import TYPE_CHECKING, Any, Final, dataclass_transform, override

from depwatch import _core
from depwatch.discovery.reads import MISSING
from depwatch.naming import check_name, is_immutable
from depwatch.values import along_mro, brief, dict_of_class, dict_of_module, mro_of, qualname_of

_SHOWN: Final = 8  # attributes in a repr


@dataclass_transform(kw_only_default=True)
class Config(types.ModuleType):
    """An object whose attributes code may rely on, as on those of a module: `cfg = Config(scale=2.0)`.

    Everything that takes a module and a name takes a Config and a name: reads, cells, subscribe(), dependents(),
    discover() and numba's compiled code. `cfg.scale = 3.0`, setattr() and del work as for any object.
    name: for messages, which call the Config a module of that name. By default the name of its class.

    A subclass declares attributes: annotations say which there are, assignments give their defaults. Each instance gets
    the attributes as its own. It must give those that have no default by keyword. The class is closed once it is made,
    so that no property can take an attribute's place: it has no methods, and setting an attribute of the class raises
    TypeError. Two configs are equal only if they are the same object. A copy or an unpickled one is another object,
    with the same attributes. Raises TypeError for keywords that the class does not declare, and for names like `__x__`.
    """

    def __init__(self, name: str = "", /, **values: Any) -> None:
        cls = type(self)
        declared = _declared(cls)
        called = qualname_of(cls)
        if declared and (unknown := [each for each in values if each not in declared]):
            raise TypeError(
                f"{called} declares no {_listed(unknown)}, but {_listed(declared)}: add an annotation to the class, or "
                "use depwatch.Config, which takes any name"
            )
        given = declared | values  # in the order of the declarations
        if missing := [each for each, value in declared.items() if value is MISSING and each not in values]:
            raise TypeError(f"{called} declares {_listed(missing)} without a default: pass a value by keyword")
        for each in given:
            _check_attribute(check_name(each), called)
        self.__name__ = check_name(name) or called  # the first key: messages look for it at the start of the dict
        for each, value in given.items():
            setattr(self, each, value)

    def __init_subclass__(cls) -> None:
        _check_class(cls)
        declared = {name: value for base in cls.__bases__ for name, value in _declared(base).items()}
        declared |= {name: declared.get(name, MISSING) for name in _annotated(cls)}
        for name, value in tuple(dict_of_class(cls).items()):
            _check_value(cls, name, value)
            if not _is_special(name):
                declared[name] = value
                type.__delattr__(cls, name)  # it would answer for an attribute that was deleted
        cls.__declared__ = types.MappingProxyType(declared)
        _core.freeze_class(cls)

    if TYPE_CHECKING:
        __declared__: types.MappingProxyType[str, Any]

        def __setattr__(self, name: str, value: Any, /) -> None: ...
        def __delattr__(self, name: str, /) -> None: ...

    @override
    def __repr__(self) -> str:
        items = dict(dict_of_module(self))
        called = qualname_of(type(self))
        name = items.pop("__name__", called)
        texts = [] if name == called else [brief(name)]
        texts += [f"{each}={brief(value)}" for each, value in items.items() if not _is_special(each)]
        if len(texts) > _SHOWN:
            texts[_SHOWN:] = [f"... {len(texts) - _SHOWN} more"]
        return f"{called}({', '.join(texts)})"

    @override
    def __reduce_ex__(self, protocol: object) -> Any:
        return copyreg.__newobj__, (type(self),), dict(dict_of_module(self))  # type: ignore[attr-defined]


def _declared(cls: type) -> dict[str, Any]:
    """The attributes that the class declares, with their defaults or MISSING. Config itself declares none."""
    found = along_mro(cls, "__declared__")
    return dict(found[0]) if found else {}


def _annotated(cls: type) -> tuple[str, ...]:
    """The names that the body of the class annotates. Evaluates no annotation."""
    if sys.version_info >= (3, 14):
        import annotationlib

        return tuple(annotationlib.get_annotations(cls, format=annotationlib.Format.FORWARDREF))
    return tuple(dict_of_class(cls).get("__annotations__", ()))


def _check_class(cls: type) -> None:
    """Raises TypeError for a class whose instances can have what other classes compute."""
    called = qualname_of(cls)
    if type(cls) is not type:
        raise TypeError(f"{called} has the metaclass {qualname_of(type(cls))}, which may change the class: use none")
    for base in mro_of(cls)[1:]:
        if not is_immutable(base):
            raise TypeError(
                f"{called} inherits from {brief(base)}, which may get a property that computes an attribute: inherit "
                "only from depwatch.Config and subclasses of it"
            )


def _check_value(cls: type, name: str, value: object) -> None:
    """Raises TypeError for what the body of the class must not have."""
    called, kind = qualname_of(cls), type(value)
    if name == "__slots__":
        raise TypeError(f"{called} has __slots__, of whose changes CPython reports none: leave them out")
    if name.startswith("__annotat"):  # what CPython makes of the annotations: functions, from 3.14 on
        return
    if along_mro(kind, "__get__") or (_is_special(name) and along_mro(kind, "__call__")):
        raise TypeError(
            f"{name!r} of {called} is {brief(value)}: a Config has values and no code, because CPython reports no "
            "change of what code computes; make it a function that takes the config, or give it to the instance by "
            "keyword"
        )
    if not _is_special(name) and kind in (list, dict, set, bytearray):
        raise TypeError(
            f"the default of {name!r} of {called} is {brief(value)}, which all instances would share: leave the "
            "default out and give each instance its own by keyword, or use a tuple or frozenset"
        )


def _check_attribute(name: str, called: str) -> None:
    if _is_special(name):
        raise TypeError(f"{name!r} of {called}: such names are Python's own; choose one without the underscores")


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _listed(names: Any) -> str:
    return ", ".join(map(repr, names))


_core.freeze_class(Config)
