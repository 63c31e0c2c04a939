"""Optimized code in the place of functions: it runs as long as all that it relies on holds, and only then."""

import types
from typing import Any

import depwatch
from fuzz.compiling import Assumption, Optimizer, Piece
from fuzz.targets import identical
from fuzz.world import Box
from fuzz.wrong import Wrong

CALLS = 20  # so that CPython has specialised the call when the entry comes


class Mark:
    """What optimized code returns: a new one for each, and nothing of the world."""


class Installed:
    """An entry, and what the function was when it was installed."""

    __slots__ = ("assumptions", "box", "entry", "handle", "mark", "may_go")

    def __init__(
        self, box: Box, entry: depwatch.Entry, piece: Piece, assumptions: list[Assumption], mark: Mark
    ) -> None:
        self.box, self.entry, self.handle, self.assumptions, self.mark = box, entry, piece.handle, assumptions, mark
        self.may_go = False  # it was removed, or a handle that it looks at was retired

    def holds(self, step: int) -> bool:
        valid = not self.handle.released and self.handle.valid
        return valid and all(each.holds(step) for each in self.assumptions)

    def note(self) -> None:
        guard = self.entry._guard  # goes if the dict of keyword defaults has changed in place
        if self.handle.released or self.handle.retired or any(each.superseded() for each in self.assumptions):
            self.may_go = True
        elif guard.reason is not None or (self.entry.installed and guard.retired):
            self.may_go = True


def call(function: Any) -> Any:
    try:
        return function()
    except TypeError:  # defaults that are gone
        return ()


def plain(function: types.FunctionType) -> Any:
    """What the function's own code returns now: that of another function with the same parts."""
    parts = (function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__)
    copy = types.FunctionType(*parts)
    copy.__kwdefaults__ = function.__kwdefaults__
    return call(copy)


class Entries:
    """All that is installed in one program."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.installed: list[Installed] = []

    def install(self, piece: Piece, box: Box) -> None:
        function, mark = box.item, Mark()
        retired = piece.handle.retired
        for _ in range(CALLS):
            call(function)
        try:
            entry = depwatch.install(function, lambda *args, **kwargs: mark, piece.handle)
        except ValueError:
            assert any(each.box is box and each.entry.installed for each in self.installed), "there is no other entry"
            self.optimizer.count("entry refused, there is one")
            return
        except depwatch.Stale:
            assert piece.handle.retired
            if not retired:  # it relies on what the function was before, and the entry on what it is now
                self._recorded(box)
            return
        assumptions = self._recorded(box)
        self.installed.append(Installed(box, entry, piece, assumptions, mark))
        self.optimizer.count("entries installed")

    def _recorded(self, box: Box) -> list[Assumption]:
        assumptions = []
        for target in self.optimizer.parts(box):
            target.forget()
            assumptions.append(Assumption(target, target.find()))
        return assumptions

    def remove(self, number: int) -> None:
        if self.installed:
            each = self.installed[number % len(self.installed)]
            each.may_go = True
            each.entry.remove()

    def close(self) -> None:
        for each in self.installed:
            each.entry.remove()
        self.installed.clear()

    def check(self, drained: bool) -> None:
        for each in list(self.installed):
            each.note()
            if each.box.item is None:
                if each.entry.installed or each.entry.active:
                    raise Wrong("the entry of a function that died is there")
            else:
                self._check(each, drained)
            if not each.entry.installed:
                self.installed.remove(each)

    def _check(self, each: Installed, drained: bool) -> None:
        function, entry = each.box.item, each.entry
        holds = each.holds(self.optimizer.world.step)
        result = call(function)
        self.optimizer.count("entries checked")
        if result is each.mark:
            self.optimizer.count("entries that ran")
            if not holds:
                raise Wrong(f"stale: the entry of {function} runs, and what it relies on does not hold")
            return
        if type(result) is not Mark and not identical(result, plain(function)):
            raise Wrong(f"{function} returns {result!r}, and its own code {plain(function)!r}")
        if drained and holds and entry.installed:
            raise Wrong(f"after a drain the entry of {function} does not run, and all that it relies on holds")
        if not entry.installed and not each.may_go:
            raise Wrong(f"the entry of {function} is gone, and no handle that it looks at was retired")
