"""What one thread owns: names, a class and a function that only it changes, so that it always knows the truth."""

import random
import types
import weakref
from collections.abc import Callable
from typing import Any

import depwatch
from fuzz.wrong import Wrong
from support import namespace, same

MISSING = "nothing"
NAMES = ("A", "B", "F", "I")  # of globals; F is a float, I an int, as long as they fit a cell
SCALARS = {"F": (1.5, 2.5, -0.0), "I": (1, 2, 3)}
PARTS = [(i,) for i in range(3)]  # defaults
CODES = [(lambda x=0: A).__code__, (lambda x=0: B).__code__]  # noqa: F821 # globals of whoever runs them
KINDS = ("global", "global", "global", "attribute", "module", "code", "defaults", "whole")

type Act = Callable[[str], None]


class Bomb:
    """A value that acts when it dies."""

    __slots__ = ("__weakref__", "act", "number")

    def __init__(self, act: Act, number: int) -> None:
        self.act, self.number = act, number

    def __del__(self) -> None:
        self.act("a destructor")


class OddKey:
    """A key that acts when it is hashed, as depwatch asks it to at each look-up in its dict."""

    def __init__(self, act: Act) -> None:
        self.act = act

    def __hash__(self) -> int:
        self.act("a key")
        return 12345


def note(value: Any) -> Any:
    """What tells the value from others, without keeping it alive."""
    return ("bomb", value.number) if type(value) is Bomb else value


class Life:
    """Some objects from when they are made until nobody has them any more. Changed by their owner alone."""

    def __init__(self, chance: random.Random, act: Act) -> None:
        self._chance, self._act = chance, act
        self.globals = namespace(A=0, B=1, F=1.5, I=1)
        if chance.random() < 0.3:
            self.globals[OddKey(act)] = 0
        self.function = types.FunctionType(CODES[0], self.globals, "function", PARTS[0])
        self.module = types.ModuleType("module")
        self.module.A = 0
        self.base = type("Base", (), {"A": 0})
        self.derived = type("Derived", (self.base,), {})
        self.changes = 0  # of globals: odd while one is under way
        self.told: dict[str, list[tuple[str, Any]]] = {name: [] for name in NAMES}  # what a listener must be told

    def targets(self, most: int) -> "list[Target]":
        """Some, each of another facet."""
        chosen = {}
        for _ in range(self._chance.randint(1, most)):
            kind = self._chance.choice(KINDS)
            chosen[kind, self._chance.choice(NAMES) if kind == "global" else "A"] = None
        return [Target(self, kind, name) for kind, name in chosen]

    def value(self, name: str) -> Any:
        """Often one that was there before: then what is broken heals."""
        chance = self._chance.random()
        if name in SCALARS and chance < 0.9:
            return self._chance.choice(SCALARS[name])
        if chance < 0.6:
            return self._chance.choice((0, 1, 2.5, "text"))
        return Bomb(self._act, self._chance.getrandbits(60))

    def change(self) -> None:
        match self._chance.choice(KINDS):
            case "global" | "whole":
                self.change_global(self._chance.choice(NAMES))
            case "attribute":
                self.base.A = self.value("A")
            case "module":
                self.module.A = self.value("A")
            case "code":
                self.function.__code__ = self._chance.choice(CODES)
            case "defaults":
                self.function.__defaults__ = self._chance.choice(PARTS)

    def change_global(self, name: str) -> None:
        before = self.globals.get(name, MISSING)
        delete = before is not MISSING and self._chance.random() < 0.1
        value = MISSING if delete else self.value(name)
        if before is value:
            return  # no event
        self.told[name].append(("ADDED" if before is MISSING else "DELETED" if delete else "MODIFIED", note(value)))
        del before  # or a destructor would come later than in the store
        self.changes += 1
        if delete:
            del self.globals[name]
        else:
            self.globals[name] = value
        self.changes += 1

    def called(self) -> Any:
        """What a call of the function gives."""
        try:
            return self.function()
        except NameError:
            return MISSING


