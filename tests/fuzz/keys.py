"""Keys of dicts that are no interned exact str, and what comparing them does."""

from collections.abc import Callable
from typing import Any


class Text(str):
    """A str subclass that compares as str does."""

    __slots__ = ()


class Loud(str):
    """A str subclass whose comparison runs Python, and that meddles while it is armed."""

    meddle: Callable[[], None] | None = None
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if Loud.meddle is not None:
            meddle, Loud.meddle = Loud.meddle, None
            meddle()
        return str.__eq__(self, other)

    __hash__ = str.__hash__


class Liar:
    """No str at all, but it has the hash of one and says that it equals it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: Any) -> bool:
        if Loud.meddle is not None:
            meddle, Loud.meddle = Loud.meddle, None
            meddle()
        return other == self.name if type(other) is not Liar else other.name == self.name


def built(name: str) -> str:
    """An equal str that is not interned."""
    return "".join(["", *name]) if len(name) > 1 else (name + " ")[:-1]


class SameHash(int):
    """An int that has the hash of a name: equal to no str."""

    def __new__(cls, name: str) -> "SameHash":
        return super().__new__(cls, hash(name))


def key(name: str, number: int) -> Any:
    """A key that finds name in a dict, by a number."""
    kind = number % 32
    if kind < 16:
        return name
    if kind < 22:
        return built(name)
    if kind < 27:
        return Text(name)
    return Loud(name) if kind < 31 else Liar(name)


def unrelated(number: int) -> Any:
    """A key that finds no name."""
    kinds = (number, number + 0.5, (number, "a"), b"a", None, frozenset({number}), Text(f"other {number}"), object())
    return kinds[number % len(kinds)]
