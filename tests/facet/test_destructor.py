"""Destructors: they run in the middle of other changes, change things themselves, and read through depwatch."""

import contextlib
import operator
import random
import types

import pytest

import depwatch
from claims import Claims
from support import namespace, without_automatic_drain


class Doomed:
    """Runs an action when it dies."""

    def __init__(self, action):
        self.action = action

    def __del__(self):
        self.action()


# --- first claims in the middle of a change --------------------------------------------------------------------------

DICT_CHANGES = {
    "store": lambda d: operator.setitem(d, "X", 5),
    "hot store": lambda d: exec("for i in range(50): d['X'] = i", {"d": d}),
    "hot global": lambda d: exec("def f():\n global X\n for i in range(50): X = i\nf()", d),
    "del": lambda d: operator.delitem(d, "X"),
    "pop": lambda d: d.pop("X"),
    "popitem": lambda d: d.popitem(),
    "update": lambda d: d.update({"X": 5}),
    "update, pairs": lambda d: d.update([("X", 5)]),
    "|=": lambda d: operator.ior(d, {"X": 5}),
    "exec": lambda d: exec("X = 5", d),
    "exec del": lambda d: exec("del X", d),
}


@pytest.mark.parametrize("change", DICT_CHANGES.values(), ids=DICT_CHANGES)
@without_automatic_drain
def test_claims_by_the_destructor_of_a_global_are_of_what_is_there_then(log, change):
    def claim():
        claims.of_global(globals_, "Y")
        with contextlib.suppress(NameError):
            claims.of_global(globals_, "X")

    claims = Claims(log)
    globals_ = namespace({"range": range}, Y="old")
    globals_["X"] = Doomed(claim)
    change(globals_)
    assert claims.all
    for each in claims.all:
        each.check()
    claims.settled()
    globals_["Y"] = globals_["X"] = "new"
    assert not any(each.handle.valid for each in claims.all)
    claims.settled()


@pytest.mark.parametrize("change", [
    lambda cls: setattr(cls, "x", 5), lambda cls: delattr(cls, "x"), lambda cls: setattr(cls, "__bases__", (Other,)),
], ids=["store", "delete", "bases"])  # fmt: skip
@without_automatic_drain
def test_claims_by_the_destructor_of_an_attribute_are_of_what_is_found_then(log, change):
    class Base:
        x = "base"

    class C(Base):
        pass

    claims = Claims(log)
    C.x = C.y = None
    C.x = Doomed(lambda: [claims.of_attribute(C, name) for name in "xy"])
    change(C)
    C.x = "later"
    del C.x  # by now the destructor has run
    assert len(claims.all) == 2
    claims.settled()
    C.x = C.y = "new"
    assert not any(each.handle.valid for each in claims.all)
    claims.settled()


class Other:
    x = "other"


@pytest.mark.parametrize("part, value", [("defaults", (1,)), ("kwdefaults", {"a": 1})])
@without_automatic_drain
def test_claims_by_the_destructor_of_a_default_are_of_what_the_function_has_then(log, part, value):
    def claim():
        recorder = depwatch.Recorder("r")
        read.extend(recorder.read_function(function, part))
        handles.append(log.commit(recorder))

    def function():
        pass

    read, handles = [], []
    attribute = f"__{part}__"
    setattr(function, attribute, (Doomed(claim),) if part == "defaults" else {"a": Doomed(claim)})
    setattr(function, attribute, value)
    assert read == [value]
    assert (handles[0].valid, log.drained()) == (True, [])
    setattr(function, attribute, None)
    assert (handles[0].broken, log.drained()) == (1, [("invalidated", "r")])
    setattr(function, attribute, value)
    assert (handles[0].valid, log.drained()) == (True, [("resumed", "r")])


# --- random lives ----------------------------------------------------------------------------------------------------


