"""What a call runs: a Python function, a constructor, what an object wraps; built-in callables are leaves."""

from __future__ import annotations

import builtins
import functools
import gc
import importlib
import operator
import sys
import types
from typing import TYPE_CHECKING, Any, Final

from depwatch.discovery import asks, attributes
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
from depwatch.discovery.reads import MISSING, Read
from depwatch.naming import is_immutable
from depwatch.values import brief, is_a

if TYPE_CHECKING:
    from depwatch.discovery.frame import Frame

type Keywords = dict[str, Values]

_PARTS: Final[dict[tuple[type, str], Any]] = {
    (kind, name): vars(kind)[name].__get__
    for kind, names in (
        (functools.partial, ("func", "args", "keywords")),
        (types.MethodType, ("__func__", "__self__")),
        (staticmethod, ("__func__",)),
        (classmethod, ("__func__",)),
        (property, ("fget", "fset", "fdel")),
    )
    for name in names
}
_by_id: Final = {id(each): name for name, each in vars(builtins).items() if callable(each)}
_WRAPPED: Final = ids(types.FunctionType, functools.partial, types.MethodType)
_CALLABLE_TYPES: Final = ids(types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType)
_DYNAMIC: Final = ids(
    exec, eval, globals, locals, vars, dir, __import__, importlib.import_module, sys._getframe, compile, input, open,
    operator.attrgetter, operator.methodcaller, getattr, hasattr, setattr, delattr, object.__setattr__,
)  # fmt: skip
# These ask nothing of the class of what they are given.
_ASK_NOTHING: Final = ids(id, type, callable, isinstance, issubclass, object, staticmethod, classmethod)
_NOT_CALLED: Final = ids(id, type, callable, isinstance, issubclass, hash, repr, str, print)
_GIVE_DATA: Final = ids(isinstance, issubclass, callable, id, len, hash, bool, repr, str)
_COLLECTIONS: Final = ids(list, tuple, set, frozenset)
# What a built-in function asks of its first argument.
_ASKS: Final = {
    id(len): "__len__", id(iter): "__iter__", id(next): "__next__", id(str): "__str__", id(repr): "__repr__",
    id(abs): "__abs__", id(hash): "__hash__", id(bool): "__bool__", id(int): "__int__", id(float): "__float__",
    id(list): "__iter__", id(tuple): "__iter__", id(set): "__iter__", id(frozenset): "__iter__", id(sum): "__iter__",
    id(sorted): "__iter__", id(any): "__iter__", id(all): "__iter__", id(enumerate): "__iter__",
    id(reversed): "__reversed__", id(round): "__round__", id(format): "__format__",
}  # fmt: skip
_ASKS_ITEMS: Final = {
    id(sum): ("__add__", "__radd__"), id(sorted): ("__lt__", "__gt__"), id(any): ("__bool__",), id(all): ("__bool__",),
    id(set): ("__hash__", "__eq__"), id(frozenset): ("__hash__", "__eq__"),
}  # fmt: skip


def inside(obj: Any, name: str) -> Any:
    """A part of an object of exactly such a built-in class."""
    return _PARTS[type(obj), name](obj)


