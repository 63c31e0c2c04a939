"""Programs that grow at random from grown_parts.py, changed at random: each call gives what plain Python gives.

./dev python tests/numba/grown.py [--steps 1000] [--seed 0] [--jobs 1]     many of them
./dev python tests/numba/grown.py --program SEED                           one, and the least of it that is wrong
"""

import argparse
import enum
import functools
import gc
import math
import os
import random
import re
import sys
import threading
import types
from collections import namedtuple
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":  # as in the tests
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

import numba
import numpy as np
from cases import names
from grown_parts import ATOMS, FORMS, INT, SIMPLE, Form
from numba_programs import Program, nobody_calls_by_address
from situations import Python, _unjitted

from depwatch import Unwatchable

STEPS = 12  # of a program
ARGUMENTS = (2, 3, 2, 3.5, True)


class Step(NamedTuple):
    """Changes, made in turn or by another thread, and what is called then: functions, each with its argument."""

    changes: tuple[str, ...]
    in_thread: bool
    calls: tuple[tuple[str, object], ...]


class Function(NamedTuple):
    """One that has grown, and the form of its call."""

    name: str
    call: str
    in_python: bool
    as_value: bool


# What chooses by a scalar of NumPy's is refused: its operators may warn, which runs code of the program.
MAY_WARN = re.compile(r"by __\w+__ of <(?:u?int|float)\d+ object>")


class Grown:
    """A program: its data, its functions (a source each, and the same for plain Python), and the steps."""

    def __init__(self, seed, steps=STEPS, *, parallel=True, size=6):
        self.chance = random.Random(seed)
        self.parallel = parallel
        self._numbers = iter(range(1000))
        self.setup, self.sources, self.functions = ["config.X0 = 1; other.X0 = 4"], [], []
        self.changes, self.simple = [("config.X0 = 7", "config.X0 = 2.5", "config.X0 = 1")], []
        self.edits = [""]  # changes of data alone
        self.atoms = [self._atom(atom) for atom in [INT, *self.chance.choices(ATOMS, k=4)]]
        for number in range(self.chance.randrange(3, size + 1)):
            self._grow(f"f{number}", SIMPLE if number < 2 else None)
        self._grow(
            "top", [Form("@njit\ndef {name}(x): return " + " + ".join(each.call for each in self.functions[-3:]))]
        )
        self.steps = [Step((), False, self._calls(3)), *(self._step() for _ in range(steps - 1))]

    @property
    def text(self):
        return "\n".join((*self.setup, *(ours for ours, _ in self.sources)))

    @property
    def python(self):
        return "\n".join((*self.setup, *(python for _, python in self.sources)))

    # --- growing --------------------------------------------------------------------------------------------------

    def _atom(self, atom):
        number = next(self._numbers)

        def numbered(text):
            return text.replace("{n}", str(number))

        self.setup.append(numbered(atom.setup))
        self.changes.append(tuple(map(numbered, atom.changes)))
        self.edits += [change for change in self.changes[-1] if not re.search("pop|njit|recode|copied", change)]
        return atom._replace(expression=numbered(atom.expression))

    def _expression(self, depth=2, *, in_python=False, in_object_mode=False, only_data=False):
        """One that reads some of the data, and calls some of the functions that are there."""
        chance, kind = self.chance, self.chance.random()

        def inner():
            return self._expression(depth - 1, in_python=in_python, in_object_mode=in_object_mode, only_data=only_data)

        functions = [each for each in self.functions if not in_object_mode or each.in_python]
        if depth and kind < 0.35:
            return chance.choice(("({} + {})", "({} - {})", "({} + {} * 2)", "max({}, {})", "min({}, {})")).format(
                inner(), inner()
            )
        if depth and kind < 0.45:
            condition = inner() if only_data or chance.random() < 0.5 else "x"
            return f"({inner()} if {condition} > {chance.randrange(4)} else {inner()})"
        if functions and not only_data and not in_python and kind < 0.7:
            return chance.choice(functions).call
        if kind < 0.95 or only_data:
            atoms = [
                each for each in self.atoms
                if (each.in_python or not in_python) and (not only_data or "x" not in each.expression.split(" ")[0])
            ]  # fmt: skip
            return chance.choice(atoms).expression
        return chance.choice(("x", "(x + 1)", "1"))

    def _fill(self, text, **given):
        """A part of a program with what its places stand for."""
        chance, values = self.chance, [each.name for each in self.functions if each.as_value]

        def one(of):
            return chance.choice(of) if of else "abs"

        fillers = {
            "{name}": lambda: given["name"], "{n}": lambda: given["n"],
            "{e}": self._expression, "{e2}": self._expression,
            "{o}": lambda: self._expression(in_object_mode=True),
            "{c}": lambda: f"{self._expression(1)} > {chance.randrange(3)}",
            "{p}": lambda: self._expression(1, in_python=True, only_data=True),
            "{p2}": lambda: self._expression(0, in_python=True, only_data=True),
            "{v}": lambda: chance.choice(("1", "2.5", "True")), "{k}": lambda: self.atoms[0].expression,
            "{g}": lambda: one(values), "{h}": lambda: one(values),
        }  # fmt: skip
        for place, filler in fillers.items():
            if place in text:
                text = text.replace(place, filler())
        return text

    def _form(self, among):
        if among is None:
            forms = [form for form in FORMS.values() if form.weight]
            if self.parallel and self.chance.random() < 0.03:
                forms = [form for form in FORMS.values() if "parallel" in form.source]
            return self.chance.choices(forms, [form.weight or 1 for form in forms])[0]
        return self.chance.choice(among)

    def _grow(self, name, among=None):
        form, number = self._form(among), str(next(self._numbers))
        earlier = self.functions
        if among is SIMPLE:  # these change places, and must not call each other for ever
            self.simple.append(name)
            self.functions = []
        state = self.chance.getstate()
        source = self._fill(form.source, name=name, n=number)
        python = source
        if form.in_python_source is not None:
            self.chance.setstate(state)
            python = self._fill(form.in_python_source, name=name, n=number)
        self.sources.append((source, python))
        if form.changes:
            self.changes.append(tuple(self._fill(change, name=name, n=number) for change in form.changes))
        call = self._fill(form.call, name=name, n=number)
        self.functions = earlier
        self.functions.append(Function(name, call, form.in_python, form.as_value))

    # --- changing -------------------------------------------------------------------------------------------------

    def _calls(self, number):
        callable_ = [each.name for each in self.functions if each.in_python and each.call.endswith("(x)")]
        last = callable_[-3:]
        return tuple((self.chance.choice(last), self.chance.choice(ARGUMENTS)) for _ in range(number))

    def _change(self):
        chance, kind = self.chance, self.chance.random()
        one, two = chance.sample(self.simple, 2)
        if kind < 0.8:
            return chance.choice(chance.choice(self.changes))
        if kind < 0.9:
            everything = self.functions
            self.functions = []  # what a simple one calls may be another after this
            source = self._fill(chance.choice(SIMPLE).source, name=one, n="0")
            self.functions = everything
            return source
        return chance.choice(
            (f"recode({one}, {two})", f"{one}, {two} = {two}, {one}", f"{one} = {two}", "gc.collect()")
        )

    def _step(self):
        chance = self.chance
        changes = [self._change() for _ in range(chance.choice((1, 1, 1, 2, 3)))]
        return Step(tuple(changes), chance.random() < 0.1, self._calls(chance.choice((1, 1, 2, 2, 3))))


