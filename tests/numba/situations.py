"""Programs of two parts: a place where compiled code can read something, and something to read there, which changes."""

import itertools
import types
from typing import NamedTuple

import numba
from cases import names
from numba_programs import Program

from depwatch import Unwatchable


class Value(NamedTuple):
    """An expression that gives a number, what it needs, and the changes of it."""

    setup: str
    expression: str
    changes: tuple[str, ...]


VALUES = {
    "int": Value("K = 1", "K", ("K = 5", "K = 1")),
    "a type that changes": Value("K = 1", "K", ("K = 2.5", "K = True", "K = 1")),
    "str": Value("S = 'a'", "len(S)", ("S = 'aaa'", "S = 'a'")),
    "tuple": Value("T = (1, 2)", "T[1]", ("T = (1, 7)", "T = (1, 2.5)")),
    "array": Value("A = fixed(1)", "A[0]", ("A = fixed(4)", "A = fixed(1)")),
    "function": Value("@njit\ndef k(): return 1", "k()", ("@njit\ndef k(): return 9",)),
    "another function": Value(
        "@njit\ndef k(): return 1\n@njit\ndef m(): return 2.5", "k()", ("k, m = m, k", "k, m = m, k")
    ),
    "shadowed builtin": Value("", "abs(-3)", ("@njit\ndef abs(x): return 100", "del abs")),
    "shadowing name that goes": Value("@njit\ndef abs(x): return 100", "abs(-3)", ("del abs",)),
    "int of a module": Value("config.X = 1", "config.X", ("config.X = 5", "config.X = 1")),
    "str of a module": Value("config.S = 'a'", "len(config.S)", ("config.S = 'aaa'", "config.S = 'a'")),
    "module that changes": Value("config.X = 1", "config.X", ("config = other",)),
    "inner module": Value("config.inner.X = 1", "config.inner.X", ("config.inner.X = 5", "config.inner = other")),
    "getattr": Value("config.X = 1", "getattr(config, 'X')", ("config.X = 5", "config.X = 1")),
    "getattr by a name": Value(
        "config.X = 1; config.YY = 7; N = 'X'", "getattr(config, N)", ("N = 'YY'", "config.YY = 8", "N = 'X'")
    ),
    "getattr with a default": Value(
        "D = 3", "getattr(config, 'X', D)", ("config.X = 5", "config.X = 6", "del config.X", "D = 4")
    ),
    "hasattr": Value("", "(1 if hasattr(config, 'X') else 2)", ("config.X = 5", "config.X = 6", "del config.X")),
    "flag": Value("FLAG = True", "(1 if FLAG else 2)", ("FLAG = False", "FLAG = 3", "FLAG = True")),
    "flag that selects a type": Value("FLAG = True", "(2**61 + 1 if FLAG else 2.5)", ("FLAG = False", "FLAG = True")),
    "two flags": Value("F, G = True, 2", "(1 if F and not G == 2 else 7)", ("F = False", "F = True", "G = 3")),
    "complex": Value("Z = 1j", "Z.imag", ("Z = 2j", "Z = 1j")),
    "None": Value("Q = None", "(1 if Q is None else 2)", ("Q = 5", "Q = None")),
}

