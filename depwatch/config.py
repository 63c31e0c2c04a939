"""An object whose attributes code may rely on, which is possible of modules and not of ordinary instances."""

import sys
import types
from collections.abc import Mapping
from typing import Any, Final, dataclass_transform, override

from depwatch import _core
from depwatch.values import brief, dict_of_class, mro_of, qualname_of

_OF_CLASSES: Final = frozenset(
    [
        *("__module__", "__qualname__", "__doc__", "__firstlineno__", "__static_attributes__", "__annotations__"),
        *("__annotate__", "__annotate_func__", "__annotations_cache__", "__conditional_annotations__"),
        *("__orig_bases__", "__type_params__", "__parameters__", "__weakref__", "__dict__"),
    ]
)  # what a class statement itself puts into a class


@dataclass_transform(kw_only_default=True, eq_default=False)
class Config(types.ModuleType):
    """An object whose attributes code may rely on, through Recorder.read(config, name), cells, discover() and numba.

        config = depwatch.Config(scale=2.0)
        config.scale = 3.0                  # invalidates what has read it

        class Model(depwatch.Config):       # with a declaration: names are checked, defaults are given
            scale: float
            depth: int = 3

        model = Model(scale=2.0)

    CPython reports every change of a module's dict, and none of an instance's; so a Config is a module that no import
    made. Its attributes are values: a subclass may declare them, with defaults that each instance gets, and nothing
    else. A method, a property or a `__getattr__` could compute a value of which CPython reports nothing. For the same
    reason the class cannot be changed once it is made.

    Raises TypeError for a name that is missing or not declared. Two of them are equal only if they are the same.
    """

    def __init__(self, /, **values: Any) -> None:
        fields = _fields_of(type(self))
        _check_names(type(self), fields, values)
        super().__init__(qualname_of(type(self)))
        vars(self).update({name: value for name, value in fields.items() if value is not _REQUIRED} | values)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        fields = _fields_of(cls)
        for name in _annotated(cls):
            _check_field(cls, name)
            fields[name] = _REQUIRED
        for name, value in list(dict_of_class(cls).items()):
            if name not in _OF_CLASSES:
                _check_field(cls, name, value)
                fields[name] = value
                type.__delattr__(cls, name)
        type.__setattr__(cls, _FIELDS, fields)
        _core.freeze_class(cls)

    @override
    def __repr__(self) -> str:
        values = (f"{name}={value!r}" for name, value in _values_of(self).items())
        return f"{qualname_of(type(self))}({', '.join(values)})"

    @override
    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return _made, (type(self), _values_of(self))


_REQUIRED: Final = object()  # in the place of a default that was not given
_FIELDS: Final = "__fields__"  # the attribute of a subclass that has what it declares: {name: default or _REQUIRED}


def _fields_of(cls: type) -> dict[str, Any]:
    """What the class declares, its bases included."""
    fields: dict[str, Any] = {}
    for base in reversed(mro_of(cls)):
        fields |= dict_of_class(base).get(_FIELDS, {}) if base is not Config and issubclass(base, Config) else {}
    return fields


def _annotated(cls: type) -> Mapping[str, Any]:
    """The names that the class itself annotates. No annotation is evaluated."""
    if sys.version_info >= (3, 14):
        import annotationlib

        return annotationlib.get_annotations(cls, format=annotationlib.Format.FORWARDREF)
    found: Mapping[str, Any] = dict_of_class(cls).get("__annotations__", {})
    return found


def _check_field(cls: type, name: str, value: object = None) -> None:
    """Raises TypeError for what a subclass of Config cannot have."""
    is_special = name.startswith("__") and name.endswith("__")
    if is_special or hasattr(type(value), "__get__"):
        what = f"{name!r}" if is_special else f"{name!r}, which is {brief(value)}"
        raise TypeError(
            f"{qualname_of(cls)} has {what}: what a method, a property or a special method computes, CPython does not "
            "report; declare values only, write a function beside the class, and pass functions that are values to "
            "the instance"
        )


def _check_names(cls: type, fields: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    missing = [name for name, default in fields.items() if default is _REQUIRED and name not in values]
    unknown = [name for name in values if fields and name not in fields]
    special = [name for name in values if name.startswith("__") and name.endswith("__")]
    for names, why in ((missing, "needs"), (unknown, "does not declare"), (special, "cannot have")):
        if names:
            raise TypeError(f"{qualname_of(cls)}() {why} {', '.join(map(repr, names))}")


def _values_of(config: Config) -> dict[str, Any]:
    return {name: value for name, value in vars(config).items() if not (name.startswith("__") and name.endswith("__"))}


def _made(cls: type[Config], values: dict[str, Any]) -> Config:
    """A copy, or what was pickled."""
    made = cls.__new__(cls)
    types.ModuleType.__init__(made, qualname_of(cls))
    vars(made).update(values)
    return made


_core.freeze_class(Config)
