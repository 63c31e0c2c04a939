"""Inline caches: where CPython keeps the class that it has seen where code uses an attribute."""

import dis

import pytest

from depwatch.compare.record import _tap
from depwatch.compare.record.sites import Classes

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
    found = list(Classes().seen(use.__code__, ((site.offset, site.argval, 1, False),), {1}, {}))
    assert [(each.cls, each.of_class, each.name) for each in found] == [(Seen, False, site.argval)]


def test_cold_code_has_seen_no_class():
    use = used("x.value")
    (site,) = (i for i in dis.get_instructions(use) if i.opname == "LOAD_ATTR")
    assert list(Classes().seen(use.__code__, ((site.offset, "value", 1, False),), {1}, {})) == []
