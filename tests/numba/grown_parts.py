"""What programs grow from: data that changes, and functions of any form that read it.

{n}: a number of its own. {name}: the function. {e}, {e2}: expressions with x. {c}: a condition. {p}: an expression
that plain Python works out. {v}: a value. {k}: the name of an int. {g}, {h}: functions of one argument.
"""

from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "programs"


class Atom(NamedTuple):
    """An expression that gives a number, what it needs, and other states of that."""

    setup: str
    expression: str
    changes: tuple[str, ...]
    in_python: bool = True  # whether Python that chooses an implementation may read it


def data(name, first, expression, *others, **options):
    """A global with these values in turn."""
    values = (first, *others)
    owner, _, attribute = name.rpartition(".")
    gone = f"{f'vars({owner})' if owner else 'globals()'}.pop('{attribute}', None)"
    return Atom(
        f"{name} = {first}",
        expression,
        (*(f"{name} = {value}" for value in values), gone, f"{name} = {first}"),
        **options,
    )


INT = data("K{n}", "1", "K{n}", "5", "2", "True", "2.5", "int('1')")
ATOMS = (
    INT,
    data("K{n}", "2", "(x ** K{n})", "1", "3", "2.0"),
    data("K{n}", "2.5", "K{n}", "-1.5", "3", "np.float32(0.5)", "np.int8(4)"),
    data("I{n}", "0", "(1, 2.5)[I{n}]", "1", "-1", "True"),
    data("S{n}", "'a'", "len(S{n})", "'aaa'", "''.join(['a'])", "'b'", "'é'"),
    data("S{n}", "'a'", "(3 if S{n} == 'a' else 4)", "'b'", "'aa'"),
    data("S{n}", "'ab'", "(3 if 'a' in S{n} else 4.5)", "'b'"),
    data("B{n}", "b'ab'", "(B{n}[0] + len(B{n}))", "b'b'", "b'abc'"),
    data("T{n}", "(1, 2)", "T{n}[1]", "(1, 7)", "(1, 2.5)", "(3, 2, 1)"),
    data("T{n}", "(1, (2, 'a'))", "(T{n}[1][0] + len(T{n}[1][1]))", "(1, (2.5, 'abc'))", "(1, (True, ''))"),
    data("T{n}", "(1, 2, 3)", "sum(T{n})", "(4,)", "(1, 2)"),
    data("V{n}", "Pair(1, 2)", "V{n}.b", "Pair(3, 4.5)", "Pair('x', 7)"),
    data("A{n}", "fixed(1)", "A{n}[0]", "fixed(4)", "fixed(1)"),
    data("A{n}", "fixed(1)", "A{n}.sum()", "fixed(4)", "fixed(2)", "fixed(1)"),
    data("FLAG{n}", "True", "(1 if FLAG{n} else 2)", "False", "3", "None", "''"),
    data("FLAG{n}", "True", "(2**61 + 1 if FLAG{n} else 2.5)", "False", "0"),
    data("F{n}, G{n}", "True, 2", "(1 if F{n} and not G{n} == 2 else 7)", "False, 2", "True, 3", "3, 2.0"),
    data("Z{n}", "1j", "Z{n}.imag", "2j", "0.5j"),
    data("Q{n}", "None", "(1 if Q{n} is None else 2)", "5", "'a'"),
    data("E{n}", "IntEnum('E', 'A B')", "E{n}.A.value", "IntEnum('E', 'B A')", "IntEnum('E', {'A': 7})"),
    data("R{n}", "np.sqrt", "R{n}(4.0)", "np.exp2", "np.floor", "math.sqrt"),
    data("L{n}", "np", "L{n}.sqrt(4.0)", "math"),
    data("M{n}", "max", "M{n}(1, 2)", "min"),
    data("D{n}", "int", "D{n}(2.5)", "float"),
    data("D{n}", "np.int64", "D{n}(2.5)", "np.float64"),
    data("config.X{n}", "1", "config.X{n}", "5", "2.5", "True"),
    data("config.X{n}", "'a'", "len(config.X{n})", "'aaa'", "'b'"),
    data("config.X{n}", "True", "(1 if config.X{n} else 2)", "False", "3"),
    Atom(
        "config.X{n} = 1; other.X{n} = 4", "config.X{n}",
        ("config = other", "config.X{n} = 7", "config = copied(config)"),
    ),
    Atom(
        "inner{n} = copied(other); inner{n}.X = 1; config.inner{n} = inner{n}", "config.inner{n}.X",
        ("config.inner{n}.X = 3", "config.inner{n} = copied(inner{n})", "inner{n}.X = 1", "inner{n}.X = 2.5"),
    ),
    data("config.Y{n}", "1", "getattr(config, 'Y{n}')", "5", "2.5"),
    Atom(
        "config.Y{n} = 1; config.Z{n} = 7; N{n} = 'Y{n}'", "getattr(config, N{n})",
        ("N{n} = 'Z{n}'", "config.Z{n} = 8", "N{n} = 'Y{n}'", "config.Y{n} = 2.5"), False,
    ),
    Atom(
        "D{n} = 3", "getattr(config, 'W{n}', D{n})",
        ("config.W{n} = 5", "config.W{n} = 6", "vars(config).pop('W{n}', None)", "D{n} = 4"),
    ),
    Atom(
        "", "(1 if hasattr(config, 'H{n}') else 2)",
        ("config.H{n} = 5", "vars(config).pop('H{n}', None)", "config = copied(config)"),
    ),
    Atom(
        "", "abs(-3)",
        ("@njit\ndef abs(x): return x + 100", "globals().pop('abs', None)", "@njit\ndef abs(x): return 2.5"), False,
    ),
    Atom(
        "@njit\ndef k{n}(): return 1\n@njit\ndef m{n}(): return 2.5", "k{n}()",
        ("k{n}, m{n} = m{n}, k{n}", "@njit\ndef k{n}(): return 9", "recode(k{n}, m{n})"), False,
    ),
    Atom(
        "@njit\ndef k{n}(): return 1\n@njit\ndef m{n}(): return 2.5\nconfig.k{n} = k{n}", "config.k{n}()",
        ("config.k{n} = m{n}", "config.k{n} = k{n}", "recode(k{n}, m{n})", "config = copied(config)"), False,
    ),
)  # fmt: skip


class Form(NamedTuple):
    """A function, and how compiled code calls it."""

    source: str
    call: str = "{name}(x)"
    changes: tuple[str, ...] = ()
    weight: int = 2
    in_python: bool = True  # whether Python can call it as compiled code does
    as_value: bool = True  # whether it can stand for another function of one argument
    in_python_source: str | None = None  # the same without numba, if it is something else there


def read_forms():
    found = {}
    for section in (FOLDER / "grown.txt").read_text().split("\n## ")[1:]:
        head, source = section.rstrip().split("\n\n", 1)
        name, *lines = head.split("\n")
        source, _, python = source.partition("\n[python]\n")
        told = [line.partition(": ")[::2] for line in lines]
        options = dict(told)
        found[name] = Form(
            source,
            options.get("call", "{name}(x)"),
            tuple(text for what, text in told if what == "change"),
            int(options.get("weight", 2)),
            "not from Python" not in options,
            "no value" not in options,
            python or None,
        )
    return found


FORMS = read_forms()
SIMPLE = [form for name, form in FORMS.items() if name.startswith("simple")]
