"""What no facet answers is told, and whether the arguments settle it or the state of the world."""

import pytest
from discovered import found_in, program, told

import depwatch

C = "class C:\n  x = 1\n"
OPAQUE = {
    "an attribute of any argument": ("def f(x): return x.y", "world class .y of a value of unknown class"),
    "an operator on any argument": ("def f(x): return -x", "world class .__neg__ of a value of unknown class"),
    "a call of an argument": ("def f(x): return x()", "world class call of a value of unknown class"),
    "a built-in that asks an argument": ("def f(x): return len(x)", "world class .__len__ of a value of unknown class"),
    "an attribute of a global instance": (
        "class C: __slots__ = 'y'\nc = C()\ndef f(): return c.y", "world instance .y of <C object>",
    ),
    "one that its class lacks": ("class C: pass\nc = C()\ndef f(): return c.y", "world instance .y of <C object>"),
    "one that it may have instead of the class": (
        C + "c = C()\ndef f(): return c.x", "world instance .x of <C object>",
    ),
    "one of an instance that is made there": (
        C + "def f(): return C().x", "arguments instance .x of an instance of <class C>",
    ),
    "an item of a global list": ("L = [1]\ndef f(): return L[0]", "world item __getitem__ of <list of 1 item>"),
    "all of a global list": (
        "L = [1]\ndef f():\n  for x in L: pass",
        "world item __iter__ of <list of 1 item>; world class .__next__ of a value of unknown class",
    ),
    "a method of a global list": (
        "L = [1]\ndef f(): return L.copy()", "world item .copy of <list of 1 item>",
    ),
    "an item of a dict of another class": (
        "class D(dict): __slots__ = ()\nd = D()\ndef f(): return d['k']", "world item __getitem__ of <D object>",
    ),
    "an item of a list of another class": (
        "class L(list): __slots__ = ()\nl = L()\ndef f(): return l[0]", "world item __getitem__ of <L object>",
    ),
    "the length of a set of another class": (
        "class S(set): pass\ns = S()\ndef f(): return len(s)", "world item __len__ of <S object>",
    ),
    "exec": ("def f(): exec('x')", "world dynamic exec(...)"),
    "eval": ("def f(): return eval('x')", "world dynamic eval(...)"),
    "globals()[n]": (
        "def f(): return globals()['x']",
        "world dynamic globals(...); world class .__getitem__ of a value of unknown class",
    ),
    "a name that is computed": (
        "import math\ndef f(): return getattr(math, 'p' + 'i'.lower())",
        "arguments class .lower of plain data; world dynamic getattr(...)",
    ),
    "an import of what is not loaded": (
        "def f(): import no_such_module", "world import import no_such_module, which is not loaded",
    ),
    "results that are kept": (
        "import functools\n@functools.lru_cache\ndef g(): pass\ndef f(): return g()",
        "world state results that functools.lru_cache keeps",
    ),
    "a descriptor": (
        "class D:\n  def __get__(self, *a): return 1\nclass C: x = D()\ndef f(): return C.x",
        "world dynamic .x of <class C>, by a descriptor",
    ),
    "the __getattr__ of a module": (
        "import types\nm = types.ModuleType('m')\nm.__getattr__ = lambda name: 1\ndef f(): return m.x",
        "world dynamic .x of <module m>, by its __getattr__",
    ),
    "a __getattribute__": (
        "class C:\n  def __getattribute__(self, name): return 1\nc = C()\ndef f(): return c.x",
        "world dynamic .x of <C object>",
    ),
    "the dict of a module": ("import math\ndef f(): return math.__dict__", "world dynamic .__dict__ of <module math>"),
}  # fmt: skip
SETTLED = {
    "an operator": "x + 1",
    "a comparison": "x < 2 and x == 3",
    "a condition": "1 if x else 2",
    "formatting": "f'{x!r:>{x}}'",
    "what built-in functions do": "len(str(x)) + abs(int(x)) + max(x, 1)",
    "a result of these": "-(x * 2) // 3",
    "what would use a name that is not there": "NOWHERE(x * NOWHERE + NOWHERE[x])",
}


def in_words(found):
    return "; ".join(f"{each.kind} {each.cause} {each.text}" for each in found.opaque)


@pytest.mark.parametrize("text, expected", OPAQUE.values(), ids=OPAQUE)
def test_what_no_facet_answers_is_told(text, expected):
    assert in_words(found_in(text)) == expected


@pytest.mark.parametrize("expression", SETTLED.values(), ids=SETTLED)
def test_what_is_done_with_plain_data_is_settled_by_it(expression):
    text = f"def f(x): return {expression}"
    assert in_words(found_in(text, argument_types=(int,))) == ""
    assert "world" in in_words(found_in(text))


def test_a_method_of_plain_data_is_settled_by_the_arguments():
    found = found_in("def f(x): return x.strip().upper()", argument_types=(str,))
    assert in_words(found) == "arguments class .strip of plain data; arguments class .upper of plain data"
    (strip, upper) = found.opaque
    assert (strip.code, strip.line, upper.line) == (found.function.__code__, 1, 1)


def test_super_is_followed_and_told_where_the_class_is_known():
    names = program("N = 1\nclass B:\n  def f(self): return N\nclass C(B):\n  def f(self): return super().f()\nf = C.f")
    found = depwatch.discover(names["f"], argument_types=(names["C"],))
    assert told(found.reads) == ["global f.super", "class B.f", "global f.N"]
    assert in_words(found).startswith("world super super().f")
    assert told(depwatch.discover(names["f"]).reads) == ["global f.super"]


def test_an_instance_may_hide_a_method_where_the_code_assigns_one():
    text = "class C:\n  def g(self): pass\ndef f(h):\n  c = C()\n  c.{} = h\n  return c.g()"
    assert "call of a value" not in in_words(found_in(text.format("other")))
    assert "world class call of a value of unknown class" in in_words(found_in(text.format("g")))


def test_code_below_the_depth_is_told():
    text = "def h(): pass\ndef g(): return h()\ndef f(): return g()"
    assert in_words(found_in(text, depth=2)) == "world depth h(...) lies deeper than 2 calls"
    assert in_words(found_in(text, depth=3)) == ""
    with pytest.raises(ValueError, match="depth is 0; it must be at least 1"):
        found_in(text, depth=0)
