"""A random program under jit gives what NumPy and plain Python give, whatever changes and when."""

import random

import jax.numpy as jnp
import numpy as np
import pytest
from jax_programs import ours, plain, program
from random_program import in_thread

from depwatch.integrations.jax import jit

TEXT = """
def summed(x):
    interfere(1)
    return lax.scan(step, x, jnp.arange(3.0))[0] + RATE
def chosen(x):
    return lax.cond(x > 1.0, helper, lambda y: y * cfg.SCALE, x)
def f(x):
    first = helper(x) * cfg.SCALE
    interfere(2)
    return first + summed(x) + chosen(x) * Settings.power
def g(x): return vmap(lambda y: helper(y) * RATE)(x * jnp.arange(3.0)).sum() + grad(lambda y: y * y * cfg.SCALE)(x)
"""
CHANGES = {
    "module": "cfg.SCALE = V", "global": "RATE = V", "base": "BIAS = V", "class": "Settings.power = V",
    "callee": "helper = functions[int(V) % 2]", "code": "functions[0].__code__ = codes[int(V) % 2]",
    "defaults": "functions[1].__defaults__ = (V,)",
}  # fmt: skip


class Interfere:
    """Runs what is due at a place of the computation, once. Its insides cannot be seen."""

    def __init__(self):
        self.due = {}

    def __call__(self, place):
        self.due.pop(place, bool)()


def two_copies(trusted):
    both = []
    for given in (ours(), plain()):
        names = program(TEXT, given | {"interfere": Interfere()})
        exec("functions = [helper, other]; codes = [each.__code__ for each in functions]", names)
        both.append(names)
    for name in ("summed", "chosen", "f", "g"):  # watched functions within watched functions
        both[0][name] = jit(both[0][name], ignore=trusted)
    return both


def run(steps, seed):
    random_ = random.Random(seed)
    names, reference = two_copies(("interfere", "due"))
    wrong, due = [], names["interfere"].due
    for step in range(steps):
        source = random_.choice(list(CHANGES.values())).replace("V", f"{random_.randrange(4)}.0")
        name, value, how = random_.choice(["f", "g", "summed", "chosen"]), random_.randrange(3) / 2, random_.random()

        def change(source=source):
            exec(source, names)
            exec(source, reference)

        def compare(step=step, name=name, value=value):
            got, want = float(names[name](jnp.float32(value))), float(reference[name](np.float64(value)))
            if not np.isclose(got, want, rtol=1e-4):
                wrong.append((step, name, value, got, want))

        if how < 0.1:  # while it is traced, if it is
            before = names["cfg"].SCALE
            due[1] = (lambda: in_thread(change)) if how < 0.025 else change
            if how < 0.05:
                due[2] = lambda: change(f"cfg.SCALE = {before}")
            names[name](jnp.float32(value))
            for place in (1, 2):
                due.pop(place, bool)()
        elif how < 0.125:
            in_thread(lambda: (change(), compare()))
        elif how < 0.4:
            change()
        compare()
    return wrong


def test_no_result_of_a_random_program_is_stale():
    assert run(40, 1) == []


@pytest.mark.slow
def test_no_result_of_five_hundred_random_steps_is_stale():
    assert run(500, 2) == []
