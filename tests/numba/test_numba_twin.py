"""Random changes against plain Python: after each, what the compiled functions give is what Python gives."""

import random
import types

import numba
import pytest
from numba_programs import Program

SOURCE = """
N, F, FLAG, TEXT, PAIR = 3, 2.5, True, "a", (1, 2)

@njit{options}
def leaf(x):
    return x + N if FLAG else x + len(TEXT)

@njit{options}
def other(x):
    total = 0.0
    for i in range(3):
        total += F * i + config.SCALE
    return total + PAIR[1]

@njit{options}
def middle(x):
    return leaf(x) * 2 + step(x)

@njit{options}
def outer(x):
    return middle(x) + other(x) + abs(x)

@njit{options}
def around(x):
    def inner(y):
        return y * N + len(TEXT)
    return inner(x) + step(leaf(x))
"""
STEPS = ("lambda x: x + N", "lambda x: x * 2", "lambda x: x + len(TEXT)")
VALUES = {
    "N": (3, -1, 2**40, 1.5, True),
    "F": (2.5, -0.0, 7, float("2.5")),
    "FLAG": (True, False),
    "TEXT": ("a", "bbb", "a" * 9),
    "PAIR": ((1, 2), (1, 3), (1.5, 2.5)),
}
FUNCTIONS = ("leaf", "other", "middle", "outer", "around")


def given(function, x):
    """The value and its type, or that there is none."""
    try:
        value = function(x)
    except (NameError, TypeError, ZeroDivisionError, numba.TypingError):
        return "error"
    return (float(value), repr(float(value)))


@pytest.mark.slow
@pytest.mark.parametrize("options, seed", [("", 1), ("(nogil=True)", 3), ('(policy="bulk")', 4)])
def test_after_every_change_compiled_functions_give_what_python_gives(options, seed):
    chance = random.Random(seed)
    config = types.ModuleType("config")
    config.SCALE = 1.0
    ours = Program(SOURCE.replace("{options}", options), config=config)
    python = Program(SOURCE.replace("@njit{options}\n", ""), config=config)
    made = {}

    def set_step(source):
        if source not in made:
            made[source] = ours.njit(eval(source, vars(ours))), eval(source, vars(python))
        ours.step, python.step = made[source]

    set_step(STEPS[0])
    calls = 0
    for _ in range(60):
        match chance.choice(["value"] * 6 + ["module", "step", "shadow", "delete"]):
            case "value":
                name = chance.choice(list(VALUES))
                vars(ours)[name] = vars(python)[name] = chance.choice(VALUES[name])
            case "module":
                config.SCALE = chance.choice((1.0, 2.0, 3))
            case "step":
                set_step(chance.choice(STEPS))
            case "shadow":
                if "abs" in vars(ours):
                    del ours.abs, python.abs
                else:
                    ours.abs, python.abs = made[STEPS[0]]
            case "delete":
                name = chance.choice(("TEXT", "N"))
                for program in (ours, python):
                    vars(program).pop(name, None)
                assert given(ours.around, 1) == given(python.around, 1) == "error"
                vars(ours)[name] = vars(python)[name] = chance.choice(VALUES[name])
        for name in chance.sample(FUNCTIONS, 2):
            x = chance.choice((1, -2))
            assert given(getattr(ours, name), x) == given(getattr(python, name), x), name
            calls += 1
    compiled = sum(ours.stats(name)[0][0] for name in FUNCTIONS)
    assert compiled < calls  # what comes again is not compiled again
