"""What was found: the reads of a piece of code, and the look-ups that no facet answers."""

import operator
import struct
import types
from collections.abc import Callable
from typing import Any, Final, Literal, final, override

from depwatch import _core
from depwatch._core import FacetReference
from depwatch.errors import Unwatchable
from depwatch.naming import attribute_facet
from depwatch.values import along_mro, brief

type Follow = Literal["default", "all"] | Callable[[types.FunctionType], object]
type Kind = Literal["global", "module", "class", "function", "item", "whole"]
type OpaqueKind = Literal["arguments", "world"]
type Cause = Literal["class", "instance", "item", "dynamic", "state", "super", "import", "depth"]

DEEPEST: Final = 20  # calls


@final
class Missing:
    """The type of MISSING."""

    __slots__ = ()

    @override
    def __repr__(self) -> str:
        return "MISSING"

    @override
    def __reduce__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()  # the value of a name that is not there


@final
class Read:
    """A look-up that code can make, and what it finds now.

    kind      owner                       name
    global    the function that loads it  the name: a global, or a builtin
    module    a module                    an attribute
    class     a class                     an attribute as instances find it along the MRO, unbound
    function  a Python function           "code", "defaults" or "kwdefaults"
    item      an exact dict               a key
    whole     an exact dict               "": all of its items are used

    value: MISSING where the name is not there. via: the read whose value led to this one. code, line: who reads it.
    """

    __slots__ = ("code", "facet", "items", "kind", "line", "name", "owner", "value", "via")

    def __init__(
        self,
        kind: Kind,
        owner: Any,
        name: str,
        value: Any,
        via: "Read | None",
        code: types.CodeType | None,
        line: int | None,
        facet: FacetReference | None = None,
    ) -> None:
        self.kind: Final = kind
        self.owner: Final = owner
        self.name: Final = name
        self.value = value
        self.via: Final = via
        self.code: Final = code
        self.line: Final = line
        self.facet = facet  # what answers it; None where nothing has to be asked
        self.items: dict[Any, Any] | None = None  # what a whole dict had in it

    @override
    def __repr__(self) -> str:
        value = "MISSING" if self.value is MISSING else brief(self.value)
        where = "" if self.line is None else f", line {self.line}"
        return f"<{self} is {value}{where}>"

    @override
    def __str__(self) -> str:
        if self.kind == "whole":
            return f"all of {brief(self.owner)}"
        return f"{self.kind} {self.name!r} of {brief(self.owner)}"

    def holds(self) -> bool:
        """Whether the look-up finds that very object now. Relies on nothing, and runs none of the program's code."""
        try:
            return self.look() is self.value
        except Unwatchable:
            return False

    def look(self) -> Any:
        """What the look-up finds now, or MISSING. Raises Unwatchable."""
        if self.facet is not None:
            found = self.facet.value()
            return found[0] if found else MISSING
        if self.kind == "function":
            return part_of(self.owner, self.name)
        if self.kind == "class":
            for found in along_mro(self.owner, self.name):
                return found
            return MISSING
        if self.items is not None and not has_same_items(self.owner, self.items):
            return MISSING
        return self.value


@final
class Opaque:
    """A look-up that no facet answers.

    kind: "arguments" where its result is settled by what the code is given (a cache keyed by arguments may ignore it),
    "world" where it is the state of something else. cause:

    class     of a value whose class is not known: any attribute or operator of that class
    instance  an attribute of an instance, which it has in its own dict or slots
    item      what is in a list, a set, a dict of another class, an array ...
    dynamic   exec, eval, globals(), getattr(x, n), a descriptor or a __getattribute__
    state     what an object keeps that no name leads to, such as the results of functools.lru_cache
    super     an attribute that super() finds: no facet starts after a class in an MRO
    import    a module that is not loaded yet
    depth     code that lies deeper than the limit

    about: the object that is asked, where it is known; else MISSING. cls: its exact class, where known; else None; of
    super(), the class after which it looks.
    """

    __slots__ = ("about", "cause", "cls", "code", "kind", "line", "text")

    def __init__(
        self,
        kind: OpaqueKind,
        code: types.CodeType,
        line: int | None,
        text: str,
        cause: Cause,
        about: Any = MISSING,
        cls: type | None = None,
    ) -> None:
        self.kind: Final[OpaqueKind] = kind
        self.code: Final = code
        self.line: Final = line
        self.text: Final = text
        self.cause: Final[Cause] = cause
        self.about: Final = about
        self.cls: Final = cls

    @override
    def __repr__(self) -> str:
        return f"<opaque, {self.kind}: {self.text} in line {self.line} of {self.code.co_qualname}>"


