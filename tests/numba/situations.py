"""Programs of two parts: a place where compiled code can read something, and something to read there, which changes."""

import itertools
import types
from pathlib import Path
from typing import NamedTuple

import numba
from cases import names
from numba_programs import Program, nobody_calls_by_address

from depwatch import Unwatchable

FOLDER = Path(__file__).parent / "programs"


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


def _sources(name):
    sections = (FOLDER / f"{name}.txt").read_text().split("\n## ")[1:]
    return dict(section.rstrip().split("\n\n", 1) for section in sections)


PLACES, CHOOSERS, USES = map(_sources, ("places", "choosers", "uses"))
for of, chooser in CHOOSERS.items():
    for use, user in USES.items():
        for inlined in ("", ", inline='always'"):
            name = f"a chooser: {of}{', copied in' if inlined else ''}; {use}"
            PLACES[name] = "\n".join(("def hook(x): pass", chooser.replace("{o}", inlined), user))

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

    def __init__(self, source, **more):
        super().__init__("python")
        vars(self).update(names(), njit=_unjitted, plain=_unjitted, register_jitable=_unjitted, overload=self._overload)
        vars(self).update(more)
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


@nobody_calls_by_address()
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


# What Python code that chooses an implementation may not read: what compiled functions give, and a computed name.
REFUSED_IN_CHOOSERS = (
    "function", "another function", "shadowed builtin", "shadowing name that goes", "getattr by a name"
)  # fmt: skip


def may_be_refused(place, value):
    return "overload(" in PLACES[place] and "{p}" in PLACES[place] and value in REFUSED_IN_CHOOSERS


def is_possible(place, value):
    """Whether plain numba, where it is in the program, can compile that: it knows no missing attribute of a module."""
    return "@plain" not in PLACES[place] or value not in ("hasattr", "getattr with a default")


def one_of_each():
    """Each place with some value, and each value in the places that differ most."""
    places, values = list(PLACES), list(VALUES)
    pairs = {(place, values[number % len(values)]): None for number, place in enumerate(places)}
    everywhere = ("itself", "a nested function", "a mapped function", "copied in, nested")
    return [pair for pair in pairs | dict.fromkeys(itertools.product(everywhere, values)) if is_possible(*pair)]
