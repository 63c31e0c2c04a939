"""What ext/event/queue.h and keys.h, values.h and facets.h of ext/facet/ read inside a callback: frames, ints, strs,
floats, weak references; and ext/action/bypass.c of dicts. None of it is promised by CPython.
"""

import _thread
import ctypes
import dis
import gc
import struct
import sys
import time
import weakref

import pytest
from watching import NULL, module

# --- frames ---------------------------------------------------------------------------------------------------------

STORING = """
def store(d):
    x = 1
    d['a'] = (
        x
    )
    return d
def outer(d):
    return [store(d) for _ in range(1)]
def generator(d):
    yield 0
    d['a'] = 1
class Builder:
    def __init__(self, d):
        d['a'] = 1
    def __setattr__(self, name, value):
        value['a'] = 1
def through_c(d):
    dict.setdefault(d, 'a', 1)
def global_store():
    global a
    a = 1
"""

CALLS = [
    ("store(d)", "store", 4),
    ("outer(d)", "store", 4),
    ("list(generator(d))", "generator", 12),
    ("Builder(d)", "Builder.__init__", 15),
    ("for _ in range(100): d.clear(); Builder(d)", "Builder.__init__", 15),
    ("Builder({}).x = d", "Builder.__setattr__", 17),
    ("through_c(d)", "through_c", 19),
    ("sorted([d], key=store)", "store", 4),
]


@pytest.mark.parametrize(("call", "function", "line"), CALLS, ids=[c[0] for c in CALLS])
def test_the_running_frame_in_a_callback_is_that_of_the_store(host, call, function, line):
    names = module(STORING, d={})
    host.watch(names["d"])
    with host.recording() as log:
        exec(compile(call, "<caller>", "exec"), names)
    entry = log[-1]
    assert (entry.event, entry.key) == ("ADDED", "a")
    assert (entry.code.co_filename, entry.code.co_qualname, entry.line) == ("<host>", function, line)
    assert 0 <= entry.offset < len(entry.code.co_code)
    assert entry.offset % 2 == 0


def test_the_offset_is_that_of_the_storing_instruction(host):
    names = module(STORING)
    host.watch(names)
    with host.recording() as log:
        names["global_store"]()
    (entry,) = log
    at = {instruction.offset: instruction.opname for instruction in dis.get_instructions(names["global_store"])}
    assert at[entry.offset] == "STORE_GLOBAL"
    assert [(start, stop) for start, stop, line in entry.code.co_lines() if start <= entry.offset < stop and line == 22]
    assert entry.line == 22


def test_a_thread_that_runs_no_python_code_has_no_frame_with_code(host):
    """Its bottom frame, where there is one, has something else than a code object: so ext/event/queue.h checks."""
    d = host.watch({})
    with host.recording() as log:
        _thread.start_new_thread(d.__setitem__, ("a", 1))
        deadline = time.monotonic() + 10
        while "a" not in d and time.monotonic() < deadline:
            time.sleep(0.001)
    (entry,) = log
    assert entry.short() == ("ADDED", "a", 1, NULL)
    assert type(entry.code) is not type(module.__code__)
    assert (entry.offset, entry.line) == (-1, -1)


# --- values ---------------------------------------------------------------------------------------------------------

INTS = [0, 1, -1, 255, 256, 257, -5, -6, 2**30 - 1, 2**30, -(2**30), 2**31, 2**60 - 1, 2**60, -(2**90), 2**200 + 7]


