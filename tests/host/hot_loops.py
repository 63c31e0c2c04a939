"""Trap 6 of facts/host-contract.md: hot loops in which something is replaced; run with PYTHON_JIT=1 and a name.

Prints what the loop's last result was, after the replacement: in one call of it that is cold by then, and in hot ones.
"""

import sys

# what is defined, what the loop evaluates, how "old" is replaced
PLAIN = "def f(x): return 'old'\ndef g(x): return 'new'\nargs, kwargs = (1,), {'x': 1}"
METHOD = "class B:\n def m(self): return 'old'\ndef g(self): return 'new'\no = B()"
PROPERTY = "class B:\n @property\n def p(self): return 'old'\ndef g(self): return 'new'\no = B()"
INIT = "class C:\n def __init__(self, x): self.r = 'old'\ndef init(self, x): self.r = 'new'"
LOOPS = {
    "f(1)": (PLAIN, "f(1)", "f.__code__ = g.__code__"),
    "f(x=1)": (PLAIN, "f(x=1)", "f.__code__ = g.__code__"),
    "f(*args)": (PLAIN, "f(*args)", "f.__code__ = g.__code__"),
    "f(**kwargs)": (PLAIN, "f(**kwargs)", "f.__code__ = g.__code__"),
    "C(1)": (INIT, "C(1).r", "C.__init__.__code__ = init.__code__"),
    "o.m()": (METHOD, "o.m()", "B.m.__code__ = g.__code__"),
    "o.p": (PROPERTY, "o.p", "B.p.fget.__code__ = g.__code__"),
    "f(1), f = g": (PLAIN, "f(1)", "f = g"),
    "C(1), C.__init__ = init": (INIT, "C(1).r", "C.__init__ = init"),
    "o.m(), B.m = g": (METHOD, "o.m()", "B.m = g"),
    "o.p, B.p = property(g)": (PROPERTY, "o.p", "B.p = property(g)"),
}


def main(name):
    source, expression, change = LOOPS[name]
    names = {}
    exec(f"{source}\ndef loop(n):\n for _ in range(n): result = {expression}\n return result", names)
    names["loop"](20_000)
    exec(change, names)
    print(names["loop"](1), names["loop"](20_000), names["loop"](20_000))


if __name__ == "__main__":
    main(sys.argv[1])
