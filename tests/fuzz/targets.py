"""What compiled code can rely on, and what plain Python finds there now."""

import types
from collections.abc import Callable
from typing import Any

import depwatch
from fuzz.values import GONE, MISSING
from fuzz.world import LOAD, Box, Space


class Target:
    """One facet. The same facet is always the same target, within one program."""

    __slots__ = ("_found", "_step", "last_key", "recordings")

    def __init__(self) -> None:
        self._step = -1
        self._found: Any = MISSING
        self.last_key: Any = None  # of the value recorded last
        self.recordings = 0  # how often it was another one

    def now(self, step: int) -> Any:
        """What plain Python finds, looked up once a step."""
        if step != self._step:
            self._found, self._step = self.find(), step
        return self._found

    def forget(self) -> None:
        self._step, self._found = -1, MISSING

    def find(self) -> Any:
        raise NotImplementedError

    def read(self, recorder: depwatch.Recorder) -> Any:
        raise NotImplementedError

    def watchable(self) -> bool:
        """Whether a cell of it must be current after a drain."""
        return True


class Named(Target):
    """A name of an owner, which may also be read through a cell."""

    __slots__ = ("name",)

    def owner(self) -> Any:
        raise NotImplementedError


class Global(Named):
    __slots__ = ("how", "space")

    def __init__(self, space: Space, name: str) -> None:
        super().__init__()
        self.space, self.name = space, name
        self.how = 0

    def __repr__(self) -> str:
        return f"global {self.name} of a {self.space.kind}"

    def find(self) -> Any:
        if self.space.dict is None:
            return GONE
        if self.name in self.space.dict:
            return self.space.dict[self.name]
        return self.space.fallback.get(self.name, MISSING)

    def owner(self) -> Any:
        """The function that loads it, or the dict."""
        assert self.space.dict is not None
        if self.how % 3 == 0 and self.space.kind == "dict":
            return self.space.function(LOAD[self.name])
        return self.space.dict

    def read(self, recorder: depwatch.Recorder) -> Any:
        of_module = self.how % 3 == 1 and self.space.kind == "module"
        return recorder.read_global(self.space.owner if of_module else self.owner(), self.name)


class ModuleAttribute(Named):
    __slots__ = ("space",)

    def __init__(self, space: Space, name: str) -> None:
        super().__init__()
        self.space, self.name = space, name

    def __repr__(self) -> str:
        return f"module attribute {self.name}"

    def find(self) -> Any:
        return GONE if self.space.dict is None else getattr(self.space.owner, self.name, MISSING)

    def watchable(self) -> bool:
        return type(self.space.owner) is types.ModuleType

    def owner(self) -> Any:
        return self.space.owner

    def read(self, recorder: depwatch.Recorder) -> Any:
        return recorder.read_attr(self.space.owner, self.name)


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

    def owner(self) -> Any:
        return self.box.item

    def read(self, recorder: depwatch.Recorder) -> Any:
        return recorder.read_type_attr(self.box.item, self.name)


class FunctionPart(Target):
    __slots__ = ("box", "part")

    def __init__(self, box: Box, part: str) -> None:
        super().__init__()
        self.box, self.part = box, part

    def __repr__(self) -> str:
        return f"{self.part} of {self.box.item}"

    def find(self) -> Any:
        return GONE if self.box.item is None else getattr(self.box.item, f"__{self.part}__")

    def read(self, recorder: depwatch.Recorder) -> Any:
        return recorder.read_function(self.box.item, self.part)[0]


def _of_dict(mapping: dict[Any, Any]) -> tuple[Any, ...]:
    return tuple(mapping.items())


def _of_class(cls: type) -> tuple[Any, ...]:
    mro = type.__dict__["__mro__"].__get__(cls)
    return tuple((base, *type.__dict__["__dict__"].__get__(base).items()) for base in mro if base is not object)


def _of_function(function: types.FunctionType) -> tuple[Any, ...]:
    kwdefaults = function.__kwdefaults__
    return (function.__code__, function.__defaults__, kwdefaults, *(kwdefaults or {}).items())


class Whole(Target):
    """A whole object: there is no value, so it is compared piece by piece."""

    __slots__ = ("box", "picture")

    def __init__(self, box: Box | Space, picture: Callable[[Any], tuple[Any, ...]]) -> None:
        super().__init__()
        self.box, self.picture = box, picture

    def __repr__(self) -> str:
        return f"the whole of {self.object()}"

    def object(self) -> Any:
        return self.box.dict if isinstance(self.box, Space) else self.box.item

    def find(self) -> Any:
        found = self.object()
        return GONE if found is None else self.picture(found)

    def read(self, recorder: depwatch.Recorder) -> Any:
        recorder.depend_on(self.object())
        return self.find()


def identical(a: Any, b: Any) -> bool:
    """Whether two pictures show the same objects, in any order of the items."""
    if a is GONE or b is GONE:
        return a is b
    return _identities(a) == _identities(b)


def _identities(picture: Any) -> Any:
    return [_identities(item) if type(item) is tuple else id(item) for item in picture]


def whole_space(space: Space) -> Whole:
    return Whole(space, _of_dict)


def whole_class(box: Box) -> Whole:
    return Whole(box, _of_class)


def whole_function(box: Box) -> Whole:
    return Whole(box, _of_function)