PLACES = {
    "itself": "@njit\ndef f(x): return x + {e}",
    "nogil": "@njit(nogil=True)\ndef f(x): return x + {e}",
    "bulk": "@njit(policy='bulk')\ndef f(x): return x + {e}",
    "a callee": "@njit\ndef g(x): return x + {e}\n@njit\ndef f(x): return g(x)",
    "a callee's callee": "@njit\ndef h(): return {e}\n@njit\ndef g(x): return x + h()\n@njit\ndef f(x): return g(x)",
    "a callee that numba.njit made": "@plain\ndef g(x): return x + {e}\n@njit\ndef f(x): return g(x)",
    "a nested function": "@njit\ndef f(x):\n    def g(y): return y + {e}\n    return g(x)",
    "a nested function's": "@njit\ndef f(x):\n    def g(y):\n        def h(z): return z + {e}\n        return h(y)\n"
    "    return g(x)",
    "a lambda": "@njit\ndef f(x): return (lambda y: y + {e})(x)",
    "a comprehension": "@njit\ndef f(x): return [x + i + {e} for i in range(2)][1]",
    "a loop": "@njit\ndef f(x):\n    s = x\n    for i in range(3): s = x + {e}\n    return s",
    "a loop's sum": "@njit\ndef f(x):\n    s = x * 1.0\n    for i in range(3): s += {e}\n    return s",
    "a generator": "@njit\ndef g(x):\n    yield x + {e}\n@njit\ndef f(x):\n    s = x * 1.0\n"
    "    for v in g(x): s += v\n    return s",
    "a mapped function": "@njit\ndef g(x): return x + {e}\n@njit\ndef f(x): return list(map(g, [x, 1]))[0]",
    "a mapped lambda": "@njit\ndef f(x): return list(map(lambda y: y + {e}, [x, 1]))[0]",
    "a map in a loop": "@njit\ndef g(x): return x + {e}\n@njit\ndef f(x):\n    s = x * 1.0\n"
    "    for v in map(g, [x, 1]): s += v\n    return s",
    "a sum of a map": "@njit\ndef g(x): return x + {e}\n@njit\ndef f(x): return sum(list(map(g, [x, 1])))",
    "a zip of maps": "@njit\ndef g(x): return x + {e}\n@njit\ndef f(x):\n    s = x * 1.0\n"
    "    for v, w in zip(map(g, [x, 1]), map(g, [2, x])): s += v * w\n    return s",
    "a mapped function's callee": "@njit\ndef h(x): return x + {e}\n@njit\ndef g(x): return h(x)\n"
    "@njit\ndef f(x): return list(map(g, [x, 1]))[0]",
    "a map in a callee": "@njit\ndef g(x): return x + {e}\n@njit\ndef m(x): return list(map(g, [x, 1]))[0]\n"
    "@njit\ndef f(x): return m(x)",
    "a filter": "@njit\ndef g(x): return x > {e}\n@njit\ndef f(x): return len(list(filter(g, [1, 2, 3, 4, 5, 6, x])))",
    "a filter of a map": "@njit\ndef g(x): return x + {e}\n@njit\ndef p(x): return x > 4\n"
    "@njit\ndef f(x): return len(list(filter(p, map(g, [1, 2, 3, x]))))",
    "a sorted key": "@njit\ndef g(x): return max(x - {e}, {e} - x)\n@njit\ndef f(x): return sorted([1, 2, 3, 5, 9, x], key=g)[0]",
    "a reversed sorted key": "@njit\ndef g(x): return max(x - {e}, {e} - x)\n"
    "@njit\ndef f(x): return sorted([1, 2, 3, 5, 9, x], key=g, reverse=True)[0]",
    "a sort key": "@njit\ndef g(x): return max(x - {e}, {e} - x)\n@njit\ndef f(x):\n    a = [1, 2, 3, 5, 9, x]\n"
    "    a.sort(key=g)\n    return a[0]",
    "a reduced function": "from functools import reduce\n@njit\ndef g(x, y): return (x * 1.0) + y + {e}\n"
    "@njit\ndef f(x): return reduce(g, [1.0, 2.0, x * 1.0])",
    "an argument": "@njit\ndef g(x): return x + {e}\n@njit\ndef h(g, x): return g(x)\ndef f(x): return h(g, x)",
    "an argument that is mapped": "@njit\ndef g(x): return x + {e}\n"
    "@njit\ndef h(g, x): return list(map(g, [x, 1]))[0]\ndef f(x): return h(g, x)",
    "a tuple of functions": "@njit\ndef g(x): return x + {e}\n@njit\ndef h(x): return x\nP = (h, g)\n"
    "@njit\ndef f(x): return P[1](x) + P[0](x)",
    "a tuple of functions as argument": "@njit\ndef g(x): return x + {e}\n@njit\ndef h(x): return x\n"
    "@njit\ndef m(p, x): return p[1](x) + p[0](x)\ndef f(x): return m((h, g), x)",
    "a function around": "def make(g):\n    @njit\n    def f(x): return g(x)\n    return f\n"
    "@njit\ndef g(x): return x + {e}\nf = make(g)",
    "copied in": "@njit(inline='always')\ndef g(x): return x + {e}\n@njit\ndef f(x): return g(x)",
    "copied in, nested": "@njit(inline='always')\ndef g(x):\n    def h(y): return y + {e}\n    return h(x)\n"
    "@njit\ndef f(x): return g(x)",
    "copied in twice": "@njit(inline='always')\ndef h(x): return x + {e}\n@njit(inline='always')\ndef g(x): return h(x)\n"
    "@njit\ndef f(x): return g(x)",
    "copied in by its cost": "@njit(inline=lambda *_: True)\ndef g(x):\n    def h(y): return y + {e}\n    return h(x)\n"
    "@njit\ndef f(x): return g(x)",
    "register_jitable": "@register_jitable\ndef g(x): return x + {e}\n@njit\ndef f(x): return g(x)",
    "register_jitable, copied in": "@register_jitable(inline='always')\ndef g(x):\n    def h(y): return y + {e}\n"
    "    return h(x)\n@njit\ndef f(x): return g(x)",
    "objmode": "@njit\ndef f(x):\n    with objmode(r='float64'):\n        r = float(x + {p})\n    return r",
}

