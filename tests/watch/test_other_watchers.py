"""Living with others: extensions that take watchers too, before depwatch and after it; slots that are all taken."""

import pytest
from beside import beside_others

from host.versions import HOST
from support import python

KINDS = ("dict", "type", "function", "code")

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
        import gc
        gc.disable()  # or the end of the first round's classes may come in the second, which is watched as well
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


# --- callbacks of others that change things, or fail -----------------------------------------------------------------

BOTH_ORDERS = pytest.mark.parametrize("which", ["BEFORE", "AFTER"])


@BOTH_ORDERS
def test_changes_that_callbacks_of_others_make_nested_several_deep_break_and_heal_all_of_it(others, which):
    beside_others(
        others,
        f"""
        chain = [{{"X": 0}} for _ in range(5)]
        last = {{"X": 0}}
        defaults = [(0,), (1,)]

        class Class:
            x = 0

        def function(a=0):
            pass

        function.__defaults__ = defaults[0]
        depths = []

        def on_dict(event, changed, key, value):
            depths.append(value)
            for this, following in zip(chain, chain[1:]):
                if this is changed:
                    following["X"] = value
                    return
            Class.x = value

        def on_type(event, cls, key, value):
            function.__defaults__ = defaults[depths[-1]]

        def on_function(event, changed, key, value):
            last["X"] = value[0]

        add_others({which}, (DICT, on_dict), (TYPE, on_type), (FUNCTION, on_function))
        for each in chain:
            others.watch(DICT, {which}, each)
        others.watch(TYPE, {which}, Class)
        others.watch(FUNCTION, {which}, function)

        recorders = [depwatch.Recorder(str(i), 60000) for i in range(8)]
        for recorder, namespace in zip(recorders, [*chain, last]):
            recorder.read_global(namespace, "X")
        recorders[6].read_type_attr(Class, "x")
        recorders[7].read_function(function, "defaults")
        handles = [
            recorder.commit(
                on_invalidate=lambda handle: log.append(("invalidated", handle.name)),
                on_resume=lambda handle: log.append(("resumed", handle.name)),
            )
            for recorder in recorders
        ]
        for _ in range(20):
            chain[0]["X"] = 1
            assert [handle.broken for handle in handles] == [1] * 8
            assert (last, Class.x, function.__defaults__) == ({{"X": 1}}, 1, (1,))
            depwatch.drain()
            assert sorted(log) == [("invalidated", str(i)) for i in range(8)], log
            log.clear()
            chain[0]["X"] = 0
            assert all(handle.valid for handle in handles)
            assert (last, Class.x, function.__defaults__) == ({{"X": 0}}, 0, (0,))
            depwatch.drain()
            assert sorted(log) == [("resumed", str(i)) for i in range(8)], log
            log.clear()
        assert others.events(DICT, {which}) == 200 and len(depths) == 200
        """,
    )


@BOTH_ORDERS
def test_a_callback_of_another_that_fails_is_reported_and_depwatch_acts_all_the_same(others, which):
    beside_others(
        others,
        f"""
        class Class:
            x = 0

        def function():
            pass

        def other():
            pass

        def fail(event, changed, key, value):
            raise RuntimeError("of another")

        unraisable = []
        sys.unraisablehook = lambda problem: unraisable.append(str(problem.exc_value))
        add_others({which}, (DICT, fail), (TYPE, fail), (FUNCTION, fail))
        namespace, code = {{"X": 0}}, function.__code__
        others.watch(DICT, {which}, namespace)
        others.watch(TYPE, {which}, Class)
        others.watch(FUNCTION, {which}, function)
        recorder = depwatch.Recorder("all", 60000)
        recorder.read_global(namespace, "X")
        recorder.read_type_attr(Class, "x")
        recorder.read_function(function, "code")
        handle = recorder.commit(
            on_invalidate=lambda handle: log.append(depwatch.explain(handle)), on_resume=log.append
        )
        heard = depwatch.subscribe(lambda event: log.append((event.old, event.new)), namespace, "X")

        def told():
            depwatch.drain()
            entries, log[:] = set(log), []
            return entries

        namespace["X"] = 1
        assert handle.broken == 1 and namespace == {{"X": 1}}
        assert (0, 1) in told()
        Class.x = 1
        assert handle.broken == 2 and Class.x == 1
        function.__code__ = other.__code__
        assert handle.broken == 3 and function.__code__ is other.__code__
        assert unraisable == ["of another"] * 3, unraisable
        told()
        namespace["X"] = 0
        assert handle.broken == 2
        Class.x = 0
        assert handle.broken == 1
        others.unwatch(FUNCTION, {which}, None)
        function.__code__ = code
        assert handle.valid and handle in told()
        assert set(unraisable) == {{"of another"}}
        heard.cancel()
        """,
    )


# --- slots -----------------------------------------------------------------------------------------------------------

