"""Discovery runs none of the program's code, and keeps none of its objects alive."""

import gc
import types
import weakref

import pytest
from discovered import found_in, program, told

import depwatch
from depwatch.discovery.uses import uses

NOISY = """
ran = []
def noisy(name):
    def method(*args, **keywords):
        ran.append(name)
        raise RuntimeError(name)
    return method
NAMES = ('__getattribute__', '__getattr__', '__eq__', '__hash__', '__repr__', '__str__', '__bool__', '__len__',
         '__iter__', '__next__', '__call__', '__get__', '__add__', '__getitem__', '__contains__', '__format__',
         '__instancecheck__', '__subclasscheck__', '__index__', '__class_getitem__', '__enter__', '__exit__')
class Meta(type):
    pass
class C(metaclass=Meta):
    def __init__(self, *args): self.a = 1
    @property
    def p(self): return ran.append('property')
class D:
    pass
c, d = C(), D()
class Module(__import__('types').ModuleType):
    pass
m = Module('m')
m.c = c
LIST, DICT, TUPLE = [c], {'c': c}, (c, C)
for name in NAMES:
    setattr(D, name, noisy(name))
    setattr(C, name, noisy(name)) if name not in ('__getattribute__',) else None
    setattr(Module, name, noisy(name)) if name != '__getattribute__' else None
    setattr(Meta, name, noisy(name)) if name not in ('__getattribute__', '__get__') else None
C.d = d
def helper(x, y=c): return x.z + y.z
def f(x, how=c):
    c.a; c.p; C.q; C.d; d.e; m.c.a; m.nothing; C(1).p; D().x; C[c]; c(); d(); -c + d; c[0]; d in c; f'{c}{d!r:3}'
    LIST[0].x; DICT['c'].x; DICT[x].x; TUPLE[0].x; TUPLE[x].x; len(c); str(d); iter(c); isinstance(x, C); hash(c)
    for y in c: helper(y)
    for y in TUPLE: y.x(c)
    with c as z, d: z.x
    try: pass
    except C: pass
    match x:
        case C(a=1): pass
    class E(C): pass
    c.a = d; C.a = 1; d.x = 1
    return map(helper, c), map(C, d), sorted(c, key=d), getattr(c, 'a'), getattr(C, x), [c.x for _ in d]
"""


def test_none_of_the_programs_code_runs():
    names = program(NOISY)
    found = depwatch.discover(names["f"], argument_types=(names["C"], names["D"]))
    assert found.holds() and depwatch.discover(names["f"]).holds()
    repr(found), [repr(each) for each in (*found.reads, *found.cells)], [str(why) for _, why in found.refused]
    assert names["ran"] == []
    assert "function helper.defaults" in told(found.reads)


def test_a_key_that_may_equal_any_name_is_refused_unasked():
    names = program("def f(): return N, D['k'], C.x\nD = {}\nclass C: pass")
    asked = []

    class Key:
        def __init__(self, name):
            self.hash = hash(name)

        def __hash__(self):
            return self.hash

        def __eq__(self, other):
            asked.append(other)
            return False

    names[Key("N")] = names["D"][Key("k")] = 1
    found = depwatch.discover(names["f"])
    assert [read.name for read, _ in found.refused] == ["N", "k"]
    assert asked == []


class Key:
    """Equal to no name, but asked by each look-up of its name."""

    asked: list[object] = []

    def __init__(self, name):
        self.hash = hash(name)

    def __hash__(self):
        return self.hash

    def __eq__(self, other):
        Key.asked.append(other)
        return False


ODD_CLASSES = {
    "a class": ("x", "def f(): return Odd.x", "refused"),
    "a base": ("x", "class C(Odd): pass\ndef f(): return C.x, C().x", "refused"),
    "the class of an instance": ("x", "c = Odd()\ndef f(): return c.x", "refused"),
    "an operator": ("__neg__", "c = Odd()\ndef f(): return -c", "refused"),
    "a constructor": ("__init__", "def f(): return Odd()", "refused"),
    "a metaclass": ("x", "class C(metaclass=Meta): x = 1\ndef f(): return C.x", "opaque"),
    "a metaclass of a missing name": ("__getattr__", "class C(metaclass=Meta): pass\ndef f(): return C.y", "opaque"),
    "what a class has": ("__get__", "class C: x = Odd()\ndef f(): return C.x", "opaque"),
    "what a metaclass has": (
        "__set__", "class M(type): x = Odd()\nclass C(metaclass=M): x = 1\ndef f(): return C.x", "opaque",
    ),
    "what an instance may hide": ("__set__", "class C: x = Odd()\ndef f(): return C().x", "opaque"),
    "after super": ("x", "class C(Odd):\n  def m(self): return super().x\ndef f(): return C().m()", "opaque"),
}  # fmt: skip


