"""Keys of dicts that are no interned exact str, what comparing them does, and how they change their minds."""

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


def equals(self: Any, other: object) -> bool:
    """As an __eq__: that it is every str of its hash."""
    return hash(other) == hash(self) if type(other) is str else self is other


class Base(int):
    """Of keys that have the hash of a name and equal no str, yet."""

    __slots__ = ()


class Late(Base):
    """Its class may get an __eq__, or it another class."""

    __slots__ = ()


class Hashed(Late):
    """Another, whose hash is for Python to say."""

    __slots__ = ()

    def __hash__(self) -> int:
        return int(self)


class Later(Base):
    """What such a key may become."""

    __slots__ = ()
    __eq__ = equals
    __hash__ = int.__hash__


class WithEq(Base):
    """A base with an __eq__."""

    __slots__ = ()
    __eq__ = equals
    __hash__ = int.__hash__


late: list[Any] = []  # those of this program


def begin() -> None:
    """A program begins: classes of keys are as they were."""
    Odd.made = 0
    late.clear()
    change_mind(0, 0)


def change_mind(how: int, which: int) -> None:
    """Keys come to equal the name of their hash, or cease to. No event of any dict tells."""
    for cls in (Late, Base, Text):
        for special in ("__eq__", "__hash__"):
            if special in vars(cls):
                delattr(cls, special)
    if Late.__bases__ != (Base,):
        Late.__bases__ = (Base,)
    match how % 6:
        case 1:
            Late.__eq__ = equals  # type: ignore[assignment, method-assign]
            Late.__hash__ = int.__hash__  # type: ignore[method-assign]
        case 2:
            Base.__eq__ = equals  # type: ignore[assignment, method-assign]
            Base.__hash__ = int.__hash__  # type: ignore[method-assign]
        case 3:
            Late.__bases__ = (WithEq,)
        case 4 if late:
            key = late[which % len(late)]
            key.__class__ = Later if type(key) is not Later else Late
        case 5:
            Odd.made += 1
            Text.__eq__ = lambda self, other: self is other  # type: ignore[assignment, method-assign]
            Text.__hash__ = str.__hash__  # type: ignore[method-assign]


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


def key(name: str, number: int, there: bool) -> Any:
    """A key that finds name in a dict, by a number. There: the dict has it, and keeps the key that it has."""
    kind = number % 32
    if kind < 16:
        return name
    if kind < 22:
        return built(name)
    if kind < 27 and there:
        return Text(name)
    Odd.made += 1
    if kind < 27:
        return Text(name)
    return Loud(name) if kind < 31 else Liar(name)


def unrelated(number: int) -> Any:
    """A key that finds no name."""
    kinds = (number, number + 0.5, (number, "a"), b"a", None, frozenset({number}), Text(f"other {number}"), object())
    return kinds[number % len(kinds)]