# --- running ----------------------------------------------------------------------------------------------------------


def _copied(module):
    """Another module with the same in it."""
    copy = types.ModuleType(module.__name__)
    vars(copy).update(vars(module))
    return copy


def _recode(one, two):
    """Gives one function the code of the other, where both are such as have it."""
    one, two = (getattr(each, "py_func", each) for each in (one, two))
    if all(type(each) is types.FunctionType and not each.__code__.co_freevars for each in (one, two)):
        if one.__code__.co_varnames == two.__code__.co_varnames:
            one.__code__ = two.__code__


def _plain(function=None, policy=None, **options):
    return numba.njit(function, **options) if function is not None else numba.njit(**options)


def more_names():
    return {
        "IntEnum": enum.IntEnum, "math": math, "gc": gc, "Pair": namedtuple("Pair", "a b"), "copied": _copied,
        "recode": _recode, "prange": numba.prange, "vectorize": numba.vectorize,
    }  # fmt: skip


class Sides:
    """A program that is watched, and the same in plain Python."""

    def __init__(self, grown, ours=None):
        self.grown = grown
        self.done = []  # changes
        self.ours = ours or Program(grown.text, **names(), **more_names())
        self.python = Python(grown.python, **more_names() | {"vectorize": _unjitted})

    def change(self, source):
        self.done.append(source)
        for side in (self.ours, self.python):
            exec(source, vars(side))

    def wrong(self, name, argument):
        """What is wrong with a call, or None."""
        expected = _outcome(self.python, name, argument)
        got = _outcome(self.ours, name, argument)
        if _same(got, expected) or (_refused(got) and MAY_WARN.search(str(got))):
            return None
        if not _refused(got):
            fresh = _outcome(self._fresh(), name, argument)  # numba's own ways: other types, and what it cannot compile
            if _same(got, fresh) or (isinstance(expected, Exception) and isinstance(got, Exception)):
                return None
        return f"{name}({argument!r}) gives {got!r}, not {expected!r}"

    def _fresh(self):
        plain = Program(self.grown.text, **names(), **more_names() | {"njit": _plain})
        for source in self.done:
            exec(source, vars(plain))
        sys.modules[self.ours.__name__] = self.ours  # where numba looks, or its functions could not call themselves
        return plain


