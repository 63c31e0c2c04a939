"""Random programs that change namespaces and classes in every way: at no step is anything stale."""

import contextlib
import gc
import operator
import random

import pytest

import depwatch
from claims import Claims
from support import without_automatic_drain

VALUES = [1, 1.5, "one", None, object(), len, (), 10**40]
NAMES = ["x", "y", "z"]


class Name(str):
    pass


class Life:
    """One random program: claims are made and checked between its steps, drained or not."""

    def __init__(self, log, seed):
        self.random = random.Random(seed)
        self.claims = Claims(log)
        self.changes = 0

    def claim(self, read, owner, name):
        with contextlib.suppress(AttributeError, NameError):  # if it is not there now
            read(owner, name)

    def check(self):
        for claim in self.claims.all:
            claim.check()
        self.changes += sum(not claim.handle.valid for claim in self.claims.all)
        if self.random.random() < 0.3:
            depwatch.drain()
            for claim in self.claims.all:
                if claim.handle.retired:  # superseded by a claim of another value
                    claim.check()
                    claim.handle.release()
                else:
                    claim.check_settled()
            self.claims.all = [claim for claim in self.claims.all if not claim.handle.released]

    def run(self, steps, step):
        for _ in range(steps):
            step()
            self.check()
        assert self.changes > steps / 4  # or it tests little


# --- namespaces ------------------------------------------------------------------------------------------------------


def change_of_a_dict(r, mapping):
    key = r.choice([*NAMES, Name(r.choice(NAMES)), "".join(list(r.choice(NAMES))), 5])
    value = r.choice(VALUES)
    return r.choice([
        lambda: operator.setitem(mapping, key, value),
        lambda: operator.setitem(mapping, key, value),
        lambda: mapping.pop(key, None),
        lambda: mapping.setdefault(key, value),
        lambda: mapping.update({key: value}),
        lambda: mapping.update({name: r.choice(VALUES) for name in NAMES}),
        lambda: mapping.popitem() if mapping else None,
        lambda: mapping.clear(),
        lambda: (mapping.clear(), mapping.update(dict.fromkeys(NAMES, value))),
        lambda: exec(f"{r.choice(NAMES)} = value", mapping | {"value": value}),
        lambda: mapping.update((f"n{i}", i) for i in range(r.choice([3, 50]))),
    ])  # fmt: skip


@pytest.mark.parametrize("seed", range(12))
@without_automatic_drain
def test_nothing_is_stale_in_a_random_life_of_namespaces(log, seed):
    life = Life(log, seed)
    r = life.random
    names = [dict.fromkeys(NAMES, 1), {}]
    functions = []
    for i in range(4):
        globals_ = {"__builtins__": names[i % 2]}
        exec("def function(): pass", globals_)
        functions.append(globals_["function"])

    def step():
        if r.random() < 0.3 and len(life.claims.all) < 20:
            life.claim(life.claims.of_global, r.choice(functions), r.choice(NAMES))
        else:
            change_of_a_dict(r, r.choice([*names, *(function.__globals__ for function in functions)]))()

    life.run(150, step)


# --- classes ---------------------------------------------------------------------------------------------------------


class PlainMeta(type):
    pass


class OtherMeta(type):
    x = "meta"


class Ground(metaclass=PlainMeta):
    """Below all: a class may leave it for another, as it is no static type."""


@pytest.mark.parametrize("seed", range(24))
@without_automatic_drain
def test_nothing_is_stale_in_a_random_life_of_classes(log, seed):
    life = Life(log, seed)
    r = life.random
    classes = [PlainMeta(f"C{i}", (Ground,), {}) for i in range(6)]

    def set_bases():
        with contextlib.suppress(TypeError):  # a cycle, or no order of resolution
            r.choice(classes).__bases__ = tuple(r.sample([Ground, *classes], r.choice([1, 1, 2, 3])))

    def make():
        with contextlib.suppress(TypeError):
            bases = tuple(r.sample(classes, r.choice([1, 2])))
            classes.append(PlainMeta("New", bases, {r.choice(NAMES): r.choice(VALUES)}))
        if len(classes) > 8:
            classes.pop(r.randrange(len(classes)))
            gc.collect(0)

    def use_up():
        cls = r.choice(classes)
        for i in range(1001):
            cls.counter = i
            cls.counter

    def touch():
        cls = r.choice(classes)
        mapping = gc.get_referents(vars(cls))[0]  # writes to it go behind the back of the class
        name, value = r.choice(NAMES), r.choice(VALUES)
        r.choice([
            lambda: setattr(cls, name, value),
            lambda: setattr(cls, name, value),
            lambda: name in mapping and delattr(cls, name),
            lambda: name in mapping and delattr(cls, name),
            lambda: operator.setitem(mapping, name, value),
            lambda: mapping.pop(name, None),
            lambda: operator.setitem(mapping, Name(name), value),
            lambda: mapping.update(dict.fromkeys(NAMES, value)),
            lambda: setattr(cls, "__class__", r.choice([PlainMeta, OtherMeta])),
            lambda: setattr(Ground, name, value),
            lambda: name in vars(Ground) and delattr(Ground, name),
        ])()  # fmt: skip

    def step():
        if r.random() < 0.25 and len(life.claims.all) < 20:
            life.claim(life.claims.of_attribute, r.choice(classes), r.choice(NAMES))
        else:
            r.choices([set_bases, make, touch, use_up], [20, 10, 30, 1])[0]()

    try:
        life.run(120, step)
    finally:
        for name in NAMES:
            if name in vars(Ground):
                delattr(Ground, name)
