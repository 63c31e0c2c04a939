"""Reads: what compiled code has built in, each with the value that it was compiled with."""

import types
from abc import abstractmethod
from collections.abc import Callable, Hashable
from typing import Any, Final, override

from depwatch import MISSING, Recorder, Unwatchable, _core
from depwatch.discovery import Read as Discovered
from depwatch.integrations.numba.own import is_numbas
from depwatch.values import brief, dict_of_module, is_a


def builtins_of(function: Any) -> dict[str, Any]:
    """Where a function looks names up that its globals lack."""
    found: dict[str, Any] = function.__builtins__
    return found


class Read:
    """One value that was read while compiling. Two reads with the same key are of the same facet."""

    __slots__ = ("name", "value")

    def __init__(self, name: str, value: object) -> None:
        self.name: Final = name
        self.value: Final = value  # owned: a change that is undone is known by it

    @property
    @abstractmethod
    def key(self) -> Hashable: ...

    @property
    def default(self) -> dict[str, object]:
        """What the recorder is to be told of a name that was not there: that it is assumed to stay missing."""
        return {"default": MISSING} if self.value is MISSING else {}

    @property
    def is_internal(self) -> bool:
        """Whether this is of numba itself, which nobody wants to hear of who looks for a cause."""
        return any(is_numbas(getattr(self, owner, None)) for owner in ("function", "module", "cls"))

    @abstractmethod
    def record(self, recorder: Recorder) -> object:
        """The value now, assumed to stay. Raises like the reading code would, and Unwatchable."""

    @abstractmethod
    def __str__(self) -> str: ...


class GlobalRead(Read):
    """A name as a function looks it up: in its globals, then in its builtins."""

    __slots__ = ("function",)

    def __init__(self, function: types.FunctionType, name: str, value: object) -> None:
        super().__init__(name, value)
        self.function: Final = function

    @property
    @override
    def key(self) -> Hashable:
        return ("global", id(self.function.__globals__), id(builtins_of(self.function)), self.name)

    @override
    def record(self, recorder: Recorder) -> object:
        return recorder.read_global(self.function, self.name, **self.default)

    @override
    def __str__(self) -> str:
        return f"global {self.name!r} of {brief(self.function)}"


class ModuleRead(Read):
    """An attribute of a module."""

    __slots__ = ("module",)

    def __init__(self, module: types.ModuleType, name: str, value: object) -> None:
        super().__init__(name, value)
        self.module: Final = module

    @property
    @override
    def key(self) -> Hashable:
        return ("module", id(self.module), self.name)

    @override
    def record(self, recorder: Recorder) -> object:
        if is_a(self.module, types.ModuleType) and self.name not in dict_of_module(self.module):
            getattr(self.module, self.name, None)  # a lazy import (numpy.linalg): compiling did it too
        if self.value is MISSING:
            return recorder.read(dict_of_module(self.module), self.name, default=MISSING)
        return recorder.read_attr(self.module, self.name)

    @override
    def __str__(self) -> str:
        return f"{self.name!r} of {brief(self.module)}"


class ClassRead(Read):
    """An attribute of a class, of an enum for example."""

    __slots__ = ("cls",)

    def __init__(self, cls: type, name: str, value: object) -> None:
        super().__init__(name, value)
        self.cls: Final = cls

    @property
    @override
    def key(self) -> Hashable:
        return ("class", id(self.cls), self.name)

    @override
    def record(self, recorder: Recorder) -> object:
        return recorder.read_type_attr(self.cls, self.name, **self.default)

    @override
    def __str__(self) -> str:
        return f"{self.name!r} of {brief(self.cls)}"


class PartRead(Read):
    """A part of a function: its code, of which numba compiles what it was when asked to, or its defaults."""

    __slots__ = ("function",)

    def __init__(self, function: types.FunctionType, part: str, value: object) -> None:
        super().__init__(part, value)
        self.function: Final = function

    @property
    @override
    def key(self) -> Hashable:
        return (self.name, id(self.function))

    @override
    def record(self, recorder: Recorder) -> object:
        return recorder.read_function(self.function, self.name)[0]

    @override
    def __str__(self) -> str:
        return f"{self.name} of {brief(self.function)}"


def code_of(function: types.FunctionType) -> PartRead:
    return PartRead(function, "code", function.__code__)


