"""Living with others: extensions that take watchers too, before depwatch and after it; slots that are all taken."""

import textwrap

import pytest

from support import python

KINDS = ("dict", "type", "function", "code")

# Runs in a new interpreter: `before` has its slots before depwatch takes any, `after` gets them after that.
PREPARED = """
    import importlib.util, sys
    spec = importlib.util.spec_from_file_location("others", sys.argv[1])
    others = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(others)
    DICT, TYPE, FUNCTION, CODE = range(4)
    BEFORE, AFTER = 0, 1
    NAMES = (
        ("ADDED", "MODIFIED", "DELETED", "CLONED", "CLEARED", "DEALLOCATED"),
        ("MODIFIED",),
        ("CREATE", "DESTROY", "CODE", "DEFAULTS", "KWDEFAULTS", "QUALNAME"),
        ("CREATE", "DESTROY"),
    )

    class Logging:
        # What one other watcher saw; code is told by its name.
        def __init__(self, kind, n):
            self.kind, self.n = kind, n
            self.slot = others.add(kind, n)

        def watch(self, obj):
            others.watch(self.kind, self.n, obj)

        def unwatch(self, obj):
            others.unwatch(self.kind, self.n, obj)

        def taken(self):
            named = [(NAMES[self.kind][event], key, value) for event, key, value in others.take(self.kind, self.n)]
            return [
                (name, key, getattr(value, "co_name", value)) for name, key, value in named
                if name != "QUALNAME"  # which only 3.15 reports
            ]

    def depwatch_takes_its_slots():
        import depwatch
        def function():
            pass
        recorder = depwatch.Recorder("slots")
        recorder.read_global({"X": 1}, "X")
        recorder.read_function(function, "code")
        recorder.depend_on(function.__code__)
        recorder.close()

    def freeze(namespace, *names, log=None):
        recorder = depwatch.Recorder("frozen", 60000)
        for name in names:
            recorder.read_global(namespace, name)
        if log is None:
            return recorder.commit()
        return recorder.commit(on_invalidate=lambda handle: log.append(depwatch.explain(handle).splitlines()[-1]))

    def both(kind):
        before = Logging(kind, BEFORE)
        depwatch_takes_its_slots()
        return before, Logging(kind, AFTER)

    import depwatch
"""


def beside_others(others, script):
    return python(textwrap.dedent(PREPARED) + textwrap.dedent(script), others.path)


# --- both see everything ---------------------------------------------------------------------------------------------


def test_others_see_every_event_of_a_dict_that_depwatch_watches_too_and_it_unwatches_only_for_itself(others):
    beside_others(
        others,
        """
        before, after = both(DICT)
        assert before.slot < after.slot - 1  # depwatch's is between

        def change(namespace):
            namespace["X"] = 2
            namespace["X"] = 1
            namespace["Z"] = 3
            del namespace["Z"]
            namespace.update(X=4, Y=5)
            namespace.clear()
            namespace.update({"X": 6})
            namespace["X"] = 1

        source = {"X": 6}
        in_full = [
            ("MODIFIED", "X", 2), ("MODIFIED", "X", 1), ("ADDED", "Z", 3), ("DELETED", "Z", None),
            ("MODIFIED", "X", 4), ("MODIFIED", "Y", 5), ("CLEARED", None, None), ("CLONED", source, None),
            ("MODIFIED", "X", 1),
        ]
        for depended_on in (False, True, False):
            namespace = {"X": 1, "Y": 1}
            before.watch(namespace)
            handle = freeze(namespace, "X") if depended_on else None
            after.watch(namespace)
            change(namespace)
            assert before.taken() == in_full and after.taken() == in_full
            if handle is not None:
                breaks = depwatch.stats()["breaks"]
                depwatch.drain()
                assert breaks > 0 and handle.valid and handle.broken == 0
                handle.release()
                depwatch.drain()  # the namespace is depwatch's no more
            namespace["X"] = 7
            assert before.taken() == after.taken() == [("MODIFIED", "X", 7)]

            # Nor do they unwatch it for depwatch.
            handle = freeze(namespace, "X")
            before.unwatch(namespace)
            after.unwatch(namespace)
            namespace["X"] = 8
            assert before.taken() == after.taken() == []
            assert handle.broken == 1
            handle.release()
        """,
    )