CHOOSERS = {
    "itself": "@overload(hook{o})\ndef choose(x):\n    chosen = {p}\n    return lambda x: x + chosen",
    "by a branch": "@overload(hook{o})\ndef choose(x):\n    if {p} == 1:\n        return lambda x: x + 1\n"
    "    return lambda x: x + 100 * 1",
    "its helper": "def deep(): return {p}\ndef helper(): return deep()\n"
    "@overload(hook{o})\ndef choose(x):\n    chosen = helper()\n    return lambda x: x + chosen",
    "decorated": "def logged(fn):\n    @functools.wraps(fn)\n    def wrapper(x): return fn(x)\n    return wrapper\n"
    "@overload(hook{o})\n@logged\ndef choose(x):\n    chosen = {p}\n    return lambda x: x + chosen",
    "with another's name": "def choose(x):\n    chosen = {p}\n    return lambda x: x + chosen\n"
    "functools.update_wrapper(choose, numba.njit, assigned=('__module__',), updated=())\ndel choose.__wrapped__\n"
    "overload(hook{o})(choose)",
    "partial": "def choose(first, x):\n    chosen = {p}\n    return lambda x: x + chosen\noverload(hook{o})(functools.partial(choose, 1))",
    "a method": "class C:\n    def choose(self, x):\n        chosen = {p}\n        return lambda x: x + chosen\noverload(hook{o})(C().choose)",
    "a nested function": "@overload(hook{o})\ndef choose(x):\n    def impl(x): return x + chosen\n    def pick(): return {p}\n"
    "    chosen = pick()\n    return impl",
    "a class body": "@overload(hook{o})\ndef choose(x):\n    class C: chosen = {p}\n    chosen = C.chosen\n    return lambda x: x + chosen",
    "a generator": "@overload(hook{o})\ndef choose(x):\n    chosen = sum({p} for _ in (1,))\n    return lambda x: x + chosen",
    "mapped": "def helper(x): return {p}\n@overload(hook{o})\ndef choose(x):\n    chosen = list(map(helper, (1,)))[0]\n"
    "    return lambda x: x + chosen",
    "around": "def make():\n    def get(): return {p}\n    def choose(x):\n        chosen = get()\n        return lambda x: x + chosen\n"
    "    return choose\noverload(hook{o})(make())",
    "the implementation": "@overload(hook{o})\ndef choose(x): return lambda x: x + {e}",
    "the implementation's callee": "@njit\ndef callee(): return {e}\n"
    "@overload(hook{o})\ndef choose(x): return lambda x: x + callee()",
    "the implementation, nested": "@overload(hook{o})\ndef choose(x):\n    def impl(x):\n        def g(y): return y + {e}\n"
    "        return g(x)\n    return impl",
    "another chooser": "def inner(x): pass\n@overload(inner{o})\ndef choose_inner(x):\n    chosen = {p}\n    return lambda x: x + chosen\n"
    "@overload(hook{o})\ndef choose(x): return lambda x: inner(x)",
    "one of two": "@overload(hook{o})\ndef choose(x):\n    if {p} == 1: return lambda x: x + 1\n"
    "@overload(hook{o})\ndef choose_other(x):\n    if not {p} == 1: return lambda x: x + 55",
}
USES = {
    "": "@njit\ndef f(x): return hook(x)",
    "in a callee": "@njit\ndef g(x): return hook(x)\n@njit\ndef f(x): return g(x)",
    "mapped": "@njit\ndef g(x): return hook(x)\n@njit\ndef f(x): return list(map(g, [x, 1]))[0]",
    "after plain numba": "@plain\ndef before(x): return hook(x)\nbefore(1)\n@njit\ndef f(x): return hook(x)",
    "copied in": "@njit(inline='always')\ndef g(x): return hook(x)\n@njit\ndef f(x): return g(x)",
}
for of, chooser in CHOOSERS.items():
    for use, user in USES.items():
        for inlined in ("", ", inline='always'"):
            name = f"a chooser: {of}{', copied in' if inlined else ''}{'; ' if use else ''}{use}"
            PLACES[name] = "def hook(x): pass\n" + chooser.replace("{o}", inlined) + "\n" + user