def test_an_int_is_its_sign_in_two_bits_and_its_digits(hostwatch):
    for value in [*INTS, True, False]:
        tag, digits, compact, compact_value = hostwatch.int_layout(value)
        shift = hostwatch.PyLong_SHIFT
        assert sum(digit << shift * i for i, digit in enumerate(digits[: tag >> 3])) == abs(value)
        assert tag & 3 == (1 if value == 0 else 0 if value > 0 else 2)
        # Zero has one digit's room but none that counts.
        assert tag >> 3 == (max(1, -(-abs(value).bit_length() // shift)) if value else 0)
        assert compact is (abs(value) < 2**shift)
        assert compact_value == (value if compact else None)


def test_equal_ints_have_equal_tags_and_digits_but_for_bit_2(hostwatch):
    for value in INTS:
        other = int(str(value))
        (tag, digits, *rest), (other_tag, other_digits, *other_rest) = map(hostwatch.int_layout, (value, other))
        assert (tag & ~4, digits[: tag >> 3], rest) == (other_tag & ~4, other_digits[: other_tag >> 3], other_rest)


def test_a_float_is_its_64_bits(hostwatch):
    for value in [0.0, -0.0, 1.5, float("inf"), float("nan"), 5e-324]:
        assert hostwatch.float_bits(value) == struct.unpack("Q", struct.pack("d", value))[0]


STRS = ["", "a", "name", "\xe9t\xe9", "\u03c0", "\U0001f40d", "a" * 1000, "a\0b"]


def test_a_str_is_its_length_kind_and_data(hostwatch):
    for text in STRS:
        _, _, length, kind, data = hostwatch.str_layout(text)
        widest = max(map(ord, text), default=0)
        encoding = {1: "latin-1", 2: f"utf-16-{sys.byteorder[0]}e", 4: f"utf-32-{sys.byteorder[0]}e"}
        assert length == len(text)
        assert kind == (1 if widest < 0x100 else 2 if widest < 0x10000 else 4)
        assert data == text.encode(encoding[kind])


def test_equal_strs_have_the_same_kind_however_they_were_made(hostwatch):
    wide = "a\u03c0"[:1], "\U0001f40dname"[1:], "".join(["na", "me"])
    assert [hostwatch.str_layout(text)[3] for text in wide] == [1, 1, 1]


def test_a_str_has_its_hash_in_its_field_once_it_served_as_a_key(host):
    key = "".join(["not yet ", "hashed"])
    assert host.c.str_layout(key)[0] == -1
    d = host.watch({})
    with host.recording() as log:
        d[key] = 1
    assert log[0].key is key
    assert host.c.str_layout(key)[0] == hash(key)


def test_interned_strs_are_marked_and_equal_ones_are_the_same_object(hostwatch):
    made = "".join(["interned_by_", "the_host_test"])
    assert hostwatch.str_layout(made)[1] is False
    interned = sys.intern(made)
    assert hostwatch.str_layout(interned)[1] is True
    assert sys.intern("".join(["interned_by_", "the_host_test"])) is interned
    # Names in code, keyword names and attribute names are interned.
    code = compile("def f(argument): argument.attribute = name", "<host>", "exec").co_consts
    code = next(const for const in code if hasattr(const, "co_names"))
    assert [hostwatch.str_layout(name)[1] for name in (*code.co_names, *code.co_varnames)] == [True] * 3


def test_an_attribute_store_interns_the_key_and_an_item_store_does_not(host):
    cls = type("K", (), {})
    namespace = host.watch(host.c.type_dict(cls))
    with host.recording() as log:
        setattr(cls, "".join(["dynamic", "_name"]), 1)
        host.c.set_item(namespace, "".join(["other", "_name"]), 1)
    assert [host.c.str_layout(entry.key)[1] for entry in log] == [True, False]
    host.unwatch(namespace)


def test_a_weak_reference_has_its_object_in_its_field_and_none_when_that_is_gone(hostwatch):
    obj = type("K", (), {})()
    reference = weakref.ref(obj)
    assert hostwatch.weakref_field(reference) is obj
    del obj
    assert hostwatch.weakref_field(reference) is None


# --- dicts ------------------------------------------------------------------------------------------------------------


def kind_of_keys(mapping):
    """PyDictObject.ma_keys->dk_kind."""
    keys = ctypes.c_void_p.from_address(id(mapping) + object.__basicsize__ + 16).value
    return ctypes.c_uint8.from_address(keys + ctypes.sizeof(ctypes.c_ssize_t) + 2).value


def test_the_kind_of_a_dict_s_keys_is_0_once_it_has_had_one_that_is_no_exact_str():
    class Str(str):
        pass

    class C:
        def __init__(self):
            self.x = 1

    assert [kind_of_keys(each) for each in ({}, {"a": 1}, {"a": 1, 1: 1}, {Str("a"): 1})] == [1, 1, 0, 0]
    assert kind_of_keys(C().__dict__) == 2
    was = {1: 1, "a": 1}
    del was[1]
    assert kind_of_keys(was) == 0
    cls = type("C", (), {"a": 1, Str("b"): 1})
    (names,) = (each for each in gc.get_referents(cls) if type(each) is dict and "a" in each)
    assert kind_of_keys(names) == 0
