"""Inside CPython's callbacks: no Python, no allocation, no exception: in the object code, the source, at run time."""

import re
import types

import pytest

import depwatch
from objects import EXT, core_objects, relocations_of, symbols_of
from support import UNKNOWN, Counted, freeze, namespace, python, seen_in, without_automatic_drain

# What object code that runs inside a callback may refer to, and why it does no harm there.
PYTHON_SYMBOLS = {
    "PyFloat_Type": "data: an address to compare with",
    "PyLong_Type": "data",
    "PyUnicode_Type": "data",
    "PyCode_Type": "data",
    "PyCFunction_Type": "data",
    "PyDict_Type": "data",
    "PyFrozenDict_Type": "data",
    "PyBool_Type": "data",
    "_Py_TrueStruct": "data: the object True",
    "_Py_FalseStruct": "data: the object False",
    "PyBaseObject_Type": "data",
    "PyBytes_Type": "data",
    "PyComplex_Type": "data",
    "PyFrozenSet_Type": "data",
    "PyTuple_Type": "data",
    "PyType_Type": "data",
    "PyDict_Next": "reads the next item: no look-up, no comparison",
    "PyDict_Watch": "sets a bit in another dict than the one whose event it is",
    "PyDict_Unwatch": "clears a bit",
    "_Py_NoneStruct": "data",
    "Py_Version": "data",
    "_Py_RefTotal": "data: counts references on debug builds",
    "_Py_ascii_whitespace": "data",
    "PyLong_AsLongLongAndOverflow": "of an exact int: no Python, no exception, no allocation",
    "PyLong_AsUnsignedLongLongMask": "of an exact int: no Python, no exception, no allocation",
    "PyUnstable_Long_IsCompact": "reads a field",
    "PyUnstable_Long_CompactValue": "reads a field",
    "PyThreadState_Get": "reads the thread state; a callback always has one",
    "PyThreadState_GetUnchecked": "the same",
    "_PyThreadState_UncheckedGet": "the same",
    "PyUnstable_InterpreterFrame_GetCode": "a new reference to what the frame has",
    "PyUnstable_InterpreterFrame_GetLasti": "reads a field",
    "Py_AddPendingCall": "stores into a ring that was allocated at start-up; never runs it here",
    "_Py_IncRef": "takes a reference",
    "Py_IncRef": "takes a reference",
    "_Py_INCREF_IncRefTotal": "counts references on debug builds",
    "_Py_IncRefTotal_DO_NOT_USE_THIS": "counts references on debug builds",
    "_Py_DECREF_DecRefTotal": "counts references on debug builds",
    "_Py_NegativeRefcount": "ends the process on debug builds",
    "PyType_GetFlags": "reads a field",
    "PyModule_GetDict": "reads a field",
    "PyModule_Type": "data",
    "PyInterpreterState_Get": "reads the interpreter of this thread",
    "PyLazyImport_Type": "data",
    "PyType_HasFeature": "reads a field",
    "PyUnstable_IsImmortal": "reads a field",
    "PyType_SUPPORTS_WEAKREFS": "reads a field",
    "PyType_IsSubtype": "walks the MRO",
}  # fmt: skip
OTHER_SYMBOLS = {
    "clock_gettime",
    "memcmp",
    "memset",
    "memcpy",
    "memmove",
    "strcmp",
    "strncmp",
    "__assert_fail",
    "__stack_chk_fail",
    "_GLOBAL_OFFSET_TABLE_",
    "__cpu_model",  # data: what the CPU can, read when the library is loaded
    "__cpu_indicator_init",  # sets it, once
}
OTHER_FLAGS = (["-O2", "-UNDEBUG"], ["-O1"], ["-O3"])
# Of the core itself: whose address is handed on, and which no callback calls.
HANDED_ON = {"service"}  # has the pointer of service_pending, which CPython calls later
WATCHERS = ("on_dict_event", "on_type_event", "on_function_event", "on_code_event")
CALLBACKS = (*WATCHERS, "on_module_class", "on_bases", "on_audit_event")