def _outcome(program, name, argument):
    try:
        return getattr(program, name)(argument)
    except Exception as error:
        return error


def _refused(got):
    return isinstance(got, Unwatchable) or (isinstance(got, Exception) and "Unwatchable" in str(got))


def _same(got, expected):
    if isinstance(got, Exception) or isinstance(expected, Exception):
        return isinstance(got, Exception) and isinstance(expected, Exception) and not _refused(got)
    if isinstance(expected, (float, np.floating)) or isinstance(got, (float, np.floating)):
        return got == expected or math.isclose(got, expected, rel_tol=1e-9) or (got != got and expected != expected)
    return bool(got == expected)


@nobody_calls_by_address()
def first_wrong(grown, steps, ours=None):
    """(number of the step, what is wrong) of the first call that is, or None."""
    sides = Sides(grown, ours)
    for number, step in enumerate(steps):
        for change in step.changes:
            if step.in_thread:
                thread = threading.Thread(target=sides.change, args=(change,))
                thread.start()
                thread.join()
            else:
                sides.change(change)
        for call in step.calls:
            if (found := sides.wrong(*call)) is not None:
                return number, found
    return None


def difference(seed, steps=STEPS, **options):
    """What is wrong with the program of a seed, with all that shows it, or None."""
    grown = Grown(seed, steps, **options)
    found = first_wrong(grown, grown.steps)
    if found is None:
        return None
    number, what = found
    changes = "\n".join(f"{step.changes} then {step.calls}" for step in grown.steps[: number + 1])
    return f"seed {seed}: {what}\n{grown.text}\n# steps\n{changes}"


def shrunk(seed, steps=STEPS):
    """The same with the fewest steps and calls that are wrong still."""
    grown = Grown(seed, steps)
    left, found = list(grown.steps), first_wrong(grown, grown.steps)
    if found is None:
        return f"seed {seed}: nothing is wrong"
    left = left[: found[0] + 1]
    number = len(left) - 1
    while number >= 0:
        step = left[number]
        smaller = [step._replace(changes=without) for without in _without_one(step.changes)]
        smaller += [step._replace(calls=without) for without in _without_one(step.calls)]
        for each in (None, *smaller):
            tried = [*left[:number], *((each,) if each is not None else ()), *left[number + 1 :]]
            if (again := first_wrong(grown, tried)) is not None:
                left, found = tried, again
                break
        else:
            number -= 1
            continue
        number = min(number, len(left) - 1)
    lines = "\n".join(f"{step.changes} then {step.calls}" for step in left)
    return f"seed {seed}: {found[1]}\n{grown.text}\n# steps\n{lines}"


def _without_one(items):
    return [items[:number] + items[number + 1 :] for number in range(len(items))]


# --- the command ------------------------------------------------------------------------------------------------------

EACH = 8  # programs in a process: numba keeps much of each


def _in_child(work):
    pid = os.fork()
    if pid == 0:
        status = 2
        try:
            status = work()
        finally:
            sys.stdout.flush()
            os._exit(status)
    return pid


def _several(seeds):
    wrong = 0
    for seed in seeds:
        if (found := difference(seed)) is not None:
            wrong = 1
            print(f"{found}\nagain, and less of it: ./dev python tests/numba/grown.py --program {seed}\n", flush=True)
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1000, help="at least so many, of 12 a program")
    parser.add_argument("--seed", type=int, default=0, help="of the first program; the next has the next")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--program", type=int, metavar="SEED")
    arguments = parser.parse_args()
    if arguments.program is not None:
        print(shrunk(arguments.program))
        return 0
    programs = -(-arguments.steps // STEPS)
    seeds = range(arguments.seed, arguments.seed + programs)
    running, statuses = 0, []
    for first in range(0, programs, EACH):
        if running == arguments.jobs:
            statuses.append(os.wait()[1])
            running -= 1
        _in_child(functools.partial(_several, seeds[first : first + EACH]))
        running += 1
    statuses += [os.wait()[1] for _ in range(running)]
    print(f"{programs} programs, {programs * STEPS} steps: {'some are wrong' if any(statuses) else 'nothing is wrong'}")
    return 1 if any(statuses) else 0


if __name__ == "__main__":
    sys.exit(main())
