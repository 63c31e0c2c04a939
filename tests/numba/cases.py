"""Cases: programs in cases/*.txt, what is done to them, and what they give then."""

import doctest
import functools
import operator
import re
import types
from collections import namedtuple
from pathlib import Path

import numba
import numpy as np
from numba.extending import intrinsic, overload, overload_attribute, overload_method, register_jitable
from numba_programs import Program, nobody_calls_by_address

from depwatch import Unwatchable

FOLDER = Path(__file__).parent / "cases"


def read_cases():
    """By name: the source of a program, and the steps, each with what it gives."""
    found = {}
    for file in sorted(FOLDER.glob("*.txt")):
        for section in file.read_text().split("\n## ")[1:]:
            name, text = section.split("\n", 1)
            steps = doctest.DocTestParser().get_examples(text)
            found[f"{file.stem}: {name}"] = (text[: text.index(">>> ")], steps)
    return found


CASES = read_cases()


def fixed(first):
    """A read-only array, which nobody can store into."""
    array = np.arange(first, first + 3)
    array.setflags(write=False)
    return array


def names():
    """What programs find beside what is theirs."""
    config, other, inner = map(types.ModuleType, ("config", "other", "inner"))
    config.inner = inner
    inner.X, other.X, other.S = 1, 11, "other"
    return {
        "config": config, "other": other, "fixed": fixed, "np": np, "numba": numba, "functools": functools,
        "operator": operator, "namedtuple": namedtuple, "objmode": numba.objmode, "plain": numba.njit,
        "overload": overload, "overload_method": overload_method, "overload_attribute": overload_attribute,
        "register_jitable": register_jitable, "intrinsic": intrinsic, "types": numba.types, "python_types": types,
        "typed": numba.typed, "List": numba.typed.List, "Dict": numba.typed.Dict,
    }  # fmt: skip


def outcome(call):
    """What a call gives, or why it is refused."""
    try:
        given = call()
    except Unwatchable as refused:
        return f"refused: {refused}"
    return given.item() if isinstance(given, np.generic) else given


@nobody_calls_by_address()
def run(name):
    """Each step's result that is not as it should be."""
    source, steps = CASES[name]
    program = outcome(lambda: Program(source, **names()))
    wrong = []
    for step in steps:
        if isinstance(program, str):
            given = program
        elif step.want:
            given = outcome(lambda: eval(step.source, vars(program)))
        else:
            exec(step.source, vars(program))
            continue
        if not is_as_told(given, step.want.strip()):
            wrong.append(f"{step.source.strip()} gives {given!r}, not {step.want.strip()}")
    return wrong


def is_as_told(given, told):
    if told.startswith("refused: "):
        return isinstance(given, str) and re.search(told.removeprefix("refused: "), given) is not None
    expected = eval(told)
    return type(given) is type(expected) and given == expected