def name_of_section(section):
    """The function or variable that a section holds: .text.unlikely.name, .data.rel.ro.name, ..."""
    return re.sub(r"^\.(text|data|bss|rodata)(\.(unlikely|hot|startup|rel|ro|local|str\d.*|cst\d+))*\.?", "", section)


def references(objects):
    """By function or variable (statics as file:name): the names that it refers to."""
    found = {}
    relocations, symbols = relocations_of(*objects), symbols_of(*objects)
    for path in objects:
        defined = symbols[path]

        def full(name, path=path, defined=defined):
            return f"{path.stem}:{name}" if defined.get(name, "U").islower() and defined.get(name) not in "wv" else name

        holder = None
        for line in relocations[path]:
            if heading := re.match(r"Relocation section '\.rela(\.\S+)'", line):
                holder = full(name_of_section(heading.group(1)))
                found.setdefault(holder, set())
            elif holder is not None and (entry := re.match(r"[0-9a-f]{12,} +[0-9a-f]+ +R_\S+ +[0-9a-f]+ +(\S+)", line)):
                name = entry.group(1)
                found[holder].add(full(name_of_section(name) if name.startswith(".") else name.split("@")[0]))
    return found


def reached(found, starts):
    """All that these refer to, through whatever is defined in the core."""
    pending, seen = list(starts), set()
    while pending:
        name = pending.pop()
        if name not in seen:
            seen.add(name)
            pending += () if name in HANDED_ON else found.get(name, ())
    return seen


@pytest.mark.parametrize(
    "flags", [["-O2"], *(pytest.param(flags, marks=pytest.mark.slow) for flags in OTHER_FLAGS)], ids=" ".join
)
def test_callbacks_reach_nothing_that_runs_python_or_allocates(flags):
    objects = core_objects(*flags).values()
    found = references(objects)
    defined = {name for of_one in symbols_of(*objects).values() for name, kind in of_one.items() if kind != "U"}
    starts = [name for name in found if name.split(":")[-1] in CALLBACKS]
    assert {name.split(":")[-1] for name in starts} == set(CALLBACKS)
    starts += [name for name in found if name.endswith(":change_bits_avx2")]  # chosen when the library is loaded
    touched = reached(found, starts)
    assert touched >= {"service", "queue", "facet_pool", "facet_becomes_unknown"}  # or nothing was read
    outside = {name for name in touched if ":" not in name and name not in defined and not name.startswith(".L")} - {""}
    assert outside - set(PYTHON_SYMBOLS) - OTHER_SYMBOLS == set()


def test_what_runs_python_at_safe_points_would_be_seen():
    """A look does all that a callback may not."""
    found = references(core_objects("-O2").values())
    assert reached(found, ["facet_look", "facet_new"]) >= {"PyDict_GetItemWithError", "PyErr_SetString", "malloc"}


def source_of(*patterns):
    texts = [path.read_text() for pattern in patterns for path in sorted(EXT.glob(pattern))]
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", "\n".join(texts), flags=re.DOTALL)
    return re.sub(r'"(\\.|[^"\\])*"', '""', text)


def test_callbacks_return_0_always():
    """Each `return` of a callback gives 0, or what another function of ours gives that always returns 0."""
    text = source_of("event/*.c", "watch/audit.c")
    functions = dict(re.findall(r"^(?:[\w ]+ )?int (\w+)\([^;{]*\)\n(\{.*?^\})", text, re.MULTILINE | re.DOTALL))
    callbacks = {name for name in functions if name.startswith("on_")}
    assert callbacks == set(CALLBACKS) - {"on_module_class", "on_bases"}  # they return nothing
    pending, seen = list(callbacks), set()
    while pending:
        name = pending.pop()
        seen.add(name)
        for value in re.findall(r"\breturn\b\s*([^;]*);", functions[name]):
            called = re.match(r"(\w+)\(", value)
            assert value == "0" or (called and called.group(1) in functions), f"{name} returns {value}"
            if called and called.group(1) not in seen:
                pending.append(called.group(1))


