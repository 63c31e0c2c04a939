"""Table C of facts/host-contract.md: hot loops that store into something watched.

main() prints as JSON, for each loop, how many of its stores were reported, each with its value and in their order.
"""

import json
import types

from watching import Watching, module

N = 5000
LOOPS = """
def into_global(n):
    global value
    for i in range(n): value = i
def into_attribute(n, o):
    for i in range(n): o.value = i
def into_module(n, m):
    for i in range(n): m.value = i
def into_slot_dict(n, o):
    for i in range(n): o.value = i
def into_class(n, cls):
    for i in range(n): cls.value = i
def into_dict(n, d):
    for i in range(n): d['value'] = i
"""


def with_value(obj):
    obj.value = None
    return obj


def main(hostwatch):
    host = Watching(hostwatch)
    loops = module(LOOPS, value=None)
    targets = {
        "into_attribute": with_value(type("K", (), {})()),
        "into_module": with_value(types.ModuleType("m")),
        "into_slot_dict": with_value(type("K", (), {"__slots__": "__dict__"})()),
        "into_class": type("K", (), {"value": None}),
        "into_dict": {"value": None},
    }
    dicts = {name: vars(target) for name, target in targets.items() if name not in ("into_class", "into_dict")}
    dicts |= {"into_global": loops, "into_dict": targets["into_dict"]}
    dicts["into_class"] = hostwatch.type_dict(targets["into_class"])
    seen = {}
    for name, watched in dicts.items():
        loop, arguments = loops[name], [targets[name]] if name in targets else []
        loop(20_000, *arguments)
        host.watch(watched)
        with host.recording() as log:
            loop(N, *arguments)
        host.unwatch(watched)
        stored = [entry.value for entry in log if (entry.event, entry.key) == ("MODIFIED", "value")]
        seen[name] = len(stored) if stored == list(range(N)) else f"{len(stored)} of {N}"
    print(json.dumps(seen))
