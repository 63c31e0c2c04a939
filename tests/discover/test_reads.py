"""Which look-ups are found in code, and which functions are gone into."""

import pytest
from discovered import codes, found_in, program, told

import depwatch

MADE = "class C.__new__, class C.__init__"
NAMES = {
    "a global": ("N = 1\ndef f(): return N", "global f.N"),
    "a builtin": ("def f(): return len", "global f.len"),
    "a name that is not there": ("def f(): return NOWHERE", "global f.NOWHERE MISSING"),
    "an attribute of a module": ("import math\ndef f(): return math.pi", "global f.math, module math.pi"),
    "a module in a module": (
        "import os\ndef f(): return os.path.sep", "global f.os, module os.path, module posixpath.sep",
    ),
    "an attribute that a module lacks": (
        "import math\ndef f(): return math.no",
        "global f.math, module math.no MISSING, module math.__getattr__ MISSING",
    ),
    "a constant name of getattr": (
        "import math\ndef f(): return getattr(math, 'pi')", "global f.getattr, global f.math, module math.pi",
    ),
    "an attribute of a class": ("class C: x = 1\ndef f(): return C.x", "global f.C, class C.x"),
    "one that it inherits": ("class B: x = 1\nclass C(B): pass\ndef f(): return C.x", "global f.C, class C.x"),
    "one of a class in a class": (
        "class C:\n  class D: x = 1\ndef f(): return C.D.x", "global f.C, class C.D, class D.x",
    ),
    "one of a class in a module": (
        "import fractions\ndef f(): return fractions.Fraction.numerator",
        "global f.fractions, module fractions.Fraction, class ABCMeta.__getattribute__, "
        "class ABCMeta.numerator MISSING, class Fraction.numerator",
    ),
    "a member of an enum": (
        "import enum\nclass E(enum.Enum): A = 1\ndef f(): return E.A",
        "global f.E, class EnumType.__getattribute__, class EnumType.A MISSING, class E.A",
    ),
    "a key of a dict": ("D = {'a': 1}\ndef f(): return D['a']", "global f.D, item dict.a"),
    "a key that it lacks": ("D = {}\ndef f(): return D['a']", "global f.D, item dict.a MISSING"),
    "another use of a dict": ("D = {'a': 1}\ndef f(): return D.get('a')", "global f.D, whole dict."),
    "a key of a dict that is an argument": ("D = {'a': 1}\ndef f(k): return D[k]", "global f.D, whole dict."),
    "an import": (
        "def f():\n  import math\n  return math.pi", "item dict.__import__, item sys.modules.math, module math.pi",
    ),
    "an import of a name": (
        "def f():\n  from os.path import sep\n  return sep",
        "item dict.__import__, item sys.modules.os.path, module posixpath.sep",
    ),
    "an import of what is not loaded": (
        "def f(): import no_such_module", "item dict.__import__, item sys.modules.no_such_module MISSING",
    ),
    "an exception that is caught": (
        "class E(Exception): pass\ndef f(x):\n  try: x()\n  except E: return N", "global f.E, global f.N MISSING",
    ),
    "a class statement": (
        "N = 1\nclass C: pass\ndef f():\n  class D(C): x = N",
        "item dict.__build_class__, global f.C, class C.__init_subclass__, class C.__new__, class C.__init__, "
        "global f.__name__, global f.N",
    ),
    "a pattern": (
        "class P: __match_args__ = 'x',\ndef f(p):\n  match p:\n    case P(1): pass",
        "global f.P, class P.__match_args__",
    ),
    "a list comprehension": ("N = 1\ndef f(xs): return [N for x in xs]", "global f.N"),
    "a dict comprehension": ("N = 1\ndef f(xs): return {N: 1 for x in xs}", "global f.N"),
    "a generator expression": ("N = 1\ndef f(xs): return (N for x in xs)", "global f.N"),
    "a nested function": ("N = 1\ndef f():\n  def g(): return N\n  return g()", "global f.N"),
    "a lambda": ("N = 1\ndef f(): return lambda: N", "global f.N"),
    "a lambda in a comprehension": ("N = 1\ndef f(xs): return [lambda: N for x in xs]", "global f.N"),
    "a coroutine": ("N = 1\nasync def f(x):\n  async with x: return await N", "global f.N"),
}  # fmt: skip
G = "N = 1\ndef g(*x): return N\n"
METHOD = "N = 1\nclass C:\n  def g(self, *x): return N\n"
FOLLOWED = {
    "a callee": (G + "def f(): return g()", "f g", "global f.g, global g.N"),
    "one that is passed on": (G + "def f(xs): return map(g, xs)", "f g", "global f.map, global f.g, global g.N"),
    "one that is passed by keyword": (
        G + "def f(): return sorted((), key=g)", "f g", "global f.sorted, global f.g, global g.N",
    ),
    "one that is put into a list": (G + "def f(): return [g]", "f g", "global f.g, global g.N"),
    "one that a function calls that is called": (
        G + "def call(h): return h()\ndef f(): return call(g)", "f call g", "global f.call, global f.g, global g.N",
    ),
    "one that is returned by what is called": (
        G + "def give(): return g\ndef f(): return give()()", "f give g", "global f.give, global give.g, global g.N",
    ),
    "one in a variable": (G + "def f():\n  h = g\n  return h()", "f g", "global f.g, global g.N"),
    "one of two": (
        G + "def h(): return M\nM = 2\ndef f(x): return (g if x else h)()", "f g h",
        "global f.g, global f.h, global g.N, global h.M",
    ),
    "one in a tuple": (G + "T = (g,)\ndef f():\n  for h in T: h()", "f g", "global f.T, global g.N"),
    "one in a dict": (G + "D = {1: g}\ndef f(k): return D[k]()", "f g", "global f.D, whole dict., global g.N"),
    "a default value": (G + "def f(how=g): return how()", "f g", "function f.defaults, global g.N"),
    "a default of a keyword": (
        G + "def f(*, how=g): return how()", "f g", "function f.kwdefaults, item dict.how, global g.N",
    ),
    "a default of a nested function": (G + "def f():\n  def h(how=g): return how()", "f g", "global f.g, global g.N"),
    "one that it closes over": (
        G + "def make(h):\n  def f(): return h()\n  return f\nf = make(g)", "f g", "global g.N",
    ),
    "the function in a decorator": (
        "N = 1\ndef deco(fn):\n  def wrap(): return fn()\n  wrap.__wrapped__ = None\n  return wrap\n"
        "@deco\ndef f(): return N", "wrap f", "global f.N",
    ),
    "a functools.lru_cache": (
        "import functools\n" + G + "h = functools.lru_cache(g)\ndef f(): return h()", "f g", "global f.h, global g.N",
    ),
    "a functools.partial": (
        "import functools\n" + G + "h = functools.partial(g, 1)\ndef f(): return h()", "f g",
        "global f.h, whole dict., global g.N",
    ),
    "a partial of a function that calls its argument": (
        "import functools\n" + G + "def call(h): return h()\nh = functools.partial(call, g)\ndef f(): return h()",
        "f call g", "global f.h, whole dict., global g.N",
    ),
    "a bound method": (METHOD + "m = C().g\ndef f(): return m()", "f g", "global f.m, global g.N"),
    "a static method": (
        "N = 1\nclass C:\n  @staticmethod\n  def g(): return N\ndef f(): return C.g()", "f g",
        "global f.C, class C.g, global g.N",
    ),
    "a class method, and what it asks of the class": (
        "class C:\n  x = 1\n  @classmethod\n  def g(cls): return cls.x\ndef f(): return C.g()", "f g",
        "global f.C, class C.g, class C.x",
    ),
    "a constructor": (
        "N = 1\nM = 2\nclass C:\n  def __new__(cls): return M\n  def __init__(self): N\ndef f(): return C()",
        "f __new__ __init__", "global f.C, class C.__new__, global __new__.M, class C.__init__, global __init__.N",
    ),
    "a constructor that is passed on": (
        "N = 1\nclass C:\n  def __init__(self, x): N\ndef f(xs): return map(C, xs)", "f __init__",
        "global f.map, global f.C, class C.__new__, class C.__init__, global __init__.N",
    ),
    "a method of what is constructed": (
        METHOD + "def f(x): return C(x).g()", "f g",
        f"global f.C, {MADE}, class C.__getattribute__, class C.g, global g.N",
    ),
    "a method through a variable": (
        METHOD + "def f(x):\n  c = C(x)\n  return c.g()", "f g",
        f"global f.C, {MADE}, class C.__getattribute__, class C.g, global g.N",
    ),
    "a property": (
        "N = 1\nclass C:\n  @property\n  def g(self): return N\ndef f(): return C().g", "f g",
        f"global f.C, {MADE}, class C.__getattribute__, class C.g, global g.N",
    ),
    "an operator": (
        "N = 1\nclass C:\n  def __add__(self, other): return N\ndef f(): return C() + 1", "f __add__",
        f"global f.C, {MADE}, class C.__add__, global __add__.N",
    ),
    "an operator of the right operand": (
        "N = 1\nclass C:\n  def __radd__(self, other): return N\ndef f(): return 1 + C()", "f __radd__",
        f"global f.C, {MADE}, class C.__radd__, global __radd__.N",
    ),
    "a comparison": (
        "N = 1\nclass C:\n  def __lt__(self, other): return N\ndef f(): return C() < 1", "f __lt__",
        f"global f.C, {MADE}, class C.__lt__, global __lt__.N",
    ),
    "an iteration": (
        "N = 1\nclass C:\n  def __iter__(self): return self\n  def __next__(self): return N\n"
        "def f():\n  for x in C(): pass", "f __iter__ __next__",
        f"global f.C, {MADE}, class C.__iter__, class C.__next__, global __next__.N",
    ),
    "a condition": (
        "N = 1\nclass C:\n  def __bool__(self): return N\ndef f():\n  if C(): pass", "f __bool__",
        f"global f.C, {MADE}, class C.__bool__, global __bool__.N",
    ),
    "what len() asks": (
        "N = 1\nclass C:\n  def __len__(self): return N\ndef f(): return len(C())", "f __len__",
        f"global f.len, global f.C, {MADE}, class C.__len__, global __len__.N",
    ),
    "an instance that is called": (
        "N = 1\nclass C:\n  def __call__(self): return N\nc = C()\ndef f(): return c()", "f __call__",
        "global f.c, class C.__call__, global __call__.N",
    ),
    "itself": ("N = 1\ndef f(n): return f(N)", "f", "global f.f, global f.N"),
}  # fmt: skip
# super().g and what `self` is asked, where its class is given
OF_SELF = {
    "an attribute of the class": ("class C:\n  k = 1\n  def f(self): return self.k\nf = C.f", "class C.k"),
    "a method": (
        "N = 1\nclass C:\n  def g(self): return N\n  def f(self): return self.g()\nf = C.f",
        "class C.g, global g.N",
    ),
}