def call(
    frame: Frame,
    called: Value,
    arguments: tuple[Values, ...] | None,
    keywords: Keywords,
    constants: tuple[Any, ...] = (),
) -> Values:
    """What called(*arguments, **keywords) returns; arguments: None where they can be any."""
    walk, obj = frame.walk, called.obj
    if called.what == "bound":
        first = called.first
        assert first is not None
        return call(frame, obj, None if arguments is None else ((first,), *arguments), keywords)
    if called.what == "plain":
        return _of_data(frame, arguments, keywords)
    if called.what == "unknown":
        _pass_on(frame, arguments, keywords)
        frame.tell("world", "class", "call of a value of unknown class")
        return ANY
    if called.what != "known":
        _pass_on(frame, arguments, keywords)
        return _instance_call(frame, called, arguments, keywords) if called.what == "instance" else ANY
    kind = type(obj)
    if kind is types.FunctionType:
        if not walk.follow(obj):
            _pass_on(frame, arguments, keywords)
            _kept_by_leaf(frame, obj, called.via)
            for values in (*(arguments or ()), *keywords.values()):
                _given_to_leaf(frame, obj, values)
        return walk.function(obj, arguments, keywords, called.via, frame.depth + 1)
    if kind is types.MethodType:
        first = known(inside(obj, "__self__"), called.via)
        function = known(inside(obj, "__func__"), called.via)
        return call(frame, function, None if arguments is None else ((first,), *arguments), keywords)
    if kind is functools.partial:
        return _partial(frame, called, arguments, keywords)
    if kind is LRU:
        return _cached(frame, called, arguments, keywords)
    if kind is staticmethod or kind is classmethod:
        return call(frame, known(inside(obj, "__func__"), called.via), None, keywords)
    if is_a(obj, type):
        return construct(frame, called, arguments, keywords, constants)
    if id(kind) in _CALLABLE_TYPES or is_immutable(kind):
        return _built_in(frame, called, arguments, keywords, constants)
    return _instance_call(frame, called, arguments, keywords)


def _kept_by_leaf(frame: Frame, function: types.FunctionType, via: Read | None) -> None:
    """What a function that is not followed has in its closure may be the program's: what a decorator wraps."""
    if id(function) in frame.walk.leaves:
        return
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        for value in frame.walk.cell(name, cell, via):
            if value.what == "known" and type(value.obj) is dict:
                frame.read("whole", value.obj, "", via)
                frame.escape(frame.contained(list(dict.values(value.obj)), value))
            frame.escape((value,))


def _given_to_leaf(frame: Frame, function: types.FunctionType, values: Values) -> None:
    """What a function that is not followed may read of objects of the program."""
    for value in values:
        if value.what != "known" or is_plain(value) or leads_on(value) or is_a(value.obj, types.ModuleType):
            continue
        if is_immutable(type(value.obj)):
            frame.operator(value, "__iter__")
        elif not is_a(value.obj, type):
            frame.tell("world", "instance", f"what {brief(function)} reads of {attributes.short(value)}", value)


def _instance_call(frame: Frame, called: Value, arguments: tuple[Values, ...] | None, keywords: Keywords) -> Values:
    methods = [each for each in attributes.special(frame, called, "__call__") if each.what != "plain"]
    if methods == [UNKNOWN]:
        _pass_on(frame, arguments, keywords)
        return ANY
    return union(call(frame, each, arguments, keywords) for each in methods) or ANY


def _pass_on(frame: Frame, arguments: tuple[Values, ...] | None, keywords: Keywords) -> None:
    for values in (*(arguments or ()), *keywords.values()):
        frame.escape(values)


def passed_on(frame: Frame, value: Value) -> None:
    """Something not known may call it, with any arguments."""
    walk = frame.walk
    key = ("passed on", value.key())
    if key in walk.returns:
        return
    walk.returns[key] = ANY
    walk.kept.append(value)
    obj = value.obj
    if value.what == "known" and type(obj) is property:
        for part in ("fget", "fset", "fdel"):
            getter = inside(obj, part)
            if getter is not None:
                call(frame, known(getter, value.via), None, {})
        return
    call(frame, value, None, {})


def _of_data(frame: Frame, arguments: tuple[Values, ...] | None, keywords: Keywords) -> Values:
    """A method of plain data: it may ask anything of what it is given."""
    _pass_on(frame, arguments, keywords)
    given = [value for values in (*(arguments or ()), *keywords.values()) for value in values]
    if arguments is not None and all(map(is_plain, given)):
        return DATA
    for value in given:
        asks.anything(frame, "a built-in method", value)
        if value.what == "known" and (is_a(value.obj, type) or is_a(value.obj, types.ModuleType)):
            # As "{0.name}".format(value) looks an attribute up.
            frame.tell("world", "dynamic", f"a built-in method of {attributes.short(value)}", value)
    return ANY


