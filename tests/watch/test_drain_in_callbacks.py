"""A drain inside another extension's callback: after depwatch heard of a change, and before it is made.

Python that such a callback runs (or the unraisable hook, when it fails) lets the pending drain come there. What a drain
looks up at that moment is what was there before, and no further event tells of the write.
"""

import pytest
from beside import beside_others

# What changes, and how it is undone. The names are 1 before: see READS below.
WRITES = {
    "deleted": ("del namespace['X']", "namespace['X'] = 1"),
    "added over a builtin": ("namespace['B'] = 2", "del namespace['B']"),
    "cleared": ("namespace.clear()", "namespace.update(X=1, Y=1, __builtins__=builtins)"),
    "filled by a copy": ("empty.update({'B': 3, 'Z': 3})", "empty.clear()"),
    "deleted from a class": ("del Base.x", "Base.x = 1"),
    "added over a base's": ("Derived.x = 2", "del Derived.x"),
    "deleted, then stored": ("del namespace['X']", "namespace['X'] = 2", "namespace['X'] = 1"),
    "deleted, put back, stored": ("del namespace['X']", "namespace['X'] = 1", "namespace['X'] = 2"),
    "stored": ("namespace['X'] = 2", "namespace['X'] = 1", "Base.x = 2", "Base.x = 1"),
}
CALLBACKS = ["pass", "depwatch.drain()", "raise RuntimeError('of another')"]


@pytest.mark.parametrize("which", ["BEFORE", "AFTER"])
@pytest.mark.parametrize("callback", CALLBACKS)
def test_a_drain_before_the_write_does_not_take_the_old_value_for_the_new_one(others, callback, which):
    printed = beside_others(
        others,
        f"""
        called = []

        def callback(event, changed, key, value):
            called.append(event)
            {callback}

        sys.unraisablehook = lambda problem: called.append(str(problem.exc_value))
        add_others({which}, (DICT, callback))

        def stale(writes):
            class Base:
                x = 1

            class Derived(Base):
                pass

            builtins, empty = {{"B": 1, "Z": 1}}, {{"__builtins__": vars(__import__("builtins"))}}
            namespace = {{"X": 1, "Y": 1, "__builtins__": builtins}}
            READS = {{
                "X": lambda: namespace.get("X"), "B": lambda: namespace.get("B", 1),
                "Z": lambda: empty.get("Z", 1), "x": lambda: getattr(Derived, "x", None),
            }}
            recorders = {{name: depwatch.Recorder(name, 60000) for name in READS}}
            recorders["X"].read_global(namespace, "X")
            recorders["B"].read_global(namespace, "B")
            vars(__import__("builtins"))["Z"] = 1
            recorders["Z"].read_global(empty, "Z")
            recorders["x"].read_type_attr(Derived, "x")
            handles = {{name: recorder.commit() for name, recorder in recorders.items()}}
            classes = (depwatch._core.dict_of_type(each) for each in (Base, Derived))
            watched = [namespace, empty, *classes]
            for each in watched:
                others.watch(DICT, {which}, each)
            found = []
            for source in writes:
                exec(source, locals())
                for when in (source, "a drain after " + source):
                    found += [
                        f"after {{when}}, {{name}} is {{READS[name]()}}, and what was compiled with 1 may run"
                        for name, handle in handles.items() if handle.valid and READS[name]() != 1
                    ]
                    depwatch.drain()
            for each in watched:
                others.unwatch(DICT, {which}, each)
            for handle in handles.values():
                handle.release()
            return found

        for name, writes in {WRITES!r}.items():
            called.clear()
            print(*stale(writes), sep="\\n")
            assert len(called) >= len(writes), name
        """,
    )
    assert printed.split("\n") == [""] * (len(WRITES) + 1)