def test_others_see_every_event_of_a_type_that_depwatch_watches_too(others):
    beside_others(
        others,
        """
        before, after = both(TYPE)
        tables = Logging(DICT, BEFORE), Logging(DICT, AFTER)
        logs = []
        for depended_on in (False, True):
            class Base:
                x = 1
            class Other:
                x = 1
            class Derived(Base):
                pass
            table = depwatch._core.dict_of_type(Base)
            if depended_on:
                recorder = depwatch.Recorder("type")
                recorder.read_type_attr(Derived, "x")
                handle = recorder.commit()
            for other in (before, after):
                other.watch(Base)
                other.watch(Derived)
            for other in tables:
                other.watch(table)
            for change in (
                lambda: setattr(Base, "x", 2), lambda: setattr(Derived, "y", 1), lambda: setattr(Base, "x", 1),
                lambda: setattr(Derived, "__bases__", (Other,)), lambda: setattr(Other, "x", 3),
                lambda: setattr(Derived, "__bases__", (Base,)), lambda: delattr(Base, "x"),
            ):
                change()
                Derived.__dict__, getattr(Derived, "x", None), getattr(Base, "x", None)  # asks for a version tag anew
            if depended_on:
                assert handle.broken == 1
                handle.release()
                depwatch.drain()
            Base.x = 4
            logs.append([other.taken() for other in (before, after, *tables)])
        assert logs[0] == logs[1]
        assert logs[0][0] == logs[0][1] and logs[0][2] == logs[0][3]
        assert ("MODIFIED", None, None) in logs[0][0]
        assert logs[0][2] == [("MODIFIED", "x", 2), ("MODIFIED", "x", 1), ("DELETED", "x", None), ("ADDED", "x", 4)]
        """,
    )


def test_others_see_every_event_of_functions_and_code_objects_that_depwatch_watches_too(others):
    beside_others(
        others,
        """
        functions, codes = both(FUNCTION), [Logging(CODE, BEFORE), Logging(CODE, AFTER)]
        for depended_on in (False, True, False):
            namespace = {}
            exec("def make():\\n    def made(): pass\\n    return made\\ndef new(): pass", namespace)
            made, new = namespace["make"](), namespace["new"]
            code, other_code = made.__code__, new.__code__
            for other in functions:
                other.watch(code)
                other.watch(other_code)
            for other in codes:
                other.watch(code)
            del code
            created = []
            if depended_on:
                recorder = depwatch.Recorder("function")
                recorder.read_function(made, "code", "defaults", "kwdefaults", "existence")
                recorder.depend_on(made.__code__)
                handle = recorder.commit()
                subscription = depwatch.subscribe_created(created.append, made.__code__)
            again = namespace["make"]()
            made.__defaults__ = (1,)
            made.__kwdefaults__ = None
            made.__code__ = other_code
            assert not depended_on or handle.broken == 2, handle.broken
            del made, again
            if depended_on:
                depwatch.drain()
                assert len(created) == 1 and handle.retired
                created.clear()
                handle.release()
                subscription.cancel()
                depwatch.drain()
            namespace.clear()
            in_full = [
                ("CREATE", None, None), ("DEFAULTS", None, (1,)), ("KWDEFAULTS", None, None), ("CODE", None, "new"),
                ("DESTROY", None, None), ("DESTROY", None, None),
            ]
            for other in functions:
                assert other.taken() == in_full
                other.unwatch(None)
            for other in codes:
                assert other.taken() == [("DESTROY", None, None)]
                other.unwatch(None)
            del new, other_code
        """,
    )


@pytest.mark.parametrize("which", ["BEFORE", "AFTER"])
def test_another_extension_that_gives_its_slots_back_takes_nothing_from_depwatch(others, which):
    beside_others(
        others,
        f"""
        if {which} == BEFORE:
            seen = [Logging(kind, BEFORE) for kind in range(4)]
        depwatch_takes_its_slots()
        if {which} == AFTER:
            seen = [Logging(kind, AFTER) for kind in range(4)]

        def function():
            pass

        class Class:
            x = 1

        namespace = {{"X": 1}}
        recorder = depwatch.Recorder("all")
        recorder.read_global(namespace, "X")
        recorder.read_type_attr(Class, "x")
        recorder.read_function(function, "defaults")
        handle = recorder.commit()
        for other, obj in zip(seen, (namespace, Class, function, function.__code__)):
            other.watch(obj)
        for other, obj in zip(seen, (namespace, Class, function, function.__code__)):
            other.unwatch(obj)
            others.remove(other.kind, other.n)
        namespace["X"] = Class.x = 2
        function.__defaults__ = (1,)
        assert handle.broken == 3
        assert [other.taken() for other in seen] == [[], [], [], []]
        namespace["X"] = Class.x = 1
        function.__defaults__ = None
        assert handle.valid
        """,
    )
