"""Programs for JAX, and the same in NumPy and plain Python: JAX without jit keeps traces, too, so it is no reference.

Each program has an `f` of one number. Both run the same text; what the text gets as jnp, lax, grad ... differs.
"""

import types

import numpy as np

COMMON = """
RATE, BIAS = 2.0, 1.0
class Settings:
    power = 2.0
cfg = types.ModuleType("cfg")
cfg.SCALE = 2.0
def helper(x): return x + BIAS
def other(x): return x * 5.0 - BIAS
def step(carry, x): return carry * cfg.SCALE + x, carry
def decorate(function):
    def call(*args, **kwargs): return function(*args, **kwargs)
    return call
"""
PROGRAMS = {
    "plain": "def f(x): return helper(x * cfg.SCALE) ** Settings.power + RATE",
    "grad": "g = grad(lambda x: (helper(x) * cfg.SCALE) ** 2.0)\ndef f(x): return g(x) + RATE * Settings.power",
    "grad inside": "def f(x): return grad(lambda y: y * y * cfg.SCALE * Settings.power)(x) + helper(RATE)",
    "vmap": "def f(x): return vmap(lambda y: helper(y) * cfg.SCALE * Settings.power)(x * jnp.arange(3.0)).sum() + RATE",
    "scan": "def f(x): return lax.scan(step, x, jnp.arange(3.0))[0] + helper(RATE) * Settings.power",
    "cond": "def f(x): return lax.cond(x > RATE, helper, lambda y: y * cfg.SCALE, x) * Settings.power",
    "while_loop": (
        "def go_on(x): return x < 20.0 * Settings.power\ndef body(x): return helper(x) * cfg.SCALE + 1.0\n"
        "def f(x): return lax.while_loop(go_on, body, x) + RATE"
    ),
    "fori_loop": "def f(x): return lax.fori_loop(0, 3, lambda i, y: helper(y) * cfg.SCALE, x) + RATE * Settings.power",
    "custom_jvp": (
        "@custom_jvp\ndef g(x): return helper(x) * cfg.SCALE\n"
        "@g.defjvp\ndef g_jvp(primals, tangents): return g(*primals), tangents[0] * cfg.SCALE\n"
        "def f(x): return g(x) + RATE * Settings.power"
    ),
    "checkpoint": "g = checkpoint(lambda x: helper(x) * cfg.SCALE)\ndef f(x): return g(x) + RATE * Settings.power",
    "a plain jit inside": "g = jax_jit(lambda x: helper(x) * cfg.SCALE)\ndef f(x): return g(x) + RATE * Settings.power",
    "a plain jit of scan inside": (
        "g = jax_jit(lambda x: lax.scan(step, x, jnp.arange(3.0))[0])\n"
        "def f(x): return g(helper(x)) + RATE * Settings.power"
    ),
    "a watched function inside": (
        "g = jit(lambda x: helper(x) * cfg.SCALE)\ndef f(x): return g(x) + RATE * Settings.power"
    ),
    "partial": (
        "def g(a, x): return helper(x) * cfg.SCALE * a\nh = functools.partial(g, 3.0)\n"
        "def f(x): return h(x) + RATE * Settings.power"
    ),
    "a decorated callee": (
        "@decorate\ndef g(x): return helper(x) * cfg.SCALE\ndef f(x): return g(x) + RATE * Settings.power"
    ),
    "a class method": (
        "class Model:\n    @classmethod\n    def g(cls, x): return helper(x) * cfg.SCALE\n"
        "def f(x): return Model.g(x) + RATE * Settings.power"
    ),
}  # fmt: skip
# name: what changes it, and what undoes that
CHANGES = {
    "module": ("cfg.SCALE = 3.0", "cfg.SCALE = 2.0"),
    "global": ("RATE = 3.0", "RATE = 2.0"),
    "callee's global": ("BIAS = 4.0", "BIAS = 1.0"),
    "class": ("Settings.power = 3.0", "Settings.power = 2.0"),
    "callee": ("old = helper; helper = other", "helper = old"),
    "code": ("code = helper.__code__; helper.__code__ = other.__code__", "helper.__code__ = code"),
}


class Lax:
    """jax.lax in plain Python."""

    @staticmethod
    def scan(step, carry, xs):
        ys = []
        for x in xs:
            carry, y = step(carry, x)
            ys.append(y)
        return carry, ys

    @staticmethod
    def cond(test, yes, no, *operands):
        return yes(*operands) if test else no(*operands)

    @staticmethod
    def while_loop(test, body, value):
        while test(value):
            value = body(value)
        return value

    @staticmethod
    def fori_loop(low, high, body, value):
        for i in range(low, high):
            value = body(i, value)
        return value


class CustomJvp:
    def __init__(self, function):
        self.function = function

    def defjvp(self, function):
        return function

    def __call__(self, *args):
        return self.function(*args)


def identity(function, **options):
    return function


def plain():
    return {
        "jnp": np, "lax": Lax, "grad": lambda f: lambda x: (f(x + 0.5) - f(x - 0.5)),  # exact for quadratics
        "vmap": lambda f: lambda xs: np.stack([f(x) for x in xs]), "custom_jvp": CustomJvp, "checkpoint": identity,
        "jit": identity, "jax_jit": identity, "types": types,
    }  # fmt: skip


def ours(**more):
    import jax
    import jax.numpy as jnp

    from depwatch.integrations.jax import jit

    return {
        "jnp": jnp, "lax": jax.lax, "grad": jax.grad, "vmap": jax.vmap, "custom_jvp": jax.custom_jvp,
        "checkpoint": jax.checkpoint, "jit": jit, "jax_jit": jax.jit, "types": types,
    } | more  # fmt: skip


def program(text, given):
    import functools

    names = {"__name__": "program", "functools": functools, **given}
    exec(COMMON + text, names)
    return names
