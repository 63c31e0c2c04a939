"""What compiled code can rely on, and what plain Python finds there now."""

import operator
import types
from collections.abc import Callable
from typing import Any

import depwatch
from depwatch.values import brief
from fuzz.values import GONE, MISSING, is_lazy
from fuzz.world import LOAD, Box, Space

_looked_up: list["Target"] = []  # since forget_all()


def forget_all() -> None:
    for target in _looked_up:
        target.forget()
    _looked_up.clear()


class Target:
    """One thing to rely on. The same thing is always the same target, within one program."""

    __slots__ = ("_found", "_step", "facet", "last_key", "recordings")

    def __init__(self) -> None:
        self._step = -1
        self._found: Any = MISSING
        self.last_key: Any = None  # of the value recorded last
        self.recordings = 0  # how often it was another one
        self.facet: Target = self  # where both are counted: the same facet can be read in several ways

    def now(self, step: int) -> Any:
        """What plain Python finds, looked up once a step."""
        if step != self._step:
            self._found, self._step = self.find(), step
            _looked_up.append(self)
        return self._found

    def forget(self) -> None:
        self._step, self._found = -1, MISSING

    def find(self) -> Any:
        raise NotImplementedError

    def place(self) -> Any:
        """The places where it is looked up and those that have it, as something to compare."""

    def read(self, recorder: depwatch.Recorder, **default: Any) -> Any:
        """default: {"default": what to return if it is missing, which is then relied on}, or {}."""
        raise NotImplementedError

    def put(self, value: Any) -> None:
        """Store the value, so that plain Python finds it again."""

    def remove(self) -> None:
        """Delete it, so that plain Python may no longer find it."""

    def watchable(self) -> bool:
        """Whether a cell of it must be current after a drain."""
        return True


class Named(Target):
    """A name of an owner, which may also be read through a cell."""

    __slots__ = ("name",)
    name: Any

    def owner(self) -> Any:
        raise NotImplementedError


class Item(Target):
    """An item of a namespace on which reads of other names rest: its builtins, or a __getattr__ that it has not."""

    __slots__ = ("name", "space")

    def __init__(self, space: Space, name: str) -> None:
        super().__init__()
        self.space, self.name = space, name

    def __repr__(self) -> str:
        return f"{self.name} of a {self.space.kind}"

    def find(self) -> Any:
        return GONE if self.space.dict is None else self.space.dict.get(self.name, MISSING)

    def put(self, value: Any) -> None:
        if self.space.dict is not None:
            self.space.dict[self.name] = value

    def remove(self) -> None:
        if self.space.dict is not None:
            self.space.dict.pop(self.name, None)


class Fact(Named):
    __slots__ = ("fact",)

    def __init__(self, fact: depwatch.Fact) -> None:
        super().__init__()
        self.fact, self.name = fact, None

    def __repr__(self) -> str:
        return f"the fact {self.fact.name}"

    def find(self) -> Any:
        return self.fact.value

    def put(self, value: Any) -> None:
        self.fact.set(value)

    def owner(self) -> Any:
        return self.fact

    def read(self, recorder: depwatch.Recorder, **default: Any) -> Any:
        return recorder.read(self.fact)


class Global(Named):
    """A name as code finds it that has these builtins, or none."""

    __slots__ = ("fallback", "how", "space")

    def __init__(self, space: Space, name: str, fallback: dict[str, Any] | None) -> None:
        super().__init__()
        self.space, self.name, self.fallback = space, name, fallback
        self.how = "dict"  # it is read: by a function, the dict or the module

    def __repr__(self) -> str:
        return f"global {self.name} of a {'function' if self.how == 'function' else self.space.kind}"

    def find(self) -> Any:
        space = self.space.dict
        if space is None:
            return GONE
        if self.name in space:
            return space[self.name]
        return MISSING if self.fallback is None else self.fallback.get(self.name, MISSING)

    def place(self) -> Any:
        return self.space.dict is not None and self.name in self.space.dict

    def put(self, value: Any) -> None:
        space = self.space.dict
        if space is None:
            return
        if self.name in space and self.fallback is not None and self.fallback.get(self.name, MISSING) is value:
            del space[self.name]
        else:
            space[self.name] = value

    def owner(self) -> Any:
        if self.how == "function":
            return self.space.function(LOAD[self.name])
        return self.space.dict  # as the owner of a cell, a module means its attribute

    def read(self, recorder: depwatch.Recorder, **default: Any) -> Any:
        return recorder.read_global(self.space.owner if self.how == "module" else self.owner(), self.name, **default)

    def remove(self) -> None:
        if self.space.dict is not None:
            self.space.dict.pop(self.name, None)


