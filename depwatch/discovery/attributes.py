"""What the look-up of an attribute finds, on each kind of value, without running a descriptor of the program's."""

from __future__ import annotations

import functools
import types
from typing import TYPE_CHECKING, Any, Final

from depwatch.discovery import asks, calls
from depwatch.discovery.abstract import (
    ANY,
    DATA,
    LRU,
    PLAIN_TYPES,
    UNKNOWN,
    Value,
    Values,
    class_of,
    ids,
    is_plain,
    known,
    leads_on,
    union,
)
from depwatch.discovery.reads import MISSING, Cause, OpaqueKind, Read
from depwatch.errors import Unwatchable
from depwatch.naming import HAS_LAZY_IMPORTS, is_immutable
from depwatch.values import along_mro, brief, dict_of_class, has_str_keys, is_a, mro_of

if TYPE_CHECKING:
    from depwatch.discovery.frame import Frame

_dict_offset: Final[Any] = vars(type)["__dictoffset__"].__get__
# What object's own method, or the lack of one, falls back to.
_FALLBACKS: Final = {
    "__format__": "__str__", "__str__": "__repr__", "__ne__": "__eq__", "__bool__": "__len__",
    "__iter__": "__getitem__", "__contains__": "__iter__", "__int__": "__index__", "__float__": "__index__",
}  # fmt: skip
_DESCRIPTORS: Final = ids(
    types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType, types.MethodWrapperType,
    types.ClassMethodDescriptorType, types.GetSetDescriptorType, types.MemberDescriptorType,
)  # fmt: skip
_NO_STATE: Final = _DESCRIPTORS | ids(types.FunctionType, types.MethodType, types.CodeType, LRU)
_PARTED: Final = {id(functools.partial): ("func",), id(types.MethodType): ("__func__", "__self__")}
_METHODS: Final = ids(types.MethodDescriptorType, types.WrapperDescriptorType)
_FIXED: Final = PLAIN_TYPES | ids(tuple, frozenset, object)  # what their own methods see of an instance never changes
_SLOTS: Final = ids(types.MemberDescriptorType, types.GetSetDescriptorType)


def short(value: Value) -> str:
    if value.what == "known":
        return brief(value.obj)
    if value.what == "instance":
        return f"an instance of {brief(value.obj)}"
    return {"plain": "plain data", "unknown": "a value of unknown class", "super": "super()"}.get(
        value.what, "a function"
    )


def attribute(frame: Frame, value: Value, name: str) -> Values:
    """value.name"""
    if name == "__dict__":
        frame.walk.stores_any = True
    obj = value.obj
    if value.what == "unknown":
        return _opaque(frame, "world", "class", value, name)
    if is_plain(value):
        _opaque(frame, "arguments", "class", value, name)
        return DATA
    if value.what == "known":
        if is_a(obj, types.ModuleType):
            return _of_module(frame, value, name)
        if is_a(obj, type):
            return _of_class(frame, value, name)
    if value.what == "super":
        return of_super(frame, Value("known", obj[0]), obj[1], name)
    cls = class_of(value)
    if cls is None:
        return _opaque(frame, "arguments", "instance", value, name)
    return _of_instance(frame, value, cls, name)


def special(frame: Frame, value: Value, name: str) -> Values:
    """The method that an operator finds: in the class, never in the instance. Empty where there is none."""
    if value.what == "unknown":
        return _opaque(frame, "world", "class", value, name)
    if is_plain(value) or value.what in ("bound", "made", "super"):
        return DATA
    cls = class_of(value)
    assert cls is not None
    if value.what == "known":
        frame.walk.class_seen(value.obj)
        if is_a(value.obj, type) and name in ("__bool__", "__hash__", "__eq__", "__ne__") and is_immutable(cls):
            return DATA
    if is_immutable(cls):
        return _of_static(frame, value, cls, name)
    read = frame.read("class", cls, name, value.via)
    if read is None:
        return ANY
    found = read.value
    if found is MISSING or found is dict_of_class(object).get(name, MISSING):
        fallback = _FALLBACKS.get(name)
        return DATA if fallback is None else special(frame, value, fallback)
    bound = bind(frame, read, found, value, name)
    if name == "__getitem__" and issubclass(cls, dict):
        return union((bound, special(frame, value, "__missing__")))
    return bound