# Each needs a slot of the first kind; the later ones watch something else as well before they come to it.
NEEDS = {
    "dict": (
        "recorder.read_global(namespace, 'X')",
        "recorder.read_attr(sys, 'path')",
        "recorder.read_type_attr(Derived, 'x')",
        "recorder.read_function(keywords, 'kwdefaults')",
        "recorder.depend_on(namespace)",
        "recorder.depend_on(Derived)",
        "recorder.value_cell(namespace, 'X', 'i64')",
        "recorder.guard_cell(Derived, 'x')",
        "depwatch.subscribe(print, namespace, 'X')",
        "depwatch.subscribe(print, Derived)",
        "depwatch.id_of(namespace)",
    ),
    "function": (
        "recorder.read_function(keywords, 'code')",
        "recorder.read_function(keywords, 'existence')",
        "recorder.depend_on(keywords)",
        "depwatch.subscribe(print, keywords, 'defaults')",
        "depwatch.subscribe_created(print, keywords.__code__)",
        "depwatch.id_of(keywords)",
    ),
    "code": (
        "recorder.depend_on(keywords.__code__)",
        "depwatch.subscribe(print, keywords.__code__)",
        "depwatch.subscribe_created(print, keywords.__code__)",
        "depwatch.id_of(keywords.__code__)",
    ),
}


@pytest.mark.parametrize("kind", NEEDS)
def test_whatever_needs_a_slot_that_is_not_to_be_had_is_refused_and_leaves_nothing_watched(counting, kind):
    python(
        f"""
        import importlib.util, sys
        spec = importlib.util.spec_from_file_location("counting", sys.argv[1])
        counting = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(counting)
        import depwatch

        class Base:
            x = 1

        class Derived(Base):
            pass

        def keywords(*, a=1):
            pass

        namespace = {{"X": 1}}
        kind = {KINDS.index(kind)}
        needs = {NEEDS[kind]!r}
        held = counting.take_slots(kind)
        for source in needs:
            recorder = depwatch.Recorder("r")
            before = depwatch.stats()
            try:
                eval(source)
            except depwatch.Unwatchable as error:
                message = str(error)
                assert "no {kind} watcher slot is free" in message and "CPython has 8" in message, message
                assert "unload" in message and "import depwatch first" in message, message
                del error
            else:
                raise AssertionError(source + " was not refused")
            recorder.close()
            after = depwatch.stats()
            assert after["{kind}_slots"] == 0
            assert (after["objects"], after["facets"]) == (0, 0), (source, after)
        # What it could have told if it was half-watched.
        namespace["X"] = Base.x = 2
        Derived.y = 1
        keywords.__kwdefaults__["a"] = 2
        keywords.__defaults__ = (1,)
        assert depwatch.drain() == 0 and depwatch.stats()["events"] == 0
        counting.give_slots(kind)
        for source in needs:
            recorder = depwatch.Recorder("r")
            eval(source)
            assert recorder.commit().valid, source
            assert depwatch.stats()["{kind}_slots"] == 1
        # It keeps its slot when all the others are taken.
        assert counting.take_slots(kind) == held - 1
        recorder = depwatch.Recorder("r")
        eval(needs[0])
        assert recorder.commit().valid
        """,
        counting.path,
    )


def test_an_open_recorder_survives_the_lack_of_a_slot_with_what_it_has(counting):
    python(
        """
        import importlib.util, sys
        spec = importlib.util.spec_from_file_location("counting", sys.argv[1])
        counting = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(counting)
        import depwatch
        def function():
            pass
        namespace = {"X": 1}
        recorder = depwatch.Recorder("r")
        recorder.read_global(namespace, "X")
        for kind in range(4):
            counting.take_slots(kind)
        for _ in range(3):
            try:
                recorder.read_function(function, "code")
            except depwatch.Unwatchable:
                pass
            else:
                raise AssertionError("not refused")
        namespace["Y"] = 1
        handle = recorder.commit()
        namespace["X"] = 2
        assert handle.broken == 1
        handle.release()
        depwatch.drain()
        assert (depwatch.stats()["handles"], depwatch.stats()["dependencies"]) == (0, 0)
        """,
        counting.path,
    )


def test_classes_need_a_type_watcher_slot_only_where_a_static_base_s_table_cannot_be_found(counting):
    """After gc.freeze(), and only where CPython lets a class leave a static base."""
    python(
        f"""
        import gc, importlib.util, sys
        spec = importlib.util.spec_from_file_location("counting", sys.argv[1])
        counting = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(counting)
        import depwatch
        class Class:
            x = 1
        def read():
            recorder = depwatch.Recorder("r", 60000)
            recorder.read_type_attr(Class, "x")
            return recorder.commit()
        counting.take_slots(1)
        gc.freeze()
        if {HOST.class_may_leave_static_base}:
            before = depwatch.stats()
            try:
                read()
            except depwatch.Unwatchable as error:
                assert "no type watcher slot is free" in str(error), error
                del error
            else:
                raise AssertionError("not refused")
            after = depwatch.stats()
            assert (after["objects"], after["facets"]) == (before["objects"], before["facets"]), after
            Class.x = 2
            assert depwatch.drain() == 0 and depwatch.stats()["events"] == before["events"]
            Class.x = 1
            counting.give_slots(1)
        handle = read()
        assert depwatch.stats()["type_slots"] == {int(HOST.class_may_leave_static_base)}
        Class.x = 2
        assert handle.broken == 1
        """,
        counting.path,
    )