def test_only_those_callbacks_are_given_to_cpython_but_for_those_of_the_self_check():
    adds = re.compile(r"Py\w+_Add(?:Watcher|AuditHook)\((\S+?)[,)]")
    kinds = ("dict", "type", "function", "code")
    looking = {"on_dict", "on_function", "on_code"}
    assert set(adds.findall(source_of("watch/self_check.c"))) == looking
    given = set(adds.findall(source_of("*/*.c", "*/*.pyx", "*/*.pxi")))
    assert given - looking == {"on_audit_event", *(f"watch_callbacks->{kind}" for kind in kinds)}
    table = dict(re.findall(r"\.(\w+) = (on_\w+),", source_of("event/event.c")))
    assert {table[kind] for kind in (*kinds, "module_class", "bases")} == set(CALLBACKS) - {"on_audit_event"}


# --- at run time: what is allocated while CPython stores -------------------------------------------------------------


def test_the_counting_allocator_counts(counting):
    assert counting.allocate() == (3, 3)
    assert counting.store({str(i): i for i in range(5)}, "X", (1,))[0] > 0  # it grows


OLD, NEW, DELETE = object(), object(), ...


@pytest.fixture
def same_as_unwatched(counting):
    """Stores into a watched dict allocate as often as they do in one that nobody watches."""

    def check(watched, key, *values, times=1):
        plain = dict(watched)
        values = (*values,)
        assert counting.store(watched, key, values, times)[0] == counting.store(plain, key, values, times)[0]

    return check


@without_automatic_drain
def test_breaking_and_healing_allocate_nothing(counting, log):
    globals_ = namespace(X=OLD)
    handle = log.commit(freeze(globals_, "X"))
    with Counted() as counted:
        assert counting.store(globals_, "X", (NEW,)) == (0, 0)
        assert handle.broken == 1
        assert counting.store(globals_, "X", (OLD,)) == (0, 0)
        assert handle.broken == 0
        assert counting.store(globals_, "X", (NEW, OLD, 1, "text", OLD, NEW), 100) == (0, 0)
        assert log.drained() == [("invalidated", "frozen")]
    assert counted("breaks", "restores") == {"breaks": 202, "restores": 201}


@without_automatic_drain
def test_deleting_adding_and_clearing_allocate_no_more_than_unwatched(same_as_unwatched, counting, log):
    globals_ = namespace(X=OLD, Y=OLD)
    handle = log.commit(freeze(seen_in(globals_), "X", "Y"))
    same_as_unwatched(globals_, "X", DELETE, OLD, DELETE)
    assert handle.broken == 1
    assert counting.clear(globals_)[0] == 0
    assert handle.broken == 2
    globals_.update(X=OLD, Y=OLD)
    assert log.drained() == []
    assert handle.valid


@without_automatic_drain
def test_value_cells_and_guards_allocate_nothing(counting, log):
    globals_ = namespace(X=1, F=1.5, O=OLD)
    recorder = depwatch.Recorder("cells")
    cells = [recorder.value_cell(globals_, *each) for each in (("X", "i64"), ("F", "f64"), ("O", "object"))]
    guard = recorder.guard_cell(globals_, "X")
    log.commit(recorder)
    assert counting.store(globals_, "X", (2, 2**62, 2**70, "text", 1), 10) == (0, 0)
    assert counting.store(globals_, "F", (2.5, "text", 1, 2**70, 3.5), 10) == (0, 0)
    assert counting.store(globals_, "O", (None, "text", NEW), 10) == (0, 0)
    assert [cell.value for cell in cells] == [1, 3.5, NEW]
    assert guard.holds
    assert counting.store(globals_, "O", (DELETE,)) == counting.store({"O": NEW}, "O", (DELETE,))
    assert cells[2].value is UNKNOWN
    assert log.drained() == []


@without_automatic_drain
def test_details_are_queued_and_dropped_without_allocation(counting, log):
    globals_ = namespace(X=OLD)
    subscription = depwatch.subscribe(log.event, globals_, "X")
    whole = depwatch.subscribe(log.event, globals_)
    with Counted() as counted:
        assert counting.store(globals_, "X", (NEW, OLD), 10_000) == (0, 0)
        assert counted("details_queued", "details_dropped") == {"details_queued": 8192, "details_dropped": 31808}
    assert len(log.drained()) == 8192
    subscription.cancel()
    whole.cancel()