def _of_static(frame: Frame, value: Value, cls: type, name: str) -> Values:
    """An operator on an instance of a class that cannot change: what it does is settled by what is in the instance."""
    obj = value.obj
    if value.what == "known":
        if type(obj) is dict:
            frame.read("whole", obj, "", value.via)
            frame.escape(frame.contained(list(dict.values(obj)), value))
        elif type(obj) is tuple or type(obj) is frozenset:
            frame.escape(frame.elements(value) if len(obj) <= 200 else ())
        elif id(type(obj)) not in _NO_STATE:
            frame.tell("world", "item", f"{name} of {short(value)}", value)
    asks.items(frame, value, name)
    return ANY


def _opaque(frame: Frame, kind: OpaqueKind, cause: Cause, value: Value, name: str) -> Values:
    frame.tell(kind, cause, f".{name} of {short(value)}", value)
    return ANY


def _of_module(frame: Frame, value: Value, name: str) -> Values:
    module = value.obj
    frame.walk.class_seen(module)
    if type(module) is not types.ModuleType or name not in ("__class__", "__dict__"):
        read = frame.read("module", module, name, value.via)
        if read is None:
            return ANY
        if read.value is not MISSING:
            return (known(read.value, read),)
        hook = frame.read("module", module, "__getattr__", value.via)
        if hook is not None and hook.value is not MISSING:
            frame.tell("world", "dynamic", f".{name} of {short(value)}, by its __getattr__", value)
            return calls.call(frame, known(hook.value, hook), (DATA,), {})
        if HAS_LAZY_IMPORTS:
            path = frame.read("module", module, "__path__", value.via)
            if path is None:
                return ANY
            if path.value is not MISSING:  # CPython does not report when a lazy import adds one
                frame.tell("world", "import", f".{name} of {short(value)}, perhaps a submodule that is loaded then")
                return ANY
        return ANY if hook is None else DATA  # the look-up raises AttributeError while that is assumed
    return _opaque(frame, "world", "dynamic", value, name)


def _of_class(frame: Frame, value: Value, name: str) -> Values:
    """An attribute of a class itself: its metaclass has a say first."""
    cls = value.obj
    meta = type(cls)
    if not is_immutable(meta):
        frame.walk.class_seen(cls)
        for hook in ("__getattribute__",):
            read = frame.read("class", meta, hook, value.via)
            if read is None or read.value is not dict_of_class(type)["__getattribute__"]:
                return _opaque(frame, "world", "dynamic", value, name)
    by_meta = _look(frame, meta, name)
    for found in by_meta:
        if _look(frame, type(found), "__set__") or _look(frame, type(found), "__delete__"):  # before the class's own
            if not is_immutable(meta):
                frame.read("class", meta, name, value.via)
            if type(found) is property:
                read = frame.read("class", meta, name, value.via)
                return bind(frame, read, found, value, name) if read is not None else ANY
            kind: OpaqueKind = "world"
            if name in ("__name__", "__qualname__", "__mro__"):
                kind = "arguments"  # and compared, where it can change
                if not is_immutable(cls):
                    (frame.walk.bases_seen if name == "__mro__" else frame.walk.name_seen)(cls)
            return _opaque(frame, kind, "dynamic", value, name)
    if not is_immutable(meta):
        frame.read("class", meta, name, value.via)
    read = frame.read("class", cls, name, value.via)
    if read is None:
        return ANY
    if read.value is MISSING:
        for found in by_meta:
            return bind(frame, frame.read("class", meta, name, value.via), found, value, name)
        for found in _look(frame, meta, "__getattr__"):
            hook_read = frame.read("class", meta, "__getattr__", value.via)
            _opaque(frame, "world", "dynamic", value, name)
            return union(calls.call(frame, each, (DATA,), {}) for each in bind(frame, hook_read, found, value, name))
        return ANY
    return bind(frame, read, read.value, value, name, through_class=True)