@pytest.mark.parametrize("key, text, told_as", ODD_CLASSES.values(), ids=ODD_CLASSES)
def test_a_key_in_a_class_that_may_equal_any_name_is_not_asked(key, text, told_as):
    names = {"__name__": "program", "Odd": type("Odd", (), {Key(key): 1}), "Meta": type("Meta", (type,), {Key(key): 1})}
    exec(text, names)
    Key.asked.clear()
    found = depwatch.discover(names["f"])
    assert found.holds()
    assert Key.asked == []
    if told_as == "refused":
        assert key in [read.name for read, _ in found.refused]
    else:
        assert "dynamic" in [each.cause for each in found.opaque if each.kind == "world"]


def test_a_key_in_globals_that_may_equal_dunder_name_is_not_asked():
    module = types.ModuleType("m")
    vars(module).clear()
    names = program("def f(): return m.x") | {"m": module}
    names = {Key("__name__"): 1, **{name: value for name, value in names.items() if name != "__name__"}}
    vars(module)[Key("__name__")] = 1
    function = types.FunctionType(names["f"].__code__.replace(co_filename=types.__file__), names)
    Key.asked.clear()
    found = depwatch.discover(function)
    assert [read.name for read in found.reads if read.kind == "module"][:2] == ["x", "__getattr__"]
    assert Key.asked == []


def test_code_is_kept_alive_by_nothing_that_was_found():
    names = program("def g(): return 1\ndef f(): return g() + len([g for g in ()])")
    code = weakref.ref(names["f"].__code__)
    value = weakref.ref(names["g"])
    found = depwatch.discover(names["f"])
    assert told(found.reads) == ["global f.g", "global f.len"]
    del found, names
    gc.collect()
    assert (code(), value()) == (None, None)


def test_what_is_known_of_code_is_kept_by_identity():
    code = program("def f(): return N")["f"].__code__
    assert uses(code) is uses(code)
    assert uses(code.replace()) is not uses(code)


def test_a_result_that_holds_is_given_again_while_somebody_keeps_it():
    names = program("N = 1\ndef f(): return N")
    found = depwatch.discover(names["f"])
    assert depwatch.discover(names["f"]) is found
    assert depwatch.discover(names["f"], follow="all") is not found
    names["N"] = 2
    assert not found.holds()
    again = depwatch.discover(names["f"])
    assert [read.value for read in again.reads if read.name == "N"] == [2]
    names["N"] = 1
    assert depwatch.discover(names["f"]) is again or found.holds()


@pytest.mark.parametrize(
    "change",
    [
        "N = 2", "del N", "g.__code__ = h.__code__", "g = h", "len = 1", "g.__defaults__ = (5,)", "C.x = 2", "B.x = 3",
        "C.__bases__ = (A,)", "math.tau = 1", "NEW = 1", "D['a'] = 2", "E['z'] = 2", "c.__class__ = B2",
        "K.m.__code__ = h.__code__", "C.__getattribute__ = 1",
    ],
)  # fmt: skip
def test_a_result_does_not_hold_when_anything_that_it_names_changed(change):
    text = (
        "import math\nN = 1\ndef g(x=1): return N\ndef h(x=1): return 1\nclass A: x = 0\nclass B(A): x = 1\n"
        "class C(B): pass\nclass B2(A): x = 1\nc = B()\nD = {'a': 1}\nE = {}\nclass K:\n  def m(self): pass\n"
        "def f(k): return g(), len, C.x, math.no, NEW, D['a'], E[k], c.x, K().m(), C().y"
    )
    names = program(text.replace("math.no", "math.tau"))
    tau = names["math"].tau
    found = depwatch.discover(names["f"])
    assert found.holds()
    try:
        exec(change, names)
        assert not found.holds()
        assert depwatch.discover(names["f"]) is not found
    finally:
        names["math"].tau = tau


def test_discovery_of_a_generated_function_needs_no_module():
    function = types.FunctionType((lambda: N).__code__, {"N": 1})  # noqa: F821
    assert told(depwatch.discover(function).reads) == ["global <lambda>.N"]
    assert found_in("f = lambda: 1").opaque == ()
