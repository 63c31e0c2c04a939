"""Stored reads and cells: what code on the disk rests on, in a form that another process finds the same things by."""

import builtins
import sys
import types
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from numba.core import ir
from numba.core.dispatcher import Dispatcher

from depwatch import MISSING, Recorder
from depwatch.integrations.numba.blocks import Block, StoredBlock, stored_block
from depwatch.integrations.numba.cells import Cell
from depwatch.integrations.numba.function import Policy, function_of
from depwatch.integrations.numba.own import is_numbas
from depwatch.integrations.numba.own_name import OwnNameRead
from depwatch.integrations.numba.reads import (
    ClassRead,
    DefaultsRead,
    GlobalRead,
    ModuleRead,
    PartRead,
    Read,
    VariableRead,
    builtins_of,
)
from depwatch.integrations.numba.refusals import check_value
from depwatch.integrations.numba.stable import Form, NoStableForm, digest_of_code, form_of
from depwatch.integrations.numba.version import Version
from depwatch.values import brief, is_a

# How to find a function, module or class: () is the function itself, ("name",) a module, (3, 1) item 1 of what read 3
# gave.
type Place = tuple[Any, ...]
type Spot = tuple[Place, str | None]  # what is at a place, or the variable of that name of the function there


class StoredRead(NamedTuple):
    """One read."""

    kind: str
    owner: Place
    name: str
    value: Form
    raises: bool  # a change of it raises Changed


BY_NUMBA: Final = "by numba"  # in place of a policy: the function is jitted where it is called (register_jitable)


class StoredCell(NamedTuple):
    """One word that the code loads."""

    owner: Place
    name: str
    kind: str
    symbol: str


_KINDS: Final[dict[type[Read], str]] = {
    GlobalRead: "global",
    ModuleRead: "module",
    ClassRead: "class",
    PartRead: "part",
    DefaultsRead: "defaults",
    VariableRead: "variable",
    OwnNameRead: "own name",
}


def _owner_of(read: Read) -> Any:
    return getattr(read, "function", None) or getattr(read, "module", None) or getattr(read, "cls", None)


class Places:
    """Where to find what reads are of, as far as other reads have given it."""

    def __init__(self, dispatcher: Any) -> None:
        self._by_id: Final[dict[int, Spot]] = {}  # of functions, modules, classes and variables
        self._jitted: Final[dict[int, Any]] = {}  # dispatchers, by the id of their functions
        self.same: Final[list[tuple[Spot, Spot]]] = []  # what is one and the same thing
        self.learn(dispatcher, ())

    def learn(self, value: Any, place: Place) -> None:
        """value is owned by a read, or by who asks."""
        if isinstance(value, Dispatcher):
            self._jitted.setdefault(id(value.py_func), value)
            value = value.py_func
        if is_a(value, tuple):
            for number, item in enumerate(value):
                self.learn(item, (*place, number))
        elif is_a(value, types.FunctionType) or is_a(value, types.ModuleType) or is_a(value, type):
            self._learn(value, (place, None))

    def learn_variables(self, function: types.FunctionType, place: Place) -> None:
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            self._learn(cell, (place, name))

    def _learn(self, value: Any, spot: Spot) -> None:
        before = self._by_id.setdefault(id(value), spot)
        if before != spot:
            self.same.append((before, spot))

    def find(self, owner: Any) -> Place | None:
        if (found := self._by_id.get(id(owner))) is not None:
            return found[0]
        if isinstance(owner, types.ModuleType) and sys.modules.get(owner.__name__) is owner:
            return (owner.__name__,)
        return None

    def policy_of(self, function: types.FunctionType) -> Policy | str:
        dispatcher = self._jitted.get(id(function))
        if dispatcher is None:
            return BY_NUMBA
        watched = function_of(dispatcher)
        if watched is None or watched.plain is not None:
            raise NoStableForm(f"{brief(function)} is not watched")
        return watched.policy


class Stored(NamedTuple):
    """What another process needs to find the same."""

    reads: list[StoredRead]
    cells: list[StoredCell]
    blocks: list[StoredBlock]
    same: list[tuple[Spot, Spot]]  # what is one and the same thing


def store(dispatcher: Any, version: Version) -> Stored:
    """What another process needs to find the same. Raises NoStableForm."""
    places = Places(dispatcher)
    stored: list[StoredRead] = []
    pending = [read for read in version.reads if not is_numbas(_owner_of(read))]
    while pending:
        left = []
        for read in pending:
            place = places.find(_owner_of(read))
            if place is None:
                left.append(read)
                continue
            places.learn(read.value, (len(stored),))
            if isinstance(read, PartRead) and read.name == "code":
                places.learn_variables(read.function, place)
            stored.append(_stored(places, read, place, read.key in version.raising))
        if len(left) == len(pending):
            raise NoStableForm(f"it rests on {left[0]}, and another process would not find that")
        pending = left
    cells = [_stored_cell(places, cell) for cell in version.cells]
    return Stored(stored, cells, [_stored_block(places, block) for block in version.blocks], places.same)