def subscript_class(frame: Frame, value: Value) -> Values:
    """list[int], Generic[T], Color["RED"]"""
    found = special(frame, value, "__getitem__") if not is_immutable(type(value.obj)) else ()
    results = [calls.call(frame, each, (ANY,), {}) for each in found]
    for each in _of_class(frame, value, "__class_getitem__"):
        results.append(calls.call(frame, each, (ANY,), {}))
    return union((*results, ANY))


def _of_instance(frame: Frame, value: Value, cls: type, name: str) -> Values:
    origin: OpaqueKind = "world" if value.origin == "world" else "arguments"
    if value.what == "known":
        frame.walk.class_seen(value.obj)
    if is_immutable(cls):
        return _of_instance_of_static(frame, value, cls, name)
    hook = frame.read("class", cls, "__getattribute__", value.via)
    if hook is None or hook.value is not dict_of_class(object)["__getattribute__"]:
        if hook is not None and type(hook.value) is types.FunctionType:
            calls.call(frame, _method(known(hook.value, hook), value), (DATA,), {})
        return _opaque(frame, "world", "dynamic", value, name)
    read = frame.read("class", cls, name, value.via)
    if read is None:
        return ANY
    found = read.value
    own_dict = bool(_dict_offset(cls))
    if found is MISSING:
        fallback = frame.read("class", cls, "__getattr__", value.via)
        _opaque(frame, origin, "instance", value, name)
        if fallback is not None and type(fallback.value) is types.FunctionType:
            return union((ANY, calls.call(frame, _method(known(fallback.value, fallback), value), (DATA,), {})))
        return ANY
    if type(found) is property:
        return bind(frame, read, found, value, name)
    if id(type(found)) in _SLOTS:
        return _opaque(frame, origin, "instance", value, name)
    result = bind(frame, read, found, value, name)
    if own_dict and not _look(frame, type(found), "__set__"):  # the instance's own attribute hides it
        frame.tell(origin, "instance", f".{name} of {short(value)}", value)
        if value.origin == "here":  # and only code that is looked at, too, can have given it one
            frame.walk.not_hidden.add(name)
            return union((result, ANY)) if name in frame.walk.hidden else result
        return union((result, ANY))
    return result


def _of_instance_of_static(frame: Frame, value: Value, cls: type, name: str) -> Values:
    obj = value.obj
    if value.what != "known":
        _opaque(frame, "world" if value.origin == "world" else "arguments", "class", value, name)
        return _static_method(cls, name, value)
    if type(obj) is dict:
        frame.read("whole", obj, "", value.via)
        frame.escape(frame.contained(list(dict.values(obj)), value))
        _opaque(frame, "arguments", "class", value, name)
        return _static_method(cls, name, value)
    if id(type(obj)) in _NO_STATE and name not in ("__name__", "__qualname__", "__doc__", "__module__"):
        return _opaque(frame, "world", "instance", value, name)
    if id(type(obj)) in _PARTED and name in _PARTED[id(type(obj))]:
        return (known(calls.inside(obj, name), value.via),)
    kind: OpaqueKind = "arguments" if type(obj) is tuple or type(obj) is frozenset else "world"
    _opaque(frame, kind, "item" if kind == "world" else "class", value, name)
    return _static_method(cls, name, value)


def _static_method(cls: type, name: str, value: Value) -> Values:
    for found in along_mro(cls, name):
        if id(type(found)) in _METHODS:
            return (_method(known(found, None), value),)
    return ANY


def _method(function: Value, first: Value) -> Value:
    return Value("bound", function, function.via, first=first)