@pytest.mark.parametrize("text, expected", NAMES.values(), ids=NAMES)
def test_each_look_up_is_a_read(text, expected):
    found = found_in(text)
    assert (", ".join(told(found.reads)), codes(found.reads)) == (expected, ["f"])
    assert (found.cells, found.refused, found.leaves) == ((), (), ())
    assert found.holds()


@pytest.mark.parametrize("text, functions, expected", FOLLOWED.values(), ids=FOLLOWED)
def test_what_runs_is_followed(text, functions, expected):
    found = found_in(text)
    assert sorted(codes(found.reads)) == sorted(functions.split())
    assert sorted(told(found.reads)) == sorted(expected.split(", "))
    assert (found.refused, found.leaves) == ((), ())
    assert found.holds()


@pytest.mark.parametrize("text, expected", OF_SELF.values(), ids=OF_SELF)
def test_self_is_followed_where_its_class_is_given(text, expected):
    names = program(text)
    assert told(depwatch.discover(names["f"]).reads) == []
    found = depwatch.discover(names["f"], argument_types=(names["C"],))
    assert ", ".join(told(found.reads)) == f"class C.__getattribute__, {expected}"


def test_a_read_says_what_it_found_and_who_reads_it():
    names = program("import math\n\ndef g():\n  return math.pi\ndef f(): return g()")
    reads = {read.name: read for read in depwatch.discover(names["f"]).reads if read.kind != "function"}
    pi, module, g = reads["pi"], reads["math"], reads["g"]
    assert (pi.kind, pi.owner, pi.value, pi.via) == ("module", names["math"], names["math"].pi, module)
    assert (pi.code, pi.line) == (names["g"].__code__, 4)
    assert (module.owner, module.via.owner, module.via.via) == (names["g"], names["g"], g)
    assert (g.code, g.line, g.via.owner) == (names["f"].__code__, 5, names["f"])


