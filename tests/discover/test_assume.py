"""assume(): all that a function reads in one assumption, that can be renewed."""

import gc
import re
import weakref

import pytest
from discovered import program, told

import depwatch
from depwatch.discovery.reads import Cause

TEXT = "RATE = 2\nOTHER = 1\nD = {'k': 1}\ndef helper(x): return x * RATE\ndef f(x): return helper(x) + D['k']"


@pytest.fixture
def names():
    return program(TEXT)


def assumed_of(names, **options):
    return depwatch.assume(names["f"], argument_types=(int,), **options)


def test_all_that_is_found_is_assumed(names):
    assumed = assumed_of(names)
    assert told(assumed.found.reads) == ["global f.helper", "global helper.RATE", "global f.D", "item dict.k"]
    assert (assumed.valid, assumed.handle.valid, assumed.handle.name) == (True, True, "<function f>")
    names["OTHER"] = 2
    assert assumed.valid and not assumed.renew()
    names["RATE"] = 3
    assert (assumed.valid, assumed.handle.valid) == (False, False)
    assert "'RATE'" in assumed.explain()


@pytest.mark.parametrize(
    "change, undone",
    [("RATE = 3", "RATE = 2"), ("D['k'] = 2", "D['k'] = 1"), ("g = helper; helper = len", "helper = g")],
)
def test_an_undone_change_needs_no_renewal(change, undone, names):
    assumed = assumed_of(names)
    handle = assumed.handle
    exec(change, names)
    assert not assumed.valid
    exec(undone, names)
    assert assumed.valid and not assumed.renew()
    assert assumed.handle is handle


def test_renewal_reads_what_is_there_now(names):
    assumed = assumed_of(names)
    before = assumed.handle
    exec("def helper(x): return x * NEW\nNEW = 5", names)
    assert (assumed.valid, assumed.renew(), assumed.valid, before.released) == (False, True, True, True)
    assert "global helper.NEW" in told(assumed.found.reads)
    names["RATE"] = 7
    assert assumed.valid
    names["NEW"] = 6
    assert not assumed.valid


def test_it_can_be_renewed_after_any_number_of_changes(names):
    assumed = assumed_of(names)
    for rate in range(100, 150):
        names["RATE"] = rate
        assert (assumed.valid, assumed.renew(), assumed.valid) == (False, True, True)
    with pytest.raises(depwatch.Unstable, match="'RATE' of module program has broken 50 times, the limit is 6"):
        assumed_of(names, unstable_after=6)


def test_a_name_that_was_absent_and_came_is_a_change():
    names = program("def f(): return NEW")
    assumed = depwatch.assume(names["f"])
    names["NEW"] = 1
    assert (assumed.valid, assumed.renew(), assumed.valid) == (False, True, True)


def test_a_closure_cell_is_compared():
    names = program(
        "def outer():\n  n = 1\n  def f(): return n\n  def put(x):\n    nonlocal n\n    n = x\n  return f, put"
    )
    f, put = names["outer"]()
    assumed = depwatch.assume(f)
    put(2)
    assert (assumed.valid, assumed.handle.valid) == (False, True)
    assert assumed.explain().endswith("<cell 'n': 1> is not what it was")
    put(1)
    assert assumed.valid
    put(2)
    assert (assumed.renew(), assumed.valid) == (True, True)


def test_the_class_of_an_instance_is_compared():
    names = program("class A: x = 1\nclass B(A): x = 2\nc = A()\ndef f(): return c.x")
    assumed = depwatch.assume(names["f"], allow=("instance",))
    names["c"].__class__ = names["B"]
    assert (assumed.valid, assumed.renew(), assumed.valid) == (False, True, True)


REFUSED = {
    "an argument of any class": ("def f(x): return -x", "class", r"\.__neg__ of a value of unknown class in line 1 of"),
    "an attribute of an instance": ("class C: pass\nc = C()\ndef f(): return c.x", "instance", r"\.x of <C object> in"),
    "an item of a list": ("L = [1]\ndef f(): return L[0]", "item", "__getitem__ of <list of 1 item>"),
    "exec": ("def f(): exec('x')", "dynamic", r"exec\(\.\.\.\)"),
    "a dict of another class": (
        "class D(dict): pass\nd = D(a=1)\ndef f(x: str): return d['a']", "item", "__getitem__ of <D object>",
    ),
    "a module with a descriptor": (
        "class M(type(__import__('sys'))):\n  @property\n  def x(self): return 1\nm = M('m')\ndef f(): return m.x",
        "refused", "module 'x' of <M object>",
    ),
}  # fmt: skip


@pytest.mark.parametrize("text, cause, named", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_watched_is_refused_by_name_unless_allowed(text, cause, named):
    function = program(text)["f"]
    with pytest.raises(depwatch.Unwatchable, match=named) as raised:
        depwatch.assume(function)
    assert cause in str(raised.value).rpartition("allow=")[2]
    assert depwatch.assume(function, allow="all").valid
    allowed = eval(str(raised.value).rpartition("allow=")[2])
    assert depwatch.assume(function, allow=allowed).valid


def test_many_things_that_cannot_be_watched_are_named_in_short():
    function = program("def f(x): return x.a, x.b, x.c, x.d, x.e, x.g, x.h")["f"]
    with pytest.raises(depwatch.Unwatchable, match=r"\.e of a value of unknown class in line 1 of f; 2 more; say the"):
        depwatch.assume(function)


@pytest.mark.parametrize("allow", ["class", ("clas",), (1,), ("all",)])
def test_what_may_go_unwatched_is_checked(allow, names):
    if allow == "class":
        assert assumed_of(names, allow=allow).valid
        return
    with pytest.raises(ValueError, match=r'allow has .*; it must be "all", or a tuple of: refused, class, instance'):
        assumed_of(names, allow=allow)


def test_the_docstring_of_opaque_names_every_cause():
    listed = re.findall(r"^ *(\w+)  +\w", depwatch.Opaque.__doc__, re.MULTILINE)
    assert sorted(listed) == sorted(Cause.__value__.__args__)


def test_the_handle_is_released_with_its_owner(names):
    assumed = assumed_of(names)
    handle, gone = assumed.handle, weakref.ref(assumed)
    assert not handle.released
    del assumed
    gc.collect()
    assert (gone(), handle.released) == (None, True)


def test_release_ends_it_until_it_is_renewed(names):
    assumed = assumed_of(names)
    assumed.release()
    assumed.release()
    assert not assumed.valid
    assert (assumed.renew(), assumed.valid) == (True, True)


def test_a_renewal_that_fails_leaves_it_not_valid(names):
    assumed = assumed_of(names)
    exec("L = [1]\ndef helper(x): return L[0]", names)
    with pytest.raises(depwatch.Unwatchable, match="list of 1 item"):
        assumed.renew()
    assert not assumed.valid
    exec("def helper(x): return x", names)
    assert (assumed.renew(), assumed.valid) == (True, True)
