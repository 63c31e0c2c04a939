"""A brute-force twin of recorder and replay: it runs a program of steps itself, reads all values before and after each
step, and does what each policy would have done, one call and one change at a time. It shares no code with depwatch.

It knows what the program's functions depend on because it has written them. Left out are the policy with CPython's
filters, which drop by chance, and healing, which real handles check: see live.py.
"""

import builtins
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

HOT_AFTER = 50
LIMIT = 6
TEXT = """
KEPT, ONE, TWO = object(), (1,), (2,)
A = B = C = OTHER = 0
class Top:
    y = 0
    def run(self): return 1
class Thing(Top):
    pass
def run1(self): return 2
def run2(self): return 3
def mylen(text): return 5
def helper(n=1): return n
def helper1(n=1): return n + 1
def helper2(n=1): return n + 2
CODE0, CODE1, CODE2, RUN = helper.__code__, helper1.__code__, helper2.__code__, Top.run
THING = Thing()
def f0(): return A
def f1(): return A, B
def f2(): return helper()
def f3(thing): return thing.run(), thing.y
def f4(): return Thing.y, C
def f5(): return len("x"), B
"""
CALLED = ("f0()", "f1()", "f2()", "f3(THING)", "f4()", "f5()")
CHANGES = (
    *(f"{name} = {value}" for name in "ABC" for value in ("0", "1", "KEPT", 'int("1000000")')),
    *(f"OTHER = {value}" for value in range(3)),
    *(f"{name}.y = {value}" for name in ("Thing", "Top") for value in range(3)),
    *(f"{name}.run = {value}" for name in ("Thing", "Top") for value in ("run1", "run2")),
    *(f"if '{name}' in vars(Thing): del Thing.{name}" for name in ("y", "run")),
    "Top.z = 0",
    "Top.z = 1",
    "helper.__defaults__ = ONE",
    "helper.__defaults__ = TWO",
    "helper.__code__ = CODE1",
    "helper.__code__ = CODE2",
    "len = mylen",
    "if 'len' in globals(): del len",
)


class Facet(NamedTuple):
    kind: str  # "key" of a namespace, "attribute" of Thing, "part" of a function
    owner: str
    name: str


class Need(NamedTuple):
    facet: Facet
    via: Facet | None
    patchable: bool


def steps(seed: int) -> list[tuple[str, int]]:
    """Statements, each with how often it is run: calls, and changes once."""
    draw = random.Random(seed)
    found: list[tuple[str, int]] = []
    for _ in range(40):
        found += [(draw.choice(CHANGES), 1) for _ in range(draw.randint(1, 3))]
        found += [
            (draw.choice(CALLED), draw.choice((1, 3, 30, 49, 50, 51, 60, 120))) for _ in range(draw.randint(0, 3))
        ]
    return found


def program(of: list[tuple[str, int]]) -> str:
    lines = ["def main():", "    global A, B, C, OTHER, len"]
    for statement, times in of:
        lines.append(f"    for _ in range({times}): {statement}" if statement in CALLED else f"    {statement}")
    return TEXT + "\n".join(lines) + "\nmain()\n"