@without_automatic_drain
def test_ten_thousand_dependents_are_told_without_allocation(counting, log):
    globals_ = namespace(X=OLD)
    handles = [freeze(globals_, "X").commit() for _ in range(10_000)]
    assert counting.store(globals_, "X", (NEW,)) == (0, 0)
    assert sum(handle.broken for handle in handles) == 10_000
    assert counting.store(globals_, "X", (OLD,)) == (0, 0)
    assert all(handle.valid for handle in handles)
    for handle in handles:
        handle.release()


@without_automatic_drain
def test_builtins_and_whole_objects_allocate_nothing(counting, log):
    names = {"X": OLD}
    namespaces = [namespace(names) for _ in range(100)]
    handles = [log.commit(freeze(each, "X")) for each in namespaces]
    assert counting.store(names, "X", (NEW, OLD, NEW)) == (0, 0)
    assert {handle.broken for handle in handles} == {1}
    mapping = {"X": OLD}
    recorder = depwatch.Recorder("whole")
    recorder.depend_on(mapping)
    whole = log.commit(recorder)
    assert counting.store(mapping, "X", (NEW,)) == (0, 0)
    assert whole.retired
    assert sorted(log.drained()) == [("invalidated", "frozen")] * 100 + [("retired", "whole")]


@without_automatic_drain
def test_type_attributes_allocate_nothing(counting, log):
    import gc

    class Base:
        x = OLD

    class Derived(Base):
        pass

    recorder = depwatch.Recorder("attribute")
    recorder.read_type_attr(Derived, "x")
    handle = log.commit(recorder)
    (mapping,) = (each for each in gc.get_referents(Base) if type(each) is dict and "x" in each)
    somebody_has_it = [OLD]  # beside this module: CPython itself may have one while it stores, see references_of_last
    assert counting.store(mapping, "x", (NEW,)) == (0, 0)
    assert handle.broken == 1
    assert counting.store(mapping, "x", (OLD,)) == (0, 0)
    assert (handle.valid, log.drained(), somebody_has_it) == (True, [], [OLD])


@without_automatic_drain
def test_function_parts_allocate_no_more_than_unwatched(counting, log):
    def function(a=1):
        return a

    other = types.FunctionType(function.__code__, {}, "other", (1,))
    old = function.__defaults__
    recorder = depwatch.Recorder("function")
    recorder.read_function(function, "defaults", "code")
    handle = log.commit(recorder)
    values = ((2,), (3,), old)
    counted = counting.set_defaults(function, values)
    assert handle.valid
    kept = other.__defaults__
    assert counted == counting.set_defaults(other, (*values[:2], kept))
    assert counting.set_defaults(function, ((2,),))[0] == 0
    assert handle.broken == 1
    assert log.drained() == [("invalidated", "function")]


@without_automatic_drain
def test_the_life_of_functions_is_queued_and_dropped_without_allocation(counting):
    """In a process of its own, as functions of others come and go, too."""
    python("""
        import gc, types
        import counting, depwatch
        from support import without_automatic_drain

        @without_automatic_drain
        def all_of_it():
            gc.disable()
            code, globals_, told = (lambda: 1).__code__, {}, []
            functions = lambda: {i: types.FunctionType(code, globals_) for i in range(100)}

            def live(together, times):
                return (
                    counting.make_functions(code, globals_, times)[0],
                    counting.set_defaults(together[0], ((1,), (2,)) * times)[0],
                    counting.clear(together)[0],
                )

            alone = live(functions(), 100)
            assert alone[1:] == (0, 0), alone
            few, many = functions(), functions()
            depwatch.set_lifecycle_callback(lambda event, *rest: told.append(event.name))
            made = live(few, 100)
            assert made == alone, (made, alone)
            while depwatch.drain():
                pass
            counts = [told.count(each) for each in ("CREATED", "MODIFIED", "DESTROYED")]
            assert counts == [100, 200, 200], counts
            before = depwatch.stats()["details_dropped"]
            made = live(many, 10_000)
            assert made == (100 * alone[0], 0, 0), made
            # Each function dies before the next is made: the queue keeps none. It has room for 8192 of all that.
            assert depwatch.stats()["details_dropped"] - before == 2 * 10_000 + 20_000 + 100 - 8192

        all_of_it()
    """)