@final
class Cell:
    """A closure cell that code reads. CPython reports no change of it: compare its contents at each call."""

    __slots__ = ("cell", "name", "value")

    def __init__(self, name: str, cell: types.CellType, value: Any) -> None:
        self.name: Final = name
        self.cell: Final = cell
        self.value: Final = value  # MISSING where it is empty

    def holds(self) -> bool:
        return contents(self.cell) is self.value

    @override
    def __repr__(self) -> str:
        return f"<cell {self.name!r}: {brief(self.value)}>"


@final
class Found:
    """All that a function's code can read, found without running any of the program's code.

    reads: each facet once, in the order of the code. cells: of closures. refused: the reads that cannot be watched,
    with the reason. opaque: what no facet answers. leaves: Python functions that were not followed, as `follow` says.
    """

    __slots__ = ("__weakref__", "cells", "checks", "function", "given", "leaves", "opaque", "reads", "refused")

    def __init__(
        self,
        function: Any,
        reads: tuple[Read, ...],
        cells: tuple[Cell, ...],
        refused: tuple[tuple[Read, Unwatchable], ...],
        opaque: tuple[Opaque, ...],
        leaves: tuple[types.FunctionType, ...],
        checks: tuple[Callable[[], bool], ...] = (),
        given: tuple[Any, ...] = (),
    ) -> None:
        self.function: Final = function
        self.reads: Final = reads
        self.cells: Final = cells
        self.refused: Final = refused
        self.opaque: Final = opaque
        self.leaves: Final = leaves
        self.checks: Final = checks  # what the reads do not say: that objects have the class they had
        self.given: Final = given  # what it was found for

    def only(self, read: Callable[[Read], object], cell: Callable[[Cell], object]) -> "Found":
        """The same with only these reads and cells, for a client that answers for the others."""
        reads, cells = tuple(filter(read, self.reads)), tuple(filter(cell, self.cells))
        return Found(self.function, reads, cells, self.refused, self.opaque, self.leaves, self.checks, self.given)

    def holds(self) -> bool:
        """Whether each look-up finds now what it found then. Cost: below 1 microsecond a read."""
        for read in self.reads:
            facet = read.facet
            if facet is None:
                if read.look() is not read.value:
                    return False
            else:
                try:
                    value = facet.value()
                except Unwatchable:
                    return False
                if value[0] is not read.value if value else read.value is not MISSING:
                    return False
        return self.same_unwatched()

    def same_unwatched(self) -> bool:
        """Whether what sends no event is as it was: the contents of cells, and the classes of objects."""
        return all(cell.holds() for cell in self.cells) and all(check() for check in self.checks)

    @override
    def __repr__(self) -> str:
        counted = ("reads", "cells", "refused", "opaque", "leaves")
        return f"<found in {brief(self.function)}: {', '.join(f'{len(getattr(self, n))} {n}' for n in counted)}>"


def is_same(a: Any, b: Any) -> bool:
    """Whether a facet takes both for the same value: the same object, or an exact scalar with the same bits."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if type(a) is float:
        return struct.pack("=d", a) == struct.pack("=d", b)
    return (type(a) is int or type(a) is str) and bool(a == b)


def has_same_items(a: dict[Any, Any], b: dict[Any, Any]) -> bool:
    """Whether both have the same objects as keys and values, in the same order. Runs no __eq__."""
    if len(a) != len(b):
        return False
    return all(map(operator.is_, dict.keys(a), dict.keys(b))) and all(map(operator.is_, dict.values(a), dict.values(b)))


def contents(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return MISSING


def part_of(function: types.FunctionType, part: str) -> Any:
    if part == "code":
        return function.__code__
    return function.__defaults__ if part == "defaults" else function.__kwdefaults__


def facet_of(kind: Kind, owner: Any, name: str) -> FacetReference | None:
    """The facet that answers a look-up, or None where none is needed to see the value. Raises Unwatchable."""
    if kind == "global":
        return _core.facet("global", owner.__globals__, name, owner.__builtins__)
    if kind in ("module", "item"):
        return _core.facet("key", owner, name)
    if kind == "class":
        return attribute_facet(owner, name)
    return None