class ModuleAttribute(Named):
    __slots__ = ("space",)

    def __init__(self, space: Space, name: str) -> None:
        super().__init__()
        self.space, self.name = space, name

    def __repr__(self) -> str:
        return f"module attribute {self.name}"

    def find(self) -> Any:
        space = self.space.dict
        if space is not None and is_lazy(space.get(self.name)):  # looking must not make the import
            return space[self.name]
        return GONE if space is None else getattr(self.space.owner, self.name, MISSING)

    def put(self, value: Any) -> None:
        if self.space.dict is not None:
            self.space.dict[self.name] = value

    def watchable(self) -> bool:
        return type(self.space.owner) in (types.ModuleType, depwatch.Config)

    def owner(self) -> Any:
        return self.space.owner

    def read(self, recorder: depwatch.Recorder, **default: Any) -> Any:
        return recorder.read_attr(self.space.owner, self.name, **default)

    def remove(self) -> None:
        if self.space.dict is not None:
            self.space.dict.pop(self.name, None)


class Attribute(Named):
    __slots__ = ("box",)

    def __init__(self, box: Box, name: str) -> None:
        super().__init__()
        self.box, self.name = box, name

    def __repr__(self) -> str:
        return f"attribute {self.name} of {self.box.item}"

    def find(self) -> Any:
        if self.box.item is None:
            return GONE
        for base in type.__dict__["__mro__"].__get__(self.box.item):
            found = type.__dict__["__dict__"].__get__(base)
            if self.name in found:
                return found[self.name]
        return MISSING

    def place(self) -> Any:
        """The MRO, which an assignment of the same bases makes anew, and which of its classes have the name."""
        if self.box.item is None:
            return None
        mro = type.__dict__["__mro__"].__get__(self.box.item)
        return id(mro), *((id(base), self.name in type.__dict__["__dict__"].__get__(base)) for base in mro)

    def put(self, value: Any) -> None:
        if self.box.item is not None:
            setattr(self.box.item, self.name, value)

    def owner(self) -> Any:
        return self.box.item

    def read(self, recorder: depwatch.Recorder, **default: Any) -> Any:
        return recorder.read_type_attr(self.box.item, self.name, **default)

    def remove(self) -> None:
        if self.box.item is not None and self.name in vars(self.box.item):
            delattr(self.box.item, self.name)


class FunctionPart(Target):
    __slots__ = ("box", "part")

    def __init__(self, box: Box, part: str) -> None:
        super().__init__()
        self.box, self.part = box, part

    def __repr__(self) -> str:
        return f"{self.part} of {self.box.item}"

    def find(self) -> Any:
        return GONE if self.box.item is None else getattr(self.box.item, f"__{self.part}__")

    def read(self, recorder: depwatch.Recorder, **default: Any) -> Any:
        return recorder.read_function(self.box.item, self.part)[0]

    def put(self, value: Any) -> None:
        if self.box.item is not None:
            setattr(self.box.item, f"__{self.part}__", value)


def of_dict(mapping: dict[Any, Any]) -> tuple[Any, ...]:
    return (*mapping, *mapping.values())


def _of_class(cls: type) -> tuple[Any, ...]:
    mro = type.__dict__["__mro__"].__get__(cls)
    found: list[Any] = []
    for base in mro:
        if base is not object:
            items = type.__dict__["__dict__"].__get__(base)
            found += (base, *items, *items.values())
    return tuple(found)


def _of_function(function: types.FunctionType) -> tuple[Any, ...]:
    kwdefaults = function.__kwdefaults__
    return (function.__code__, function.__defaults__, kwdefaults, *of_dict(kwdefaults or {}))


class Whole(Target):
    """A whole object: there is no value, so it is compared piece by piece."""

    __slots__ = ("box", "picture")

    def __init__(self, box: Box | Space, picture: Callable[[Any], tuple[Any, ...]]) -> None:
        super().__init__()
        self.box, self.picture = box, picture

    def __repr__(self) -> str:
        return f"the whole of {brief(self.object())}"

    def object(self) -> Any:
        return self.box.dict if isinstance(self.box, Space) else self.box.item

    def find(self) -> Any:
        found = self.object()
        return GONE if found is None else self.picture(found)

    def read(self, recorder: depwatch.Recorder, **default: Any) -> Any:
        recorder.depend_on(self.object())
        return self.find()


def identical(a: Any, b: Any) -> bool:
    """Whether two pictures show the same objects in the same places."""
    if a is GONE or b is GONE:
        return a is b
    return len(a) == len(b) and all(map(operator.is_, a, b))


def whole_space(space: Space) -> Whole:
    return Whole(space, of_dict)


def whole_class(box: Box) -> Whole:
    return Whole(box, _of_class)


def whole_function(box: Box) -> Whole:
    return Whole(box, _of_function)