def _partial(frame: Frame, called: Value, arguments: tuple[Values, ...] | None, keywords: Keywords) -> Values:
    obj, via = called.obj, called.via
    first = tuple((known(each, via),) for each in inside(obj, "args"))
    more = {name: (known(each, via),) for name, each in inside(obj, "keywords").items() if type(name) is str}
    frame.walk.partial_seen(obj)
    frame.read("whole", inside(obj, "keywords"), "", via)
    given = None if arguments is None else (*first, *arguments)
    if given is None:
        for values in first:
            frame.escape(values)
    return call(frame, known(inside(obj, "func"), via), given, more | keywords)


def _cached(frame: Frame, called: Value, arguments: tuple[Values, ...] | None, keywords: Keywords) -> Values:
    """functools.lru_cache: the results that it keeps were right once. Its function is found as the collector does."""
    frame.tell("world", "state", "results that functools.lru_cache keeps")
    for each in gc.get_referents(called.obj):
        if is_wrapped(each):
            call(frame, known(each, called.via), arguments, keywords)
    return ANY


def is_wrapped(obj: Any) -> bool:
    return id(type(obj)) in _WRAPPED


def construct(
    frame: Frame,
    called: Value,
    arguments: tuple[Values, ...] | None,
    keywords: Keywords,
    constants: tuple[Any, ...] = (),
) -> Values:
    """cls(...): its metaclass's __call__, then __new__ and __init__."""
    cls = called.obj
    meta = type(cls)
    if is_immutable(cls) and is_immutable(meta):
        return _built_in(frame, called, arguments, keywords, constants)
    results: list[Values] = []
    if not is_immutable(meta):
        frame.walk.class_seen(cls)
        by_meta = frame.read("class", meta, "__call__", called.via)
        if by_meta is not None and type(by_meta.value) is types.FunctionType:
            method = Value("bound", known(by_meta.value, by_meta), by_meta, first=called)
            results.append(call(frame, method, arguments, keywords))
    made = Value("instance", cls, called.via, "here")
    for name, first in (("__new__", called), ("__init__", made)):
        read = frame.read("class", cls, name, called.via)
        if read is None:
            continue
        value = read.value
        if type(value) is staticmethod and name == "__new__":
            value = inside(value, "__func__")
        if type(value) is types.FunctionType:
            given = None if arguments is None else ((first,), *arguments)
            found = call(frame, known(value, read), given, keywords)
            if name == "__new__":
                results.append(found)
        else:
            _pass_on(frame, arguments, keywords)
            if value is not MISSING and id(type(value)) not in _CALLABLE_TYPES:
                if name == "__new__":
                    call(frame, known(value, read), None, keywords)
                    continue
                for method in attributes.bind(frame, read, value, made, name):
                    call(frame, method, arguments, keywords)
    return union(((made,), *results))


def _built_in(
    frame: Frame,
    called: Value,
    arguments: tuple[Values, ...] | None,
    keywords: Keywords,
    constants: tuple[Any, ...],
) -> Values:
    """A leaf: what it reads by itself is not looked at; what it asks of its arguments, and calls of them, is."""
    obj = called.obj
    name = _by_id.get(id(obj), "a built-in callable")
    if obj is getattr or obj is hasattr:
        if len(constants) > 1 and type(constants[1]) is str and arguments:
            found = union(attributes.attribute(frame, value, constants[1]) for value in arguments[0])
            return union((found, *arguments[2:])) if obj is getattr else DATA
    if id(obj) in _DYNAMIC:
        _pass_on(frame, arguments, keywords)
        frame.tell("world", "dynamic", f"{name}(...)")
        frame.walk.stores_any = True
        return ANY
    if obj is super and not arguments:
        frame.tell("world", "super", "super()")
        return ANY
    if arguments is None:
        return ANY
    if obj is builtins.__build_class__:
        _class_statement(frame, arguments[2:], keywords)
    if id(obj) not in _NOT_CALLED:
        _pass_on(frame, arguments, keywords)
    given = [value for values in (*arguments, *keywords.values()) for value in values]
    if id(obj) in _ASK_NOTHING:
        if obj is isinstance or obj is issubclass:
            for classes in arguments[1:2]:
                _is_instance(frame, arguments[0], classes, f"__{name.removeprefix('is')}check__")
        return DATA if id(obj) in _GIVE_DATA else ANY
    if id(obj) in _ASKS and arguments:
        asked = union(frame.operator(value, _ASKS[id(obj)]) for value in arguments[0])
        for method in _ASKS_ITEMS.get(id(obj), ()):
            for value in arguments[0]:
                asks.each_item(frame, value, method)
        if all(map(is_plain, given)) or id(obj) in _GIVE_DATA:
            return DATA
        return (Value("instance", obj),) if id(obj) in _COLLECTIONS else union((asked, ANY))
    asks.by_built_in(frame, obj, name, arguments, keywords.values())
    if all(map(is_plain, given)) and (id(obj) in PLAIN_TYPES or id(obj) in _by_id):
        return DATA
    return (Value("instance", obj),) if is_a(obj, type) else ANY


