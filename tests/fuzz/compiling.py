"""The optimizer's side: what reads, commits, uses cells and releases."""

from array import array
from typing import Any

import depwatch
from fuzz import keys, labels, targets, values
from fuzz.targets import Attribute, Fact, FunctionPart, Global, Item, ModuleAttribute, Named, Target, Whole
from fuzz.values import GONE, MISSING
from fuzz.world import HAS_LAZY_IMPORTS, MISSES_INSTANCE_STORES, NAMES, Box, Space, World
from fuzz.wrong import Wrong

MAX_PIECES, MAX_OPEN = 8, 2
PATCHED = ("object", "f64", "i64", "bool", "guard", *(["label"] if labels.SUPPORTED else []))
LIMITS = (1, 2, 6, 6, 6, 100, 100, 65534)
PARTS = ("code", "defaults", "kwdefaults")


class Assumption:
    """One target with the value that was read."""

    __slots__ = ("fell", "items", "key", "place", "recordings", "target")

    def __init__(self, target: Target, value: Any) -> None:
        self.target = target
        self.fell = False  # whether it did not hold at a check before its recorder committed
        self.items: Any = None
        if type(target) is Whole:
            self.key = value
        else:
            self.key = values.key_of(value)
            if type(target) is FunctionPart and target.part == "kwdefaults" and value is not None:
                self.items = targets.of_dict(value)  # the dict can change in place
            if target.facet.last_key is None or not values.same(value, target.facet.last_key):
                target.facet.recordings += 1
                target.facet.last_key = self.key
        self.recordings = target.facet.recordings
        self.place = target.place()  # at the last check

    def holds(self, step: int) -> bool:
        now = self.target.now(step)
        if type(self.target) is Whole:
            return targets.identical(now, self.key)
        if now is GONE or not values.same(now, self.key):
            return False
        return self.items is None or targets.identical(targets.of_dict(now), self.items)

    def moved(self) -> bool:
        """Whether the way on which it is found is another than at the last call of this."""
        before, self.place = self.place, self.target.place()
        return bool(before != self.place)

    def superseded(self) -> bool:
        """Another value was recorded on the same facet since."""
        return self.recordings != self.target.facet.recordings


class CellUse:
    """A cell or a jump label, and what it is of."""

    __slots__ = ("_before", "_mros", "_world", "cell", "key", "kind", "recordings", "target")

    def __init__(self, world: World, target: Target, kind: str, cell: Any, key: Any) -> None:
        self.target, self.kind, self.cell, self.key = target, kind, cell, key
        self.recordings = target.facet.recordings
        self._world = world
        self._before, self._mros = world.module_classes, world.mros

    def may_recover(self) -> bool:
        """A key that may equal any name, now or while such a one is about, another class of the module, and an mro() in
        the middle of an assignment of bases lower it for good.
        """
        of_class = type(self.target) is Attribute
        # An item of a module's dict is the same facet as the attribute.
        of_module = type(self.target.facet) is Item and self.target.facet.space.kind == "module"
        return (
            keys.Odd.made == 0
            and (not of_module or self._before == self._world.module_classes)
            and (not of_class or self._mros == self._world.mros)
        )


class Piece:
    """One piece of optimized code."""

    __slots__ = ("assumptions", "batch", "byte", "cells", "distinct", "handle", "limit")

    def __init__(
        self,
        handle: depwatch.Handle,
        limit: int,
        assumptions: list[Assumption],
        cells: list[CellUse],
        batch: depwatch.Handles | None = None,
    ) -> None:
        self.handle, self.limit, self.assumptions, self.cells = handle, limit, assumptions, cells
        self.batch = batch  # that it was committed with
        self.byte = 0  # at the last check
        self.distinct = tuple({id(each.target): each for each in assumptions}.values())


class Open:
    """A recorder that has read and not committed."""

    def __init__(self, limit: int) -> None:
        self.recorder = depwatch.Recorder("fuzz", limit)
        self.limit = limit
        self.reads: list[tuple[range, tuple[Assumption, ...]]] = []  # the numbers of each read
        self.cells: list[CellUse] = []

    @property
    def assumptions(self) -> list[Assumption]:
        return [each for _, assumptions in self.reads for each in assumptions]


