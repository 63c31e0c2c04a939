"""What runs without a name in the bytecode: methods that built-in code asks for, and what sends no event."""

import pytest
from discovered import program

import depwatch

A = "N = 1\nclass A:\n  def __init__(self, x=1): self.x = x\n  def "
EQ = "N = True\nclass A:\n  def __hash__(self): return hash('k')\n  def __eq__(self, other): return N\n"
IT = "N = 1\nclass A:\n  def __iter__(self): return self\n  def __next__(self): return N\n"
N2, OFF = "N = 2", "N = False"
CHANGES = {
    "the index of an item": (A + "__index__(self): return N\ndef f(): return (1, 2, 3)[A()]", N2),
    "the bounds of a slice": (A + "__index__(self): return N\ndef f(): return (1, 2, 3)[A():]", N2),
    "how often a str is repeated": (A + "__index__(self): return N\ndef f(): return 'a' * A()", N2),
    "an int of an index": (A + "__index__(self): return N\ndef f(): return int(A()), float(A())", N2),
    "a missing key": ("N = 1\nclass D(dict):\n  def __missing__(self, key): return N\ndef f(): return D()['k']", N2),
    "what is in a display": (EQ + "def f(): return A() in [1, 2]", OFF),
    "what is in a global dict": (EQ + "D = {'k': 1}\ndef f(): return A() in D, D.get(A())", OFF),
    "keys of a global dict": (EQ + "D = {A(): 1}\ndef f(): return D.get('k')", OFF),
    "keys of a dict display": (EQ + "def f(): return len({A(): 1, A(): 2})", OFF),
    "items of a set display": (EQ + "def f(): return len({A(), A()})", OFF),
    "items of a set comprehension": (EQ + "def f(): return len({A() for _ in (1, 2)})", OFF),
    "a stored key": (EQ + "def f():\n  d = {}\n  d[A()] = d[A()] = 1\n  return len(d)", OFF),
    "items of a global tuple that is compared": (EQ + "T = (A(),)\ndef f(): return T == (1,), 1 in T", OFF),
    "items of a global tuple that are told": (
        A + "__repr__(self): return 'a' * N\nT = (A(),)\ndef f(): return str(T)", N2,
    ),
    "values of a global dict that are told": (
        A + "__repr__(self): return 'a' * N\nD = {1: A()}\nD[2] = D\ndef f(): return str(D)", N2,
    ),
    "items that are added up": (A + "__radd__(self, other): return N\nT = (A(),)\ndef f(): return sum(T)", N2),
    "items that are sorted": (
        A + "__lt__(self, other): return self.x * N < other.x * N\nT = A(1), A(2)\ndef f(): return sorted(T)[0].x",
        "N = -1",
    ),
    "an operand of %": (A + "__str__(self): return 'a' * N\ndef f(): return '<%s>' % A()", N2),
    "a conversion to str": (A + "__str__(self): return 'a' * N\ndef f(): return f'{A()!s}'", N2),
    "an iterator that a built-in calls": (IT + "def f(): return next(zip(A()))", N2),
    "an iterator of arguments": (
        "N = 1\nclass A:\n  n = 0\n  def __iter__(self): return self\n  def __next__(self):\n    self.n += 1\n"
        "    if self.n > N: raise StopIteration\ndef g(*x): return len(x)\ndef f(): return g(*A())", N2,
    ),
    "an item that is deleted": (
        A + "__delitem__(self, key): self.x = N\ndef f():\n  a = A(0)\n  del a[0]\n  return a.x", N2,
    ),
    "an attribute that is deleted": (
        A + "__delattr__(self, key): vars(self)['x'] = N\ndef f():\n  a = A(0)\n  del a.y\n  return a.x", N2,
    ),
    "a slice that is stored": (
        A + "__setitem__(self, key, value): self.x = N\ndef f():\n  a = A(0)\n  a[1:2] = 1\n  return a.x", N2,
    ),
    "an instance check": (
        "N = True\nclass M(type):\n  def __instancecheck__(cls, x): return N\nclass C(metaclass=M): pass\n"
        "def f(): return isinstance(1, (str, C))", OFF,
    ),
    "a subclass check": (
        "N = True\nclass M(type):\n  def __subclasscheck__(cls, x): return N\nclass C(metaclass=M): pass\n"
        "def f(): return issubclass(int, C)", OFF,
    ),
    "the bases of a class in an instance check": (
        "class A: pass\nclass B: pass\nclass C(A): pass\ndef f(): return isinstance(C(), A)", "C.__bases__ = (B,)",
    ),
    "the bases of a class that is raised": (
        "class A(Exception): pass\nclass B(Exception): pass\nclass C(A): pass\ndef f():\n  try:\n    try: raise C\n"
        "    except A: return 1\n  except B: return 2", "C.__bases__ = (B,)",
    ),
    "the constructor of a class that is raised": (
        "N = 1\nclass C(Exception):\n  def __init__(self): super().__init__(N)\ndef f():\n  try: raise C\n"
        "  except C as e: return str(e)", N2,
    ),
    "the name of a class": ("class C: pass\ndef f(): return C.__name__", "C.__name__ = 'D'"),
    "the bases of a class": (
        "class A: pass\nclass B: pass\nclass C(A): pass\ndef f(): return C.__mro__[1].__name__", "C.__bases__ = (B,)",
    ),
    "keywords of a partial": (
        "import functools\ndef g(x): return x\np = functools.partial(g, x=1)\ndef f(): return p()",
        "p.keywords['x'] = 2",
    ),
    "the function of a partial": (
        "import functools\ndef g(x): return x\np = functools.partial(g, 1)\ndef f(): return p()",
        "p.__setstate__((lambda x: 2, (1,), {}, {}))",
    ),
    "the getter of a property that is no function": (
        "import functools\nN = 1\ndef g(x, self): return N\nclass C: p = property(functools.partial(g, 1))\n"
        "def f(): return C().p", N2,
    ),
    "a constructor that is decorated": (
        "import functools\nN = 1\nclass C:\n  @functools.lru_cache\n  def __init__(self): self.x = N\n"
        "def f(): return C().x", N2,
    ),
    "a generator in a context manager": (
        "import contextlib\nN = 1\n@contextlib.contextmanager\ndef g(): yield N\n"
        "def f():\n  with g() as x: return x", N2,
    ),
    "a method that is chosen by the class of its argument": (
        "import functools\nN = 1\n@functools.singledispatch\ndef g(x): pass\n@g.register\ndef _(x: int): return N\n"
        "def f(): return g(1)", N2,
    ),
    "a dict that the library gets": ("import json\nD = {}\ndef f(): return json.dumps(D)", "D['k'] = 1"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "change"), CHANGES.values(), ids=CHANGES)
