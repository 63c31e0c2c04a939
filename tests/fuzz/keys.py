"""Keys of dicts that are no interned exact str, and what comparing them does."""

from collections.abc import Callable
from typing import Any


class Odd:
    """A key whose __eq__ is written in Python: it may say that it equals any name of its hash, or not."""

    made = 0  # in this program
    meddle: Callable[[], None] | None = None  # what the next comparison does
    __slots__ = ()

    @classmethod
    def compared(cls) -> None:
        if Odd.meddle is not None:
            meddle, Odd.meddle = Odd.meddle, None
            meddle()


class Text(str):
    """A str subclass that compares as str does."""

    __slots__ = ()


class Loud(str, Odd):
    """A str subclass whose comparison runs Python, and that meddles while it is armed."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        self.compared()
        return str.__eq__(self, other)

    __hash__ = str.__hash__


class Liar(Odd):
    """No str at all, but it has the hash of one and says that it equals it."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: Any) -> bool:
        self.compared()
        return other == self.name if type(other) is not Liar else other.name == self.name


class Key:
    """No str: it hashes like an object, equals itself and what it is told to, and runs actions while it is asked."""

    def __init__(self, like: object = 1, equals: tuple[object, ...] = ()) -> None:
        self.like, self.equals = like, equals
        self.on_hash: list[Callable[[], None]] = []
        self.on_compare: list[Callable[[], None]] = []

    def __hash__(self) -> int:
        if self.on_hash:
            self.on_hash.pop()()
        return hash(self.like)

    def __eq__(self, other: object) -> bool:
        if self.on_compare:
            self.on_compare.pop()()
        return self is other or other in self.equals


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
    Odd.made += 1
    return Loud(name) if kind < 31 else Liar(name)


def unrelated(number: int) -> Any:
    """A key that finds no name."""
    kinds = (number, number + 0.5, (number, "a"), b"a", None, frozenset({number}), Text(f"other {number}"), object())
    return kinds[number % len(kinds)]