class Optimizer:
    """All that is compiled or being compiled in one program."""

    def __init__(self, world: World, count: Any) -> None:
        self.world = world
        self.count = count  # (what) -> None
        self.pieces: list[Piece] = []
        self.open: list[Open] = []
        self._targets: dict[Any, Any] = {}

    def close(self) -> None:
        for each in self.open:
            each.recorder.close()
        for piece in self.pieces:
            if not piece.handle.released:
                piece.handle.release()
        self.open.clear()
        self.pieces.clear()
        depwatch.drain()

    # --- what to rely on --------------------------------------------------------------------------------------------

    def _once(self, make: Any, *of: Any) -> Any:
        """The one of these; it keeps what it is of alive, so that the numbers stay theirs."""
        key = (make, *map(id, of))
        found = self._targets.get(key)
        if found is None:
            found = self._targets[key] = make(*of)
        return found

    def parts(self, box: Box) -> list[FunctionPart]:
        return [self._once(FunctionPart, box, part) for part in PARTS]

    def target(self, number: int, choice: int) -> Target:
        """A target by two numbers below 256."""
        world, name = self.world, NAMES[choice % 4]
        kind, which = number % 16, choice >> 2
        if kind < 5:
            return self._global(world.space(which), name, number >> 4)
        if kind < 7:
            return self._item_as(ModuleAttribute, world.spaces[1], name)
        if kind < 12:
            return self._once(Attribute, world.classes[which % len(world.classes)], name)
        if kind == 13 and choice & 1:
            return self._once(Fact, world.facts[which % len(world.facts)])
        if kind < 14:
            return self._once(FunctionPart, world.functions[which % 3], PARTS[choice % 3])
        makers = (targets.whole_space, targets.whole_class, targets.whole_function)
        places = (world.spaces, world.classes, world.functions)[choice % 3]
        return self._once(makers[choice % 3], places[which % len(places)])

    def _global(self, space: Space, name: str, how: int) -> Target:
        by_function = how % 3 == 0 and space.kind == "dict"
        target = self._once(
            Global, space, name, space.builtins_of_function() if by_function else space.builtins_given()
        )
        target.how = "function" if by_function else "module" if how % 3 == 1 and space.kind == "module" else "dict"
        return target

    def _rests_on(self, target: Target, absence: bool) -> list[Assumption]:
        """What is assumed beside the target itself, or its cell: a namespace goes on giving these builtins, or none."""
        if type(target) is not Global or target.how == "function" or (target.fallback is None and not absence):
            return []
        return [self._item(target.space, "__builtins__")]

    def _absence_rests_on(self, target: Target) -> list[Assumption]:
        """What must be missing, too, where an attribute of a module is."""
        if type(target) is not ModuleAttribute:
            return []
        return [self._item(target.space, each) for each in ("__getattr__", "__path__")[: 1 + HAS_LAZY_IMPORTS]]

    def _item_as(self, make: Any, space: Space, name: str, *more: Any) -> Target:
        """The target by which an item of a namespace is read in this way."""
        target: Target = self._once(make, space, name, *more)
        target.facet = self._once(Item, space, name)
        return target

    def _item(self, space: Space, name: str) -> Assumption:
        item = self._once(Item, space, name)
        item.forget()
        return Assumption(item, item.find())

    # --- reading ----------------------------------------------------------------------------------------------------

    def read(self, into: Open, target: Target, absence: bool) -> None:
        """Read it; the value must be what plain Python finds. What is missing or refused must be so for a reason.
        absence: that it is missing is relied on, too."""
        beside = self._rests_on(target, absence)  # found or not
        before = into.recorder.reads
        try:
            value = target.read(into.recorder, **({"default": MISSING} if absence else {}))
        except (NameError, AttributeError):
            target.forget()
            assert target.now(self.world.step) is MISSING, f"{target} was not found, and is there"
            return
        except depwatch.Unstable:
            self.count("unstable")
            return
        except depwatch.Unwatchable as error:
            self._refused(target, error)
            return
        target.forget()
        if value is MISSING:
            self.count("absence")
            assert target.now(self.world.step) is MISSING, f"{target} was not found, and is there"
            beside += self._absence_rests_on(target)
        assumption = Assumption(target, value)
        # Reading can run the program's code (keys that compare), so it may have changed by now: then commit says so.
        into.reads.append((range(before, into.recorder.reads), (assumption, *beside)))

    def _refused(self, target: Target, error: depwatch.Unwatchable) -> None:
        space = getattr(target, "space", None) or getattr(target, "box", None)
        kind = getattr(space, "kind", "")
        expected = (
            (MISSES_INSTANCE_STORES and kind == "instance")
            or "changes each time it is looked up" in str(error)
            or (type(target) is ModuleAttribute and self.world.module_is_special())
            or ("__getattr__" in str(error) and target.find() is MISSING)
            or ("which can be exchanged" in str(error) and target.find() is MISSING)
            or "version tags" in str(error)
            or ("is not the one that type.mro() makes of its bases" in str(error) and self.world.mros > 0)
            or ("is a lazy import" in str(error) and values.is_lazy(target.find()))
            or (("key of type" in str(error) or "a key with an __eq__" in str(error)) and keys.Odd.made > 0)
        )
        assert expected, f"{target} was refused: {error}"
        self.count("refused")

    def cell(self, into: Open, target: Target, number: int) -> None:
        if not isinstance(target, Named):
            self.read(into, target, absence=False)
            return
        if type(target) is Global and target.how != "function":  # a cell of a dict is of its own items
            target = self._item_as(Global, target.space, target.name, None)
        kind = PATCHED[number % len(PATCHED)]
        try:
            if kind in ("guard", "label"):
                make = depwatch.Recorder.guard_cell if kind == "guard" else labels.new
                cell: Any = make(into.recorder, target.owner(), target.name)
                target.forget()
                key = Assumption(target, cell.value).key
            else:
                cell, key = into.recorder.value_cell(target.owner(), target.name, kind), None
        except (NameError, KeyError, AttributeError):
            target.forget()
            assert target.now(self.world.step) is MISSING
        except TypeError:
            pass  # the value does not fit
        except depwatch.Unstable:
            self.count("unstable")
        except depwatch.Unwatchable as error:
            self._refused(target, error)
        else:
            into.cells.append(CellUse(self.world, target, kind, cell, key))

    def _check_undone(self, undone: str, assumptions: list[Assumption]) -> None:
        for each in assumptions:
            if undone == "refuse" and each.fell:
                raise Wrong(f"committed, and {each.target!r} was not what was read for a while")

    def commit(self, of: Open, undone: str) -> None:
        try:
            handle = of.recorder.commit(undone=undone)
        except depwatch.Stale as stale:
            self.count(f"stale, {'undone' if 'changed back' in str(stale) else 'refused'} at commit")
            assert undone == "refuse" or "changed back" not in str(stale)
            return
        self._check_undone(undone, of.assumptions)
        self.pieces.append(Piece(handle, of.limit, of.assumptions, of.cells))
        self.count("committed")
        self._make_room()

    def commit_many(self, of: Open, chosen: list[list[int]], keep: bool, undone: str) -> None:
        """A handle for each list of reads. The recorder stays open, if it is to be kept."""
        numbers, offsets = array("I"), array("Q", [0])
        for reads in chosen:
            for read in reads:
                numbers.extend(of.reads[read][0])
            offsets.append(len(numbers))
        try:
            batch = of.recorder.commit_many(offsets, numbers, undone=undone)
        except depwatch.Stale:
            self.count("stale, refused at commit of many")
            of.recorder.close()
            return
        for reads, handle in zip(chosen, batch, strict=True):
            assumptions = [each for read in reads for each in of.reads[read][1]]
            self._check_undone(undone, assumptions)
            self.pieces.append(Piece(handle, of.limit, assumptions, of.cells, batch))
            self.count("committed with others")
        if chosen:
            of.cells = []
        if keep and len(self.open) < MAX_OPEN:
            self.open.append(of)
        else:
            of.recorder.close()
        self._make_room()

    def _make_room(self) -> None:
        while len(self.pieces) > MAX_PIECES:
            self.release(self.pieces[0])

    def release_batch(self, batch: depwatch.Handles) -> None:
        self.pieces = [piece for piece in self.pieces if piece.batch is not batch]
        batch.release()

    def release(self, piece: Piece) -> None:
        self.pieces.remove(piece)
        piece.handle.release()