def test_what_changes_the_result_of_a_call_ends_the_assumption(text, change):
    names = program(text)
    before = names["f"]()
    assumed = depwatch.assume(names["f"], allow="all")
    assert assumed.valid
    exec(change, names)
    assert (names["f"]() == before, assumed.valid) == (False, False)
    assert (assumed.renew(), assumed.valid) == (True, True)


UNKNOWN = {
    "methods that a built-in may ask for": (
        A + "__divmod__(self, other): return N\ndef f(): return divmod(A(), 1)",
        "divmod(...) of an instance of A, which it may ask for any method",
    ),
    "methods that a method of a str may ask for": (
        A + "__str__(self): return 'a' * N\ndef f(): return '{}'.format(A())",
        "a built-in method(...) of an instance of A, which it may ask for any method",
    ),
    "attributes of a class that a format names": (
        "class C: x = 1\ndef f(): return '{0.x}'.format(C)",
        "a built-in method of <class C>",
    ),
    "items of a display that a built-in calls a built-in with": (
        A + "__len__(self): return N\ndef f(): return next(map(len, [A()]))",
        "map(...) of items of unknown class",
    ),
    "items of a display that is told": (
        A + "__repr__(self): return 'a' * N\ndef f(): return str([A()])",
        ".__repr__ of a value of unknown class",
    ),
    "what the library reads of an instance": (
        "import collections\nD = collections.UserDict(k=1)\ndef f(): return D['k']",
        "what <function UserDict.__getitem__> reads of <UserDict object>",
    ),
}


@pytest.mark.parametrize(("text", "opaque"), UNKNOWN.values(), ids=UNKNOWN)
def test_what_built_in_code_may_ask_for_is_told(text, opaque):
    names = program(text)
    found = depwatch.discover(names["f"], argument_types=())
    assert "; ".join(sorted(each.text for each in found.opaque if each.kind == "world")) == opaque


def test_a_module_of_another_class_is_not_what_it_was():
    names = program("import types\nm = types.ModuleType('m')\nm.x = 1\ndef f(): return m.x")
    found = depwatch.discover(names["f"])
    names["m"].__class__ = type("M", (names["types"].ModuleType,), {"x": property(lambda self: 2)})
    assert (names["f"](), found.holds()) == (2, False)


def test_data_and_quiet_methods_are_asked_for_nothing():
    text = "class C: pass\ndef f(x):\n  l = []\n  l.append(C())\n  return '%s' % x, (1, 2)[0], x in ('a', 'b'), len(l)"
    found = depwatch.discover(program(text)["f"], argument_types=(str,))
    assert [each.text for each in found.opaque if each.kind == "world"] == []