class Life:
    """Random steps, with destructors that take steps and drain, up to three deep."""

    def __init__(self, seed, step):
        self.random, self.take = random.Random(seed), step
        self.depth, self.quiet, self.nested = 0, False, 0

    def value(self):
        return Doomed(self.die)

    def die(self):
        if self.quiet or self.depth > 2 or self.random.random() < 0.4:
            return
        self.nested += 1
        self.depth += 1
        self.step()
        if self.random.random() < 0.3:
            depwatch.drain()
        self.depth -= 1

    def step(self):
        with contextlib.suppress(KeyError, RuntimeError):  # an empty dict; one that changed while it was copied
            self.take(self)

    def run(self, steps, check):
        for _ in range(steps):
            self.step()
            self.quiet = True
            check(drained=False)
            if self.random.random() < 0.3:
                self.quiet = False
                depwatch.drain()
                self.quiet = True
                for _ in range(20):  # what died in one drain is settled in the next
                    depwatch.drain()
                check(drained=True)
            self.quiet = False
        self.quiet = True
        assert self.nested


@pytest.mark.parametrize("seed", range(10))
@without_automatic_drain
def test_nothing_is_stale_in_a_random_life_of_namespaces_with_destructors(log, seed):
    names = [dict.fromkeys("xyz", 1), {}]
    functions = [types.FunctionType((lambda: 1).__code__, {"__builtins__": names[i % 2]}) for i in range(4)]
    claims = Claims(log)

    def step(life):
        r = life.random
        mapping = r.choice([*names, *(function.__globals__ for function in functions)])
        name = r.choice("xyz")
        action = r.randrange(10)
        if action < 2:
            with contextlib.suppress(NameError):
                claims.of_global(r.choice(functions), name)
        elif action < 5:
            mapping[name] = life.value()
        elif action < 7:
            mapping[name] = r.choice([1, 2.5, "text", None])
        else:
            r.choice([
                lambda: mapping.pop(name), mapping.popitem, mapping.clear, lambda: mapping.update(x=1, z=life.value()),
                lambda: operator.ior(mapping, {"y": life.value()}),
            ])()  # fmt: skip

    def check(drained):
        for claim in claims.all:
            if drained and not claim.handle.retired:
                claim.check_settled()
            else:
                claim.check()
            if drained and claim.handle.retired:
                claim.handle.release()
        claims.all = [claim for claim in claims.all if not claim.handle.released]

    Life(seed, step).run(100, check)


@pytest.mark.parametrize("seed", range(10))
@without_automatic_drain
def test_nothing_is_stale_in_a_random_life_of_functions_with_destructors(log, seed):
    codes = [compile(f"lambda x: {i}", "<life>", "eval").co_consts[0] for i in range(3)]
    functions = [types.FunctionType(code, {}) for code in codes]
    kwdefaults = [{"a": 1}, {"a": 2}]
    read = []

    def step(life):
        r = life.random
        function = r.choice(functions)
        action = r.randrange(8)
        if action < 2:
            part = r.choice(["code", "defaults", "kwdefaults"])
            recorder = depwatch.Recorder("r", None)
            (value,) = recorder.read_function(function, part)
            contents = dict(value) if isinstance(value, dict) else None
            with contextlib.suppress(depwatch.Stale):
                read.append((function, f"__{part}__", value, contents, log.commit(recorder)))
        elif action < 3:
            function.__code__ = r.choice(codes)
        elif action < 5:
            function.__defaults__ = r.choice([None, (), (1,), (life.value(),)])
        elif action < 7:
            function.__kwdefaults__ = r.choice([None, *kwdefaults, {"a": life.value()}])
        else:
            r.choice([*kwdefaults, function.__kwdefaults__ or {}])[r.choice("ab")] = r.choice([1, 2, life.value()])

    def check(drained):
        for function, attribute, value, contents, handle in read:
            holds = getattr(function, attribute) is value
            holds = holds and (contents is None or all(value.get(key) is item for key, item in contents.items()))
            assert holds or not handle.valid
            if drained:
                assert handle.retired or handle.valid is holds
        if drained:
            for *_, handle in read:
                if handle.retired:
                    handle.release()
            read[:] = [each for each in read if not each[-1].released]

    Life(seed, step).run(80, check)