def _stored(places: Places, read: Read, place: Place, raises: bool) -> StoredRead:
    kind = _KINDS.get(type(read))
    if kind is None:
        raise NoStableForm(f"it rests on {read}, which another process may not have")
    if isinstance(read, PartRead) and read.name == "code":
        form = _of_code(read)
    else:
        try:
            form = form_of(read.value)
        except NoStableForm as reason:
            raise NoStableForm(f"{read}: {reason}") from None
        if isinstance(read, DefaultsRead):
            form = (*form, places.policy_of(read.function))
    return StoredRead(kind, place, read.name, form, raises)


def _stored_cell(places: Places, cell: Cell) -> StoredCell:
    place = places.find(cell.owner)
    if place is None:
        raise NoStableForm(f"it loads {cell.name!r} of {brief(cell.owner)}, and another process would not find that")
    return StoredCell(place, cell.name, cell.kind, cell.symbol)


def _stored_block(places: Places, block: Block) -> StoredBlock:
    place = places.find(block.function)
    if place is None:
        what = brief(block.function)
        raise NoStableForm(f"it has a block in object mode of {what}, and another process would not find that")
    return stored_block(block, place)


def _of_code(read: PartRead) -> Form:
    """Raises NoStableForm if a function does not run in the globals of the module that has its name.

    numba gives code from the disk the globals of that module.
    """
    function, name = read.function, read.function.__module__
    module = sys.modules.get(name)
    is_modules = module is not None and vars(module) is function.__globals__ and module.__name__ == name
    if not is_modules or builtins_of(function) is not vars(builtins):
        raise NoStableForm(f"{brief(function)} does not belong to a module that can be imported")
    return ("code", name, digest_of_code(read.value))  # type: ignore[arg-type]


class Found:
    """What the stored reads and cells are here and now, if all is as it was."""

    def __init__(self, dispatcher: Any) -> None:
        self._dispatcher: Final = dispatcher
        self._values: Final[list[Any]] = []
        self.reads: Final[list[Read]] = []
        self.raising: Final[set[Any]] = set()
        self.unwatched: Final[list[Any]] = []  # jitted functions whose code is linked in, and which nobody watches yet

    def look(self, stored: Iterable[StoredRead]) -> bool:
        """Whether each read gives what it gave. Raises whatever looking raises."""
        with Recorder("a look", None) as recorder:
            for each in stored:
                read = self._read(each, recorder)
                if isinstance(read, PartRead) and read.name == "code":
                    form = _of_code(read)
                else:
                    if isinstance(read, GlobalRead | ModuleRead | VariableRead):
                        check_value(str(read), read.value)
                    form = form_of(read.value)
                if isinstance(read, DefaultsRead):
                    form = (*form, self._policy(each.owner))
                if form != each.value:
                    return False
                self._values.append(read.value)
                self.reads.append(read)
                if each.raises:
                    self.raising.add(read.key)
        return True

    def _read(self, stored: StoredRead, recorder: Recorder) -> Read:
        owner, name = self.at(stored.owner), stored.name
        before = MISSING if stored.value == ("missing",) else None
        match stored.kind:
            case "global":
                return GlobalRead(owner, name, GlobalRead(owner, name, before).record(recorder))
            case "module":
                return ModuleRead(owner, name, ModuleRead(owner, name, before).record(recorder))
            case "class":
                return ClassRead(owner, name, ClassRead(owner, name, before).record(recorder))
            case "part":
                return PartRead(owner, name, PartRead(owner, name, before).record(recorder))
            case "defaults":
                return DefaultsRead(owner, self._follow(stored.owner).__defaults__)
            case "variable":
                return VariableRead(owner, name, owner.__closure__[owner.__code__.co_freevars.index(name)])
            case "own name":
                return OwnNameRead(owner, OwnNameRead(owner, ir.UNDEFINED).record(recorder))
        raise NoStableForm(stored.kind)

    def _policy(self, place: Place) -> Policy | str:
        """What a function is watched with, or will be when it is watched for the sake of the one that calls it."""
        dispatcher = self._follow(place)
        if not isinstance(dispatcher, Dispatcher):
            return BY_NUMBA
        function = function_of(dispatcher)
        if function is None:
            self.unwatched.append(dispatcher)
            function = function_of(self._dispatcher)
        if function is None or function.plain is not None:
            raise NoStableForm("a watched function is not watched here")
        return function.policy

    def is_same(self, one: Spot, other: Spot) -> bool:
        """Whether two spots have one and the same thing here, too."""
        return self._spot(one) is self._spot(other)

    def _spot(self, spot: Spot) -> Any:
        place, variable = spot
        found = self.at(place)
        return found if variable is None else found.__closure__[found.__code__.co_freevars.index(variable)]

    def at(self, place: Place) -> Any:
        """The function, module or class of a place."""
        found = self._follow(place)
        return found.py_func if isinstance(found, Dispatcher) else found

    def _follow(self, place: Place) -> Any:
        if not place:
            return self._dispatcher
        first, *rest = place
        found: Any = sys.modules[first] if type(first) is str else self._values[first]
        for number in rest:
            found = found[number]
        return found
