"""What clients have in common: something computed, the handle of all that it rests on, and what the program calls."""

import operator
import os
import types
from typing import Any

import depwatch


def is_off() -> bool:
    return os.environ.get("DEPWATCH") == "0"


def copy_of(function: types.FunctionType) -> types.FunctionType:
    """What the program is to call in the function's place, by an entry.

    It has the function's code: discovery looks through it, and what runs while no entry is installed is right.
    """
    copy = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    give_parts(copy, function)
    return copy


def has_same_parts(a: types.FunctionType, b: types.FunctionType) -> bool:
    """Whether both have the same code and default values."""
    parts = [_parts_of(a), _parts_of(b)]
    return len(parts[0]) == len(parts[1]) and all(map(operator.is_, *parts))


def _parts_of(function: types.FunctionType) -> tuple[Any, ...]:
    keywords = function.__kwdefaults__ or {}
    return (function.__code__, function.__defaults__, *keywords, *keywords.values())


def give_parts(copy: Any, function: types.FunctionType) -> None:
    copy.__code__, copy.__defaults__ = function.__code__, function.__defaults__
    copy.__kwdefaults__ = function.__kwdefaults__ and dict(function.__kwdefaults__)


def state_of[State](function: Any, kind: type[State]) -> State | None:
    """What attach() gave this very function: functools.wraps copies attributes to others."""
    found = vars(function).get(f"__{kind.__module__}__") if type(function) is types.FunctionType else None
    return found[1] if found is not None and found[0] == id(function) else None


def attach(function: types.FunctionType, state: object, **methods: Any) -> Any:
    vars(function).update({f"__{type(state).__module__}__": (id(function), state)}, **methods)
    return function


class Held:
    """Rests on what was found. gone: once, it was not as it was, and nobody is to use it any more."""

    def __init__(self, found: list[depwatch.Found], handle: depwatch.Handle) -> None:
        self.found = found
        self.handle = handle
        self.gone = False
        self.compares = True  # whether anything of it changes without an event

    @property
    def valid(self) -> bool:
        try:
            return self.handle.valid and (not self.compares or all(each.same_unwatched() for each in self.found))
        except depwatch.Released:
            return False

    def breaks(self) -> int | None:
        """How often anything has changed, undone or not; None where it is not as it was.

        A computation is right if this is the same number before and after it. The number is read first: so a change
        between the two looks is counted, or is seen.
        """
        try:
            breaks = self.handle.breaks
        except depwatch.Released:
            return None
        return breaks if self.valid else None

    def why(self) -> str:
        """What is not as it was, of what CPython reports."""
        try:
            broken = self.handle.broken_facets()
        except depwatch.Released:
            return ""
        return "; ".join(f"{each.name} was {each.old}, is {each.new}" for each in broken)

    def retire(self) -> bool:
        """True the first time."""
        first, self.gone = not self.gone, True
        self.handle.release()
        return first