def _is_instance(frame: Frame, values: Values, classes: Values, method: str) -> None:
    """isinstance(value, cls): the metaclass of cls is asked; else the bases of the value's class decide."""
    for cls in classes:
        if cls.what == "known" and type(cls.obj) is tuple:
            _is_instance(frame, values, frame.elements(cls), method)
        elif cls.what == "known" and is_a(cls.obj, type) and not is_immutable(type(cls.obj)):
            for each in attributes.special(frame, cls, method):
                call(frame, each, (ANY,), {})
    for value in values:
        kind = value.obj if value.what == "known" and is_a(value.obj, type) else class_of(value)
        if kind is not None:
            frame.walk.bases_seen(kind)


def _class_statement(frame: Frame, bases: tuple[Values, ...], keywords: Keywords) -> None:
    """class C(*bases, **keywords): what the bases and their metaclass have a say in."""
    for value in (each for values in bases for each in values):
        if value.what != "known" or not is_a(value.obj, type):
            frame.tell("world", "dynamic", "a class statement with a base that is not known")
            continue
        for each in attributes.attribute(frame, value, "__init_subclass__"):
            call(frame, each, None, {})
        meta = type(value.obj)
        if not is_immutable(meta):
            frame.walk.class_seen(value.obj)
            for each in attributes.attribute(frame, known(meta, value.via), "__prepare__"):
                call(frame, each, None, {})
            construct(frame, known(meta, value.via), None, {})
    for value in keywords.get("metaclass", ()):
        if value.what == "known" and is_a(value.obj, type):
            construct(frame, value, None, {})
        else:
            frame.tell("world", "dynamic", "a class statement with a metaclass that is not known")


def imported(frame: Frame, name: str, level: int, names: Any) -> Values:
    """`import name`, `from name import names`: the builtin, the item of sys.modules and the attributes."""
    read = frame.builtin("__import__", None)
    own = [value for value in read if value.what == "known" and value.obj is builtins.__import__]
    if not own:
        for value in read:
            call(frame, value, None, {})
        frame.tell("world", "import", f"import {name}, by another __import__")
        return ANY
    package = ""
    if level:
        for place in ("__package__", "__spec__", "__name__", "__path__"):
            found = frame.global_(place, None)
            if place == "__package__":
                package = found[0].obj if found[0].what == "known" and type(found[0].obj) is str else ""
        package = package.rsplit(".", level - 1)[0] if level > 1 else package
        if not package:
            frame.tell("world", "import", f"import {'.' * level}{name}")
            return ANY
    full = f"{package}.{name}".strip(".")
    wanted = full if names else full.partition(".")[0]
    if level and not names:
        wanted = full
    module: Values = ANY
    for each in {full, wanted}:
        item = frame.read("item", sys.modules, each, None)
        if item is None or item.value is MISSING or not is_a(item.value, types.ModuleType):
            frame.tell("world", "import", f"import {each}, which is not loaded")
        elif each == wanted:
            module = (known(item.value, item),)
    return module