class World:
    """The program as it runs here: its objects, and what every facet is."""

    def __init__(self) -> None:
        self.main: dict[str, Any] = {"__name__": "brute", "__builtins__": builtins}
        exec(TEXT, self.main)
        self.kept: list[Any] = []  # what was seen: an address then means one object
        self.places: dict[str, Any] = {"main": self.main, "builtins": vars(builtins)}
        self.places |= {name: self.main[name] for name in ("Thing", "Top", "helper", "run1", "run2", "mylen")}
        self.places["run"] = self.main["Top"].run
        self.names = {id(place): name for name, place in self.places.items()}

    def items(self, name: str) -> dict[str, Any]:
        """Of a place: what is in it, by identity."""
        place = self.places[name]
        if isinstance(place, dict):
            found = dict(place)
        elif isinstance(place, type):
            found = dict(vars(place))
        else:
            found = {"code": place.__code__, "defaults": place.__defaults__}
        self.kept += found.values()
        return found

    def look(self, facet: Facet) -> Any:
        """(what tells the value from others, the value); (None, None): there is none."""
        if facet.kind == "attribute":
            spaces = [vars(self.places[name]) for name in ("Thing", "Top")]
        else:
            spaces = [self.items(facet.owner)]
        for space in spaces:
            if facet.name in space:
                value = space[facet.name]
                return (int, value) if type(value) is int else (object, id(value)), value
        return None, None

    def needs(self, function: str) -> list[Need]:
        """What the function would depend on if it were compiled now."""
        main = {name: Facet("key", "main", name) for name in ("A", "B", "C", "helper", "Thing", "len")}
        y, run = Facet("attribute", "Thing", "y"), Facet("attribute", "Thing", "run")
        match function:
            case "f0":
                return [Need(main["A"], None, True)]
            case "f1":
                return [Need(main["A"], None, True), Need(main["B"], None, True)]
            case "f2":
                return [Need(main["helper"], None, False), *self.parts(main["helper"])]
            case "f3":
                return [Need(run, None, False), *self.parts(run), Need(y, None, True)]
            case "f4":
                return [Need(main["Thing"], None, False), Need(y, main["Thing"], True), Need(main["C"], None, True)]
            case "f5" if "len" in self.main:
                return [Need(main["len"], None, False), *self.parts(main["len"]), Need(main["B"], None, True)]
            case "f5":
                builtin = Need(Facet("key", "builtins", "len"), main["len"], True)
                return [Need(main["len"], None, True), builtin, Need(main["B"], None, True)]
        return []

    def parts(self, of: Facet) -> Iterator[Need]:
        _, function = self.look(of)
        for part in ("code", "defaults"):
            yield Need(Facet("part", self.names[id(function)], part), of, False)


def places(facet: Facet) -> tuple[str, ...]:
    return ("Thing", "Top") if facet.kind == "attribute" else (facet.owner,)


@dataclass
class Change:
    place: str
    values: dict[Facet, tuple[Any, Any]]  # of what it concerns, before and after


@dataclass
class Function:
    calls: int = 0
    valid: bool = False
    cold: int = 0  # calls since the code was dropped
    needs: list[Need] = field(default_factory=list)  # of the code
    recorded: dict[Facet, Any] = field(default_factory=dict)
    deopted: set[Facet] = field(default_factory=set)
    loads: set[Facet] = field(default_factory=set)  # given up: ordinary loads now
    pending: bool = False
    marked: bool = False


class Policy:
    """All functions under one policy."""

    def __init__(self, world: World, by_object: bool, limit: int | None) -> None:
        self.world, self.by_object, self.limit = world, by_object, limit
        self.functions: dict[str, Function] = {}
        self.counts: Counter[str] = Counter()
        self.changes: Counter[Any] = Counter()
        self.given_up: set[Any] = set()
        self.watched: set[str] = set()

    def call(self, name: str) -> None:
        function = self.functions.setdefault(name, Function())
        function.calls += 1
        if function.valid:
            self.before(function)
        if function.valid:
            self.warm(function)
            return
        self.counts["cold"] += 1
        function.cold += 1
        if function.calls == HOT_AFTER or (function.calls > HOT_AFTER and function.cold == HOT_AFTER):
            self.make(name, function)

    def before(self, function: Function) -> None:
        pass

    def warm(self, function: Function) -> None:
        pass

    def make(self, name: str, function: Function) -> None:
        self.counts["recompiled"] += function.calls > HOT_AFTER
        self.see(function)
        missing: set[Facet] = set()
        function.needs = []
        for need in self.world.needs(name):
            keys = places(need.facet) if self.by_object else (need.facet,)
            if need.via in missing or not self.given_up.isdisjoint(keys):
                missing.add(need.facet)
            else:
                function.needs.append(need)
                self.watched.update(places(need.facet))
        function.recorded = {need.facet: self.world.look(need.facet)[0] for need in function.needs}
        function.valid, function.cold = True, 0

    def see(self, function: Function) -> None:
        """Was the drop undone?"""
        if function.pending:
            now = {facet: self.world.look(facet)[0] for facet in function.recorded}
            self.counts["undone"] += now == function.recorded
        function.pending = False

    def drop(self, function: Function, needlessly: bool) -> None:
        function.valid, function.pending, function.cold, function.marked = False, True, 0, False
        self.counts["dropped"] += 1
        self.counts["needlessly"] += needlessly

    def count(self, key: Any) -> None:
        self.changes[key] += 1
        if self.limit is not None and self.changes[key] >= self.limit:
            self.given_up.add(key)

    def relying(self, keys: set[Facet]) -> list[Function]:
        return [f for f in self.functions.values() if f.valid and not keys.isdisjoint(n.facet for n in f.needs)]

    def change(self, change: Change) -> None:
        if not self.by_object:
            for facet, (before, after) in change.values.items():
                if found := self.relying({facet}):
                    self.count(facet)
                for function in found:
                    self.drop(function, before == after)
            return
        if self.limit is not None and change.place in ("main", "builtins"):
            if change.place not in self.watched:
                return
            self.watched.discard(change.place)
            self.count(change.place)
        changed = {facet for facet, (before, after) in change.values.items() if before != after}
        for function in self.functions.values():
            if function.valid and any(change.place in places(need.facet) for need in function.needs):
                self.drop(function, changed.isdisjoint(need.facet for need in function.needs))

    def end(self) -> Counter[str]:
        for function in self.functions.values():
            self.see(function)
        return self.counts