OWN = "P = namedtuple('P', 'a')\n"  # a class for each program: whoever else uses the operator is not concerned
IS_P = "isinstance(a, numba.types.BaseNamedTuple) and a.instance_class is P"
OPERATORS = {
    "v + 1": ("operator.add", "a, b"), "v @ 1": ("operator.matmul", "a, b"), "-v": ("operator.neg", "a"),
    "v < 1": ("operator.lt", "a, b"), "v == 1": ("operator.eq", "a, b"), "v[0.5]": ("operator.getitem", "a, b"),
    "np.sum(v)": ("np.sum", "a"), "abs(v)": ("abs", "a"),
}  # fmt: skip
for symbol, (target, parameters) in OPERATORS.items():
    PLACES[f"the operator of {symbol}"] = (
        f"{OWN}@overload({target})\ndef choose({parameters}):\n    if {IS_P}:\n        chosen = {{p}}\n"
        f"        return lambda {parameters}: chosen\n@njit\ndef f(x):\n    v = P(x)\n    return {symbol}"
    )
IN_PYTHON = dict.fromkeys((f"the operator of {symbol}" for symbol in OPERATORS), "def f(x): return {p}")


def _unjitted(function=None, **_):
    return _unjitted if function is None else function


class Python(types.ModuleType):
    """The same program without numba. An @overload is what its chooser gives, at each call."""

    def __init__(self, source):
        super().__init__("python")
        vars(self).update(names(), njit=_unjitted, plain=_unjitted, register_jitable=_unjitted, overload=self._overload)
        self._choosers = {}
        exec(source, vars(self))

    def _overload(self, target, **_):
        def decorate(chooser):
            choosers = self._choosers.setdefault(target.__name__, [])
            choosers.append(chooser)

            def choose(*arguments):
                for each in choosers:
                    if (implementation := each(*map(numba.typeof, arguments))) is not None:
                        return implementation(*arguments)
                raise TypeError

            choose.__name__ = target.__name__
            vars(self)[target.__name__] = choose
            return chooser

        return decorate


def difference(place, value, changes, x=2):
    """What compiled code gives and Python does not, after which change; "refused: why"; or None."""
    source = PLACES[place]
    setup, expression, _ = VALUES[value]
    ours_source, python_source = (
        f"{setup}\n{each}".replace("{e}", expression).replace("{p}", expression)
        for each in (source, IN_PYTHON.get(place, source))
    )
    python = Python(python_source)
    try:
        ours = Program(ours_source, **names())
        for change in ("", *changes):
            exec(change, vars(ours))
            exec(change, vars(python))
            for _ in range(2):
                got, expected = ours.f(x), python.f(x)
                if got != expected:
                    return f"after {change!r}: {got!r}, not {expected!r}"
    except Unwatchable as refused:
        return f"refused: {refused}"
    return None


# What Python code that chooses an implementation may not read: what a compiled function gives, a name that is computed.
REFUSED_IN_CHOOSERS = ("function", "another function", "shadowed builtin", "shadowing name that goes", "getattr by a name")


def may_be_refused(place, value):
    return "overload(" in PLACES[place] and "{p}" in PLACES[place] and value in REFUSED_IN_CHOOSERS


def one_of_each():
    """Each place with some value, and each value in the places that differ most."""
    places, values = list(PLACES), list(VALUES)
    pairs = {(place, values[number % len(values)]): None for number, place in enumerate(places)}
    everywhere = ("itself", "a nested function", "a mapped function", "copied in, nested")
    return list(pairs | dict.fromkeys(itertools.product(everywhere, values)))
