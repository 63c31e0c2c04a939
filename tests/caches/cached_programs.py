"""Programs of which `f` is cached, and changes of what it reads: for the table of test_cache_changes.py."""

COMMON = """
import functools, types
RATE, BASE, LIMITS = 2, 1, {"low": 1, "high": 9}
class Tax:
    percent = 10
    @staticmethod
    def rounded(x): return x // Tax.percent
    @classmethod
    def of(cls, x): return x * cls.percent
class Sub(Tax): pass
cfg = types.ModuleType("cfg")
cfg.RATE = 2
def helper(x, more=1): return x * RATE + more
def other(x, more=1): return -x
def decorate(function):
    @functools.wraps(function)
    def call(*args, **kwargs): return function(*args, **kwargs)
    return call
"""

# name: (program, change, what undoes it)
CHANGES = {
    "a global": ("def f(x): return x * RATE", "RATE = 3", "RATE = 2"),
    "a global of another kind": ("def f(x): return x * RATE", "RATE = 'ab'", "RATE = 2"),
    "a global that is deleted": ("def f(x): return [x, RATE]", "del RATE", "RATE = 2"),
    "a global that comes": (
        "def f(x):\n    try: return NEW\n    except NameError: return x", "NEW = 7", "del NEW",
    ),
    "a builtin that is hidden": ("def f(x): return len(str(x))", "def len(x): return -1", "del len"),
    "an attribute of a module": ("def f(x): return x * cfg.RATE", "cfg.RATE = 5", "cfg.RATE = 2"),
    "a module": (
        "def f(x): return x * cfg.RATE", "old = cfg; cfg = types.ModuleType('other'); cfg.RATE = 8", "cfg = old",
    ),
    "an item of a dict": ("def f(x): return x * LIMITS['low']", "LIMITS['low'] = 4", "LIMITS['low'] = 1"),
    "an attribute of a class": ("def f(x): return x * Tax.percent", "Tax.percent = 20", "Tax.percent = 10"),
    "an attribute of a base": ("def f(x): return Sub.of(x)", "Tax.percent = 20", "Tax.percent = 10"),
    "an attribute that a subclass gets": ("def f(x): return Sub.of(x)", "Sub.percent = 30", "del Sub.percent"),
    "the bases of a class": (
        "class A:\n    def m(self, x): return x\nclass B:\n    def m(self, x): return -x\nclass C(A): pass\n"
        "def f(x): return C().m(x)", "C.__bases__ = (B,)", "C.__bases__ = (A,)",
    ),
    "a static method": (
        "def f(x): return Tax.rounded(x * 10)", "old = Tax.__dict__['rounded']; Tax.rounded = staticmethod(abs)",
        "Tax.rounded = old",
    ),
    "a callee": ("def f(x): return helper(x)", "old = helper; helper = other", "helper = old"),
    "a callee's code": (
        "def f(x): return helper(x)", "code = helper.__code__; helper.__code__ = other.__code__",
        "helper.__code__ = code",
    ),
    "a callee's defaults": (
        "def f(x): return helper(x)", "old = helper.__defaults__; helper.__defaults__ = (9,)",
        "helper.__defaults__ = old",
    ),
    "a callee's global": ("def f(x): return helper(x)", "RATE = 3", "RATE = 2"),
    "a decorated callee's global": (
        "@decorate\ndef g(x): return x * RATE\ndef f(x): return g(x)", "RATE = 3", "RATE = 2",
    ),
    "a cached callee's global": (
        "@cache\ndef g(x): return x * RATE\ndef f(x): return g(x) + 1", "RATE = 3", "RATE = 2",
    ),
    "a cached callee's code": (
        "@cache\ndef g(x): return x * RATE\ndef f(x): return g(x) + 1",
        "inner = getattr(g, '__wrapped__', g); code = inner.__code__; inner.__code__ = other.__code__\n"
        "inner.__defaults__ = (1,)",
        "inner.__code__ = code; inner.__defaults__ = None",
    ),
    "its own code": (
        "def f(x): return x * RATE",
        "inner = getattr(f, '__wrapped__', f); code = inner.__code__; inner.__code__ = (lambda x: x + 100).__code__",
        "inner.__code__ = code",
    ),
    "its own defaults": (
        "def f(x, y=1): return x + y",
        "inner = getattr(f, '__wrapped__', f); old = inner.__defaults__; inner.__defaults__ = (5,)",
        "inner.__defaults__ = old",
    ),
    "its own keyword defaults, in place": (
        "def f(x, *, y=1): return x + y", "getattr(f, '__wrapped__', f).__kwdefaults__['y'] = 5",
        "getattr(f, '__wrapped__', f).__kwdefaults__['y'] = 1",
    ),
    "a closure cell": (
        "def outer(factor):\n    def f(x): return x * factor\n    return f\nf = outer(2)",
        "inner = getattr(f, '__wrapped__', f).__closure__[0]; inner.cell_contents = 3", "inner.cell_contents = 2",
    ),
    "a partial's callee": ("g = functools.partial(helper, more=5)\ndef f(x): return g(x)", "RATE = 3", "RATE = 2"),
    "a recursion's global": ("def f(x): return BASE if x < 1 else f(x - 1) * 2", "BASE = 4", "BASE = 1"),
    "a nested function's global": ("def f(x): return [each * RATE for each in range(x)][-1]", "RATE = 3", "RATE = 2"),
}  # fmt: skip
NOT_KEPT = ["its own keyword defaults, in place"]  # a dict that changes in place is another one for good
