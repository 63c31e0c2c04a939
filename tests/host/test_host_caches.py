"""Inline caches: where CPython keeps the class that it has seen where code uses an attribute."""

import dis
import sys

import pytest

from depwatch.compare.record import _tap
from depwatch.compare.record.sites import Finder, Site

USES = {"a method": "x.method()", "an attribute of its own": "x.value", "a store": "setattr"}


class Seen:
    def __init__(self):
        self.value = 1

    def method(self):
        return 1


def used(expression):
    names = {}
    body = "x.value = 2" if expression == "setattr" else f"return {expression}"
    exec(f"def use(x): {body}", names)
    return names["use"]


@pytest.mark.parametrize("expression", USES.values(), ids=USES)
def test_the_cache_of_warm_code_has_the_number_of_the_class(expression):
    use, seen = used(expression), Seen()
    for _ in range(200):
        use(seen)
    (site,) = (i for i in dis.get_instructions(use) if i.opname in ("LOAD_ATTR", "STORE_ATTR"))
    cache = use.__code__._co_code_adaptive[site.offset + 4 : site.offset + 8]
    assert int.from_bytes(cache, "little") == _tap.version_of(Seen) != 0
    found = list(Finder().seen(use.__code__, (Site(site.offset, site.argval, 1, False, None),), {1}, {}))
    assert [(each.cls, each.of_class, each.name) for each in found] == [(Seen, False, site.argval)]


def test_a_warm_calls_cache_has_the_number_of_the_function_or_of_the_new_class():
    names = {"Seen": Seen}
    exec("def callee(x): return x\ndef use(f): return f(1)\ndef make(): return Seen()", names)
    use, callee, make = names["use"], names["callee"], names["make"]
    for _ in range(200):
        use(callee)
        make()

    def seen(function):
        (site,) = (i for i in dis.get_instructions(function) if i.opname == "CALL")
        found = Finder().seen(function.__code__, (Site(site.offset, None, None, False, None),), set(), {})
        return [(each.function, each.cls) for each in found]

    assert seen(use) == [(callee, None)]
    assert seen(make) == ([(None, Seen)] if sys.version_info >= (3, 13) else [])  # 3.12 specialises no such call


def test_functions_that_share_a_number_are_not_told_apart():
    names = {}
    exec("def made(): return lambda x: x\ndef use(f): return f(1)", names)
    kept = [names["made"]() for _ in range(2)]
    for _ in range(200):
        names["use"](kept[0])
    (site,) = (i for i in dis.get_instructions(names["use"]) if i.opname == "CALL")
    found = list(Finder().seen(names["use"].__code__, (Site(site.offset, None, None, False, None),), set(), {}))
    numbers = {number for function, number in _tap.functions() if function in kept}
    assert (found == []) == (len(numbers) == 1)  # on 3.12 each has its own


def test_cold_code_has_seen_no_class():
    use = used("x.value")
    (site,) = (i for i in dis.get_instructions(use) if i.opname == "LOAD_ATTR")
    assert list(Finder().seen(use.__code__, (Site(site.offset, "value", 1, False, None),), {1}, {})) == []