class ItemsRead(Read):
    """An item of a dict that Python code reads while numba compiles, or all of them."""

    __slots__ = ("found",)

    def __init__(self, found: Discovered) -> None:
        super().__init__(found.name, found.value)
        self.found: Final = found

    @property
    @override
    def key(self) -> Hashable:
        return (self.found.kind, id(self.found.owner), self.name)

    @override
    def record(self, recorder: Recorder) -> object:
        if self.found.kind == "item":
            return recorder.read(self.found.owner, self.name, default=MISSING)
        recorder.depend_on(self.found.owner)
        return self.found.look()

    @override
    def __str__(self) -> str:
        return str(self.found)


def from_discovered(found: Discovered) -> Read:
    """What discover() found, as a read of the compiled code that was chosen by it."""
    match found.kind:
        case "global":
            return GlobalRead(found.owner, found.name, found.value)
        case "module":
            return ModuleRead(found.owner, found.name, found.value)
        case "class":
            return ClassRead(found.owner, found.name, found.value)
        case "function":
            return PartRead(found.owner, found.name, found.value)
    return ItemsRead(found)


class JittedRead(Read):
    """The Python function behind a dispatcher, where a chooser takes it from there: py_func or __wrapped__."""

    __slots__ = ("dispatcher",)

    def __init__(self, dispatcher: Any, name: str) -> None:
        super().__init__(name, vars(dispatcher).get(name, MISSING))
        self.dispatcher: Final = dispatcher

    @property
    @override
    def key(self) -> Hashable:
        return ("jitted", id(self.dispatcher), self.name)

    @override
    def record(self, recorder: Recorder) -> object:
        return recorder.read(vars(self.dispatcher), self.name, default=MISSING)

    @override
    def __str__(self) -> str:
        return f"{self.name} of {brief(self.value)} as jitted"


class DefaultsRead(Read):
    """The default values of arguments. numba's dispatcher takes them once, when the function is decorated."""

    __slots__ = ("function",)

    def __init__(self, function: types.FunctionType, taken: object) -> None:
        super().__init__("defaults", taken)
        self.function: Final = function

    @property
    @override
    def key(self) -> Hashable:
        return ("taken defaults", id(self.function))

    @override
    def record(self, recorder: Recorder) -> object:
        defaults, _ = recorder.read_function(self.function, "defaults", "kwdefaults")
        if defaults is not self.value:
            raise Unwatchable(
                f"{self}: they were changed after numba had taken them, and its dispatcher keeps them; decorate the "
                "function again"
            )
        return defaults

    @override
    def __str__(self) -> str:
        return f"defaults of {brief(self.function)}"


class VariableRead(Read):
    """A variable of an enclosing function. CPython tells nobody when it changes: the entry compares, at each call."""

    __slots__ = ("cell", "function")

    def __init__(self, function: types.FunctionType, name: str, cell: types.CellType) -> None:
        super().__init__(name, contents(cell))
        self.function: Final = function
        self.cell: Final = cell

    @property
    @override
    def key(self) -> Hashable:
        return ("variable", id(self.cell))

    @override
    def record(self, recorder: Recorder) -> object:
        return self.now()

    def now(self) -> object:
        """What the variable is, or EMPTY."""
        return contents(self.cell)

    def assumed(self) -> types.CellType:
        """A cell that holds what the variable has to: what was compiled, or what is there now if that is as good.

        An equal number may be another object now: code does not care, but the entry compares addresses.
        """
        now = self.now()
        value = now if _core.same_value(now, self.value) else self.value
        return types.CellType() if value is EMPTY else types.CellType(value)

    @override
    def __str__(self) -> str:
        return f"variable {self.name!r} of the function around {brief(self.function)}"


EMPTY: Final = object()  # what a closure cell holds before its variable is assigned


def contents(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return EMPTY


class Reads:
    """The reads of one piece of code, each facet once."""

    __slots__ = ("_by_key",)

    def __init__(self) -> None:
        self._by_key: dict[Hashable, Read] = {}

    def __iter__(self) -> Any:
        return iter(self._by_key.values())

    def __len__(self) -> int:
        return len(self._by_key)

    def add(self, read: Read) -> bool:
        """False if the facet was read before with another value: it changed in between."""
        before = self._by_key.setdefault(read.key, read)
        return before is read or _core.same_value(before.value, read.value)

    def record(self, recorder: Recorder, is_same: Callable[[object, object], bool] = _core.same_value) -> list[Read]:
        """Record all; return those whose value now is another than the one that was compiled with."""
        return [read for read in self if not is_same(_now(read, recorder), read.value)]


def _now(read: Read, recorder: Recorder) -> object:
    try:
        return read.record(recorder)
    except (NameError, AttributeError, KeyError):
        return EMPTY
