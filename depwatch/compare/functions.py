"""What is known of each function of the program, by its code object, which is not kept alive.

Few objects: there is one of these for everything that ever ran, and the program's garbage collections visit them all.
"""

import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from types import CodeType
from typing import Any

import depwatch

from .bytecode import Use
from .calls import Rate
from .policies import Dependency
from .recorded import Recorded


class CodeReference(weakref.ref[CodeType]):
    """Knows where its code object was."""

    __slots__ = ("address",)
    address: int


@dataclass(slots=True, eq=False)
class Function:
    """A code object of the program; every closure made from it shares its handle."""

    number: int
    code: CodeReference
    name: str
    calls_to_go: int  # until it becomes hot for the first time; 0: it has been
    lines: set[int] = field(default_factory=set)  # that have run
    cold: dict[int, int] = field(default_factory=dict)  # policy -> cold calls since that one dropped the handle
    drops: int = 0  # by the policies that never give up
    rate: Rate | None = None  # of a hot function's calls
    # as last compiled
    uses: tuple[Use, ...] | None = None  # kept from the second time on
    dependencies: tuple[Dependency, ...] = ()
    resolved: tuple[int, int] | None = None  # lines that had run, id of the first argument's type; None: never
    # the real handle
    handle: depwatch.Handle | None = None
    recorded: dict[int, Recorded] | None = None  # by facet
    dropped: bool = False  # the handle is invalid, and was counted as dropped
    bereft: bool = False  # the handle went because an object died: no change, it is made anew at the next call


class Functions:
    """Finds functions by the address of their code: comparing code objects would compare their contents."""

    def __init__(self, calls_to_go: int) -> None:
        self.at: dict[int, Function] = {}
        self.numbered: dict[int, Function] = {}
        self._calls_to_go = calls_to_go
        self._died: list[Function] = []
        self._numbers = count(1)

    def add(self, code: CodeType) -> Function:
        reference = CodeReference(code, self._forget)
        reference.address = id(code)
        function = Function(next(self._numbers), reference, code.co_qualname, self._calls_to_go)
        self.at[id(code)] = self.numbered[function.number] = function
        return function

    def take_dead(self) -> Iterator[Function]:
        while self._died:
            function = self._died.pop()
            self.numbered.pop(function.number, None)
            yield function

    def _forget(self, reference: Any) -> None:
        """At any time, in any thread, also when the globals of this module are gone."""
        if function := self.at.pop(reference.address, None):
            self._died.append(function)