class Target:
    """A facet of a life, as code relies on it. Does not keep the life."""

    __slots__ = ("_life", "kind", "name")

    def __init__(self, life: Life, kind: str, name: str) -> None:
        self._life, self.kind, self.name = weakref.ref(life), kind, name

    def life(self) -> Life | None:
        return self._life()

    def read(self, recorder: depwatch.Recorder, life: Life) -> Any:
        match self.kind:
            case "global":
                return recorder.read_global(life.function, self.name)
            case "attribute":
                return recorder.read_type_attr(life.derived, self.name)
            case "module":
                return recorder.read_attr(life.module, self.name)
            case "code" | "defaults":
                return recorder.read_function(life.function, self.kind)[0]
        before = life.changes
        recorder.depend_on(life.globals)
        if before % 2 or before != life.changes:
            raise depwatch.Stale("changed while it was read: what was read is not known")
        return before

    def now(self, life: Life) -> Any:
        match self.kind:
            case "global":
                return life.globals.get(self.name, MISSING)
            case "attribute":
                return life.base.A
            case "module":
                return life.module.A
            case "code":
                return life.function.__code__
            case "defaults":
                return life.function.__defaults__
        return life.changes

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Told:
    """What was told of a handle, by callbacks in C: nothing can come between the core's test and them."""

    def __init__(self) -> None:
        self.invalidated: list[Any] = []
        self.resumed: list[Any] = []
        self.retired: list[Any] = []
        self.at_release: tuple[int, int, int] | None = None

    def callbacks(self) -> dict[str, Any]:
        return {
            "on_invalidate": self.invalidated.append,
            "on_resume": self.resumed.append,
            "on_retire": self.retired.append,
        }

    def counts(self) -> tuple[int, int, int]:
        return len(self.invalidated), len(self.resumed), len(self.retired)

    def check(self) -> None:
        """When nobody drains."""
        invalidated, resumed, retired = self.counts()
        if not 0 <= invalidated - resumed <= 1 or retired > 1:
            raise Wrong(f"a handle was told to be invalid, to resume and to be retired {self.counts()} times")
        if self.at_release is not None and self.at_release != self.counts():
            raise Wrong(f"after its release a handle was told of {self.counts()}, until then of {self.at_release}")


class Piece:
    """A handle, and what is in the code that it stands for."""

    def __init__(
        self,
        handle: Callable[[], depwatch.Handle],
        reads: list[tuple[Target, Any]],
        cells: list[tuple[Any, Target]],
        told: Told | None,
    ) -> None:
        self._handle, self.reads, self.cells, self.told = handle, reads, cells, told

    def handle(self) -> depwatch.Handle:
        """Raises Released: of one of many that nobody asked for while it was there."""
        return self._handle()

    def relies_on(self, life: Life) -> bool:
        return any(target.life() is life for target, _ in self.reads)

    def release(self) -> None:
        self.handle().release()
        if self.told is not None:
            self.told.at_release = self.told.counts()

    def check(self, settled: bool = False) -> None:
        """In the thread that owns what it relies on. settled: nobody changes anything, and all is drained."""
        try:
            handle = self.handle()
            broken, reason = handle.broken, handle.reason
            self.check_cells(settled)
        except depwatch.Released:
            return
        lives = [target.life() for target, _ in self.reads]
        if None in lives:
            if settled and broken != 255:
                raise Wrong(f"what {handle} relies on is dead: {', '.join(str(target) for target, _ in self.reads)}")
            return
        other = [
            target for life, (target, value) in zip(lives, self.reads, strict=True) if not same(target.now(life), value)
        ]
        retired = any(target.kind == "whole" for target in other)
        if broken < len(other) or (retired and broken != 255):
            raise Wrong(f"stale: {handle} says {broken} broken, and other than read are {', '.join(map(str, other))}")
        if settled and broken not in (len(other), 255):
            raise Wrong(f"{handle} says {broken} broken, and only {len(other)} are other than read")
        if settled and broken == 255 and type(reason) is not str:
            raise Wrong(f"{handle} was retired by nobody")

    def check_cells(self, settled: bool) -> None:
        for cell, target in self.cells:
            life = target.life()
            if life is None:
                continue
            now = target.now(life)
            if type(cell) is depwatch.GuardCell:
                if cell.holds and not same(cell.value, now):
                    raise Wrong(f"stale: the guard of {target} is up and it is not {cell.value!r} but {now!r}")
                continue
            kind, value = cell.kind, cell.value
            if value is not depwatch.UNKNOWN and not same(value, now):
                raise Wrong(f"stale: the cell of {target} has {value!r}, and it is {now!r}")
            fits = now is not MISSING and {"object": True, "f64": type(now) is float, "i64": type(now) is int}[kind]
            if settled and value is depwatch.UNKNOWN and fits:
                raise Wrong(f"the cell of {target} has no value, and it is {now!r}")


class Hearing:
    """A subscription of the owner of a name, who knows what is to be told."""

    def __init__(self, life: Life, name: str) -> None:
        self.life, self.name = life, name
        self.told: list[Any] = []
        self.began = len(life.told[name])
        self.subscription = depwatch.subscribe(self.told.append, life.globals, name)

    def check(self) -> None:
        """In the thread that owns the life."""
        dropped = depwatch.stats()["details_dropped"]  # drains
        told = [(event.change.name, event.facet) for event in self.told]
        done = self.life.told[self.name]
        if dropped:
            return
        if len(told) > len(done) or len(told) < len(done) - self.began:
            raise Wrong(
                f"told of {len(told)} changes of {self.name}; {len(done) - self.began} to {len(done)} were made"
            )
        if told != [(change, self.name) for change, _ in done[len(done) - len(told) :]]:
            raise Wrong(f"told of {told} as changes of {self.name}, and they were {done}")
