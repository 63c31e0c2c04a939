"""Hot loops that drop values, for test_host_references.py: prints as JSON how many references these had."""

import collections
import json
import types

from watching import Watching, module


class Value:
    pass


LOOPS = """
def into_global(n):
    global value
    for i in range(n): value = V()
def into_local(n):
    global value
    for i in range(n):
        made = V()
        value = made
        made = None
def into_deleted(n):
    global value
    for i in range(n):
        value = V()
        del value
def into_attribute(n, o):
    for i in range(n): o.value = V()
into_module = into_attribute
def into_class(n, o):
    for i in range(n): o.value = V()
def into_dict(n, d):
    for i in range(n): d['value'] = V()
def into_defaults(n, f):
    for i in range(n): f.__defaults__ = (V(),)
"""


class Holder:
    pass


def main(hostwatch):
    host = Watching(hostwatch)
    hostwatch.set_probe("value")
    loops = module(LOOPS, V=Value, value=None)
    holder, owner, of_module = Holder(), type("Owner", (), {"value": None}), types.ModuleType("m")
    holder.value = of_module.value = None
    function = module("def f(a=1): pass")["f"]
    targets = {
        "global": ((), loops), "local": ((), loops), "deleted": ((), loops),
        "attribute": ((holder,), vars(holder)), "module": ((of_module,), vars(of_module)),
        "class": ((owner,), hostwatch.type_dict(owner)), "defaults": ((function,), None),
    }  # fmt: skip
    plain = {"value": None}
    targets["dict"] = ((plain,), plain)
    told = {}
    for name, (arguments, watched) in sorted(targets.items()):
        loop = loops[f"into_{name}"]
        if watched is not None:
            watched.setdefault("value", None)
        loop(20_000, *arguments)
        if watched is not None:
            host.watch(watched)
        counts = collections.Counter()
        for _ in range(3000):  # one at a time: the log keeps what it is told
            with host.recording("DF") as log:
                loop(1, *arguments)
            counts.update(entry.references for entry in log if entry.event not in ("ADDED", "CREATE", "DESTROY"))
            log.clear()
        if watched is not None:
            host.unwatch(watched)
        told[name] = counts
    print(json.dumps(told))