def bind(
    frame: Frame, read: Read | None, found: Any, owner: Value, name: str, *, through_class: bool = False
) -> Values:
    """What a value that was found in a class becomes when it is looked up through an owner."""
    kind = type(found)
    value = known(found, read)
    if kind is types.FunctionType:
        return (value,) if through_class else (_method(value, owner),)
    if kind is LRU and not through_class:
        return (_method(value, owner),)
    if kind is staticmethod:
        return (known(calls.inside(found, "__func__"), read),)
    if kind is classmethod:
        cls = owner if owner.what == "known" and is_a(owner.obj, type) else Value("known", class_of(owner), read)
        return (_method(known(calls.inside(found, "__func__"), read), cls),)
    if kind is property and not through_class:
        getter = calls.inside(found, "fget")
        return calls.call(frame, known(getter, read), ((owner,),), {})
    if id(kind) in _DESCRIPTORS:
        if id(kind) in _METHODS and not through_class and id(found.__objclass__) not in _FIXED:
            origin: OpaqueKind = "world" if owner.origin == "world" else "arguments"
            frame.tell(origin, "item", f"{name} of {short(owner)}", owner)  # such as what a subclass of dict has in it
        return (value,) if kind is types.BuiltinFunctionType else ANY if not through_class else (value,)
    if not _look(frame, kind, "__get__"):
        return (value,)
    if not is_immutable(kind):
        frame.walk.class_seen(found)
        getter_read = frame.read("class", kind, "__get__", read)
        if getter_read is not None and type(getter_read.value) is types.FunctionType:
            bound = _method(known(getter_read.value, getter_read), Value("instance", kind, read, "world"))
            calls.call(frame, bound, None, {})
    frame.tell("world", "dynamic", f".{name} of {short(owner)}, by a descriptor", owner)
    return (UNKNOWN, value) if leads_on(value) else ANY


def store(frame: Frame, value: Value, name: str) -> None:
    """value.name = ...: a property or a __setattr__ of the class may run."""
    cls = class_of(value)
    frame.walk.stored.add(name)
    if value.what == "unknown":
        frame.tell("world", "class", f".{name} = of {short(value)}")
    if cls is None or is_immutable(cls):
        return
    hook = frame.read("class", cls, "__setattr__", value.via)
    if hook is not None and type(hook.value) is types.FunctionType:
        calls.call(frame, _method(known(hook.value, hook), value), (DATA, ANY), {})
    read = frame.read("class", cls, name, value.via)
    if read is not None and type(read.value) is property:
        setter = calls.inside(read.value, "fset")
        if setter is not None:
            calls.call(frame, known(setter, read), ((value,), ANY), {})


def delete(frame: Frame, value: Value, name: str) -> None:
    """del value.name: a property or a __delattr__ of the class may run."""
    store(frame, value, name)
    cls = class_of(value)
    if cls is None or is_immutable(cls):
        return
    hook = frame.read("class", cls, "__delattr__", value.via)
    if hook is not None and type(hook.value) is types.FunctionType:
        calls.call(frame, _method(known(hook.value, hook), value), (DATA,), {})
    read = frame.read("class", cls, name, value.via)
    if read is not None and type(read.value) is property:
        deleter = calls.inside(read.value, "fdel")
        if deleter is not None:
            calls.call(frame, known(deleter, read), ((value,),), {})


def of_super(frame: Frame, cls: Value, instance: Value, name: str) -> Values:
    """super(cls, instance).name: followed where both are known; no facet says that it stays what it is."""
    kind = class_of(instance)
    if instance.what == "known" and is_a(instance.obj, type):
        kind = instance.obj
    after = Value("instance", cls.obj) if cls.what == "known" and is_a(cls.obj, type) else None
    frame.tell("world", "super", f"super().{name}", after)
    if kind is None or cls.what != "known" or not is_a(cls.obj, type):
        return ANY
    mro = mro_of(kind) or ()
    places = [index + 1 for index, each in enumerate(mro) if each is cls.obj]
    for base in mro[places[0] :] if places else ():
        if not is_immutable(base) and not has_str_keys(dict_of_class(base)):
            return _opaque(frame, "world", "dynamic", cls, name)
        if name in dict_of_class(base):
            read = None if is_immutable(base) else frame.read("class", base, name, cls.via)
            found = dict_of_class(base)[name]
            return union((ANY, bind(frame, read, found, instance, name)))
    return ANY


def _look(frame: Frame, cls: type, name: str) -> tuple[Any, ...]:
    """(value,) of an attribute of a class, or (); told as opaque where the class's dict would run code to answer."""
    try:
        return along_mro(cls, name)
    except Unwatchable:
        frame.tell("world", "dynamic", f".{name} of {brief(cls)}, whose dict has other keys than str")
        return ()