def test_only_the_lines_that_ran_count_where_they_are_given():
    text = "A = B = 1\ndef f(x):\n  if x:\n    return A\n  return B"
    assert told(found_in(text).reads) == ["global f.A", "global f.B"]
    assert told(found_in(text, lines=[3, 5]).reads) == ["global f.B"]


def test_a_closure_cell_is_told_with_its_contents():
    found = found_in("def make(n):\n  def f(): return n\n  return f\nf = make(7)")
    (cell,) = found.cells
    assert (cell.name, cell.value, cell.cell is found.function.__closure__[0]) == ("n", 7, True)
    cell.cell.cell_contents = 8
    assert not found.holds()
    del cell.cell.cell_contents
    assert depwatch.discover(found.function).cells[0].value is depwatch.MISSING


def test_what_cannot_be_watched_is_refused_with_the_reason():
    class Names(dict):
        pass

    names = Names(N=1)
    exec("def f(): return N", names)
    found = depwatch.discover(names["f"])
    ((read, reason),) = found.refused
    assert (read.kind, read.name, type(reason)) == ("global", "N", depwatch.Unwatchable)
    assert "use an exact dict for globals" in str(reason)


def test_methods_and_wrappers_may_be_what_is_asked_about():
    text = "import functools\nN = 1\nclass C:\n  def g(self, *x): return N\nc = C()\nf = "
    for made in ("c.g", "functools.lru_cache(c.g)", "functools.lru_cache(C.g)"):
        assert told(found_in(text + made).reads) == ["global g.N"]
    assert told(found_in(text + "functools.partial(c.g, 1)").reads) == ["whole dict.", "global g.N"]


@pytest.mark.parametrize("wrong", [len, int, 1, None])
def test_what_has_no_python_code_is_refused(wrong):
    with pytest.raises(TypeError, match="is no Python function"):
        depwatch.discover(wrong)
    assert depwatch.stats()["handles"] == 0