class Revalidation(Policy):
    def change(self, change: Change) -> None:
        for function in self.functions.values():
            if function.valid and any(change.place in places(need.facet) for need in function.needs):
                function.marked = True

    def before(self, function: Function) -> None:
        if function.marked:
            function.marked = False
            self.counts["revalidations"] += len(function.needs)
            if any(self.world.look(facet)[0] != value for facet, value in function.recorded.items()):
                self.drop(function, False)


class Granular(Policy):
    def warm(self, function: Function) -> None:
        self.counts["guards"] += sum(n.patchable and n.facet not in function.loads for n in function.needs)
        self.counts["deopt_calls"] += bool(function.deopted)

    def change(self, change: Change) -> None:
        for facet, (_, after) in change.values.items():
            found = [f for f in self.relying({facet}) if facet not in f.loads]
            if found:
                self.count(facet)
            for function in found:
                (need,) = (need for need in function.needs if need.facet == facet)
                if need.patchable:
                    self.counts["patches"] += 1
                elif after == function.recorded[facet]:
                    function.deopted.discard(facet)
                elif facet not in function.deopted:
                    function.deopted.add(facet)
                    self.counts["deopts"] += 1
                if facet in self.given_up:
                    function.loads.add(facet)


FACETS = [Facet("key", "main", name) for name in ("A", "B", "C", "helper", "Thing", "len")]
FACETS += [Facet("key", "builtins", "len"), Facet("attribute", "Thing", "y"), Facet("attribute", "Thing", "run")]
FACETS += [
    Facet("part", owner, part) for owner in ("helper", "run", "run1", "run2", "mylen") for part in ("code", "defaults")
]


def truth(of: list[tuple[str, int]]) -> dict[str, Counter[str]]:
    """What each policy counts for these steps."""
    world = World()
    policies = {
        "bulk_by_object": Policy(world, True, None),
        "bulk_by_object_capped": Policy(world, True, LIMIT),
        "revalidation": Revalidation(world, True, None),
        "bulk_by_facet": Policy(world, False, None),
        "bulk_by_facet_capped": Policy(world, False, LIMIT),
        "granular": Granular(world, False, None),
        "granular_capped": Granular(world, False, LIMIT),
    }
    for statement, times in of:
        if statement in CALLED:
            for _ in range(times):
                for policy in policies.values():
                    policy.call(statement[:2])
            continue
        before = {facet: world.look(facet)[0] for facet in FACETS}
        contents = {name: world.items(name) for name in world.places}
        exec(statement, world.main)
        for name, was in contents.items():
            now = world.items(name)
            for key in was.keys() | now.keys():
                if was.get(key, ...) is now.get(key, ...):
                    continue
                after = {facet: world.look(facet)[0] for facet in FACETS}
                hidden = name == "Top" and key in vars(world.places["Thing"])  # an attribute that Thing has itself
                concerned = [f for f in FACETS if f.name == key and name in places(f) and not hidden]
                change = Change(name, {facet: (before[facet], after[facet]) for facet in concerned})
                for policy in policies.values():
                    policy.change(change)
    return {name: policy.end() for name, policy in policies.items()}
