"""The entry of compiled code: what numba's dispatcher calls, for each call from Python.

It is one small native function for all versions. It looks at the bytes that depwatch keeps current; while all of them
say that the code may run it goes on to the code, in about a nanosecond. It is right in any thread and at once, as the
bytes change inside the watcher's callback, before the change takes effect. Otherwise it calls Python, which may
compile.

It also counts the calls that are running, so that no code is freed under them; and when such a call is done it looks
again at the values that the code reads while it runs (cells): code has no way to go on with a value of another type.
"""

import ctypes
import functools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, NamedTuple

import llvmlite.binding as llvm

METH_VARARGS_KEYWORDS: Final = 0x0001 | 0x0002


class ByteCheck(NamedTuple):
    """The code may run while the byte is as expected."""

    address: int
    expected: int

    @property
    def holds(self) -> bool:
        return ctypes.c_ubyte.from_address(self.address).value == self.expected


class WordCheck(NamedTuple):
    """The code may run while the word is one of two."""

    address: int
    one: int
    other: int

    @property
    def holds(self) -> bool:
        return ctypes.c_uint64.from_address(self.address).value in (self.one, self.other)


class _Byte(ctypes.Structure):
    _fields_: ClassVar = [("address", ctypes.c_void_p), ("expected", ctypes.c_int64)]


class _Word(ctypes.Structure):
    _fields_: ClassVar = [("address", ctypes.c_void_p), ("one", ctypes.c_uint64), ("other", ctypes.c_uint64)]


class _MethodDef(ctypes.Structure):
    _fields_: ClassVar = [
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


class _Block(ctypes.Structure):
    """What the native function reads; the `self` of the built-in function that the dispatcher calls. As in SOURCE."""

    _fields_: ClassVar = [
        ("wrapper", ctypes.c_void_p),
        ("closure", ctypes.c_void_p),
        ("running", ctypes.c_int64),
        ("broken", ctypes.c_void_p),
        ("guard", ctypes.c_void_p),
        ("more", ctypes.c_ubyte),
        ("again", ctypes.c_void_p),
        ("changed", ctypes.c_void_p),
        ("bytes", ctypes.c_void_p),
        ("n_bytes", ctypes.c_int64),
        ("n_cell_bytes", ctypes.c_int64),
        ("words", ctypes.c_void_p),
        ("n_words", ctypes.c_int64),
        ("n_cell_words", ctypes.c_int64),
    ]


# The checks of cells come first in both lists: those are looked at again when the call is done.
# 16: where ctypes keeps the address of a structure's memory (tested below).
_SOURCE: Final = """
define internal i1 @holds(ptr %bytes, i64 %n_bytes, ptr %words, i64 %n_words) alwaysinline {
entry:
  %no_bytes = icmp eq i64 %n_bytes, 0
  br i1 %no_bytes, label %after_bytes, label %byte
byte:
  %i = phi i64 [0, %entry], [%i_next, %byte_good]
  %b = getelementptr {ptr, i64}, ptr %bytes, i64 %i
  %b_address = load ptr, ptr %b
  %b_expected_at = getelementptr {ptr, i64}, ptr %b, i64 0, i32 1
  %b_expected = load i64, ptr %b_expected_at
  %b_now = load i8, ptr %b_address
  %b_wide = zext i8 %b_now to i64
  %b_same = icmp eq i64 %b_wide, %b_expected
  br i1 %b_same, label %byte_good, label %broken
byte_good:
  %i_next = add i64 %i, 1
  %more_bytes = icmp ult i64 %i_next, %n_bytes
  br i1 %more_bytes, label %byte, label %after_bytes
after_bytes:
  %no_words = icmp eq i64 %n_words, 0
  br i1 %no_words, label %good, label %word
word:
  %j = phi i64 [0, %after_bytes], [%j_next, %word_good]
  %w = getelementptr {ptr, i64, i64}, ptr %words, i64 %j
  %w_address = load ptr, ptr %w
  %w_one_at = getelementptr {ptr, i64, i64}, ptr %w, i64 0, i32 1
  %w_one = load i64, ptr %w_one_at
  %w_other_at = getelementptr {ptr, i64, i64}, ptr %w, i64 0, i32 2
  %w_other = load i64, ptr %w_other_at
  %w_now = load i64, ptr %w_address
  %w_is_one = icmp eq i64 %w_now, %w_one
  %w_is_other = icmp eq i64 %w_now, %w_other
  %w_same = or i1 %w_is_one, %w_is_other
  br i1 %w_same, label %word_good, label %broken
word_good:
  %j_next = add i64 %j, 1
  %more_words = icmp ult i64 %j_next, %n_words
  br i1 %more_words, label %word, label %good
good:
  ret i1 true
broken:
  ret i1 false
}

%Block = type {ptr, ptr, i64, ptr, ptr, i8, ptr, ptr, ptr, i64, i64, ptr, i64, i64}

define internal ptr @again(ptr %block, ptr %args) noinline {
  %again_at = getelementptr %Block, ptr %block, i64 0, i32 6
  %again = load ptr, ptr %again_at
  %call_one = inttoptr i64 CALL_ONE to ptr
  %after = tail call ptr %call_one(ptr %again, ptr %args)
  ret ptr %after
}

define internal ptr @enter_checked(ptr %block, ptr %args, ptr %kws) noinline {
  %bytes_at = getelementptr %Block, ptr %block, i64 0, i32 8
  %bytes = load ptr, ptr %bytes_at
  %n_bytes_at = getelementptr %Block, ptr %block, i64 0, i32 9
  %n_bytes = load i64, ptr %n_bytes_at
  %words_at = getelementptr %Block, ptr %block, i64 0, i32 11
  %words = load ptr, ptr %words_at
  %n_words_at = getelementptr %Block, ptr %block, i64 0, i32 12
  %n_words = load i64, ptr %n_words_at
  %holds = call i1 @holds(ptr %bytes, i64 %n_bytes, ptr %words, i64 %n_words)
  br i1 %holds, label %run, label %broken, !prof !0
run:
  %running_at = getelementptr %Block, ptr %block, i64 0, i32 2
  %running = load i64, ptr %running_at
  %running_up = add i64 %running, 1
  store i64 %running_up, ptr %running_at
  %wrapper = load ptr, ptr %block
  %closure_at = getelementptr %Block, ptr %block, i64 0, i32 1
  %closure = load ptr, ptr %closure_at
  %result = call ptr %wrapper(ptr %closure, ptr %args, ptr %kws)
  %running_then = load i64, ptr %running_at
  %running_down = sub i64 %running_then, 1
  store i64 %running_down, ptr %running_at
  %failed = icmp eq ptr %result, null
  br i1 %failed, label %done, label %look_again
look_again:
  %n_cell_bytes_at = getelementptr %Block, ptr %block, i64 0, i32 10
  %n_cell_bytes = load i64, ptr %n_cell_bytes_at
  %n_cell_words_at = getelementptr %Block, ptr %block, i64 0, i32 13
  %n_cell_words = load i64, ptr %n_cell_words_at
  %still = call i1 @holds(ptr %bytes, i64 %n_cell_bytes, ptr %words, i64 %n_cell_words)
  br i1 %still, label %done, label %lost, !prof !0
done:
  ret ptr %result
lost:
  %changed_at = getelementptr %Block, ptr %block, i64 0, i32 7
  %changed = load ptr, ptr %changed_at
  %call_one = inttoptr i64 CALL_ONE to ptr
  %told = call ptr %call_one(ptr %changed, ptr %result)
  %release = inttoptr i64 RELEASE to ptr
  call void %release(ptr %result)
  ret ptr %told
broken:
  %after = tail call ptr @again(ptr %block, ptr %args)
  ret ptr %after
}

define ptr @enter(ptr %self, ptr %args, ptr %kws) {
  %at = getelementptr i8, ptr %self, i64 16
  %block = load ptr, ptr %at
  %broken_at = getelementptr %Block, ptr %block, i64 0, i32 3
  %broken_pointer = load ptr, ptr %broken_at
  %broken_byte = load i8, ptr %broken_pointer
  %guard_at = getelementptr %Block, ptr %block, i64 0, i32 4
  %guard_pointer = load ptr, ptr %guard_at
  %guard_byte = load i8, ptr %guard_pointer
  %more_at = getelementptr %Block, ptr %block, i64 0, i32 5
  %more = load i8, ptr %more_at
  %no_guard = xor i8 %guard_byte, 1
  %either = or i8 %broken_byte, %no_guard
  %any = or i8 %either, %more
  %valid = icmp eq i8 %any, 0
  br i1 %valid, label %run, label %not_so_fast, !prof !0
run:
  %running_at = getelementptr %Block, ptr %block, i64 0, i32 2
  %running = load i64, ptr %running_at
  %running_up = add i64 %running, 1
  store i64 %running_up, ptr %running_at
  %wrapper = load ptr, ptr %block
  %closure_at = getelementptr %Block, ptr %block, i64 0, i32 1
  %closure = load ptr, ptr %closure_at
  %result = call ptr %wrapper(ptr %closure, ptr %args, ptr %kws)
  %running_then = load i64, ptr %running_at
  %running_down = sub i64 %running_then, 1
  store i64 %running_down, ptr %running_at
  ret ptr %result
not_so_fast:
  %broken = icmp ne i8 %broken_byte, 0
  br i1 %broken, label %call_again, label %checked
checked:
  %checked_result = tail call ptr @enter_checked(ptr %block, ptr %args, ptr %kws)
  ret ptr %checked_result
call_again:
  %after = tail call ptr @again(ptr %block, ptr %args)
  ret ptr %after
}

!0 = !{!"branch_weights", i32 1000000, i32 1}
"""


def _address_of(name: str) -> int:
    address = ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
    assert address is not None
    return address


@functools.cache
def _native() -> tuple[int, Any]:
    """The address of the native function, and what keeps it alive: for the life of the process."""
    block = _Block()
    if ctypes.c_void_p.from_address(id(block) + 16).value != ctypes.addressof(block):
        raise ImportError("this CPython's ctypes lays its objects out in a way that depwatch does not know")
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    source = _SOURCE.replace("CALL_ONE", str(_address_of("PyObject_CallOneArg")))
    module = llvm.parse_assembly(source.replace("RELEASE", str(_address_of("Py_DecRef"))))
    machine = llvm.Target.from_default_triple().create_target_machine(opt=3)
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    passes.getModulePassManager().run(module, passes)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine.get_function_address("enter"), engine


_make_function = ctypes.pythonapi.PyCFunction_NewEx
_make_function.restype = ctypes.py_object
_make_function.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.py_object]
_function_of = ctypes.pythonapi.PyCFunction_GetFunction
_function_of.restype = ctypes.c_void_p
_function_of.argtypes = [ctypes.py_object]

NOTHING_MAY_RUN: Final = ctypes.c_ubyte(1)  # what the entry looks at while its version has no handle
ALWAYS: Final = ctypes.c_ubyte(1)  # and instead of the guard of a cell where there is none


class Entry:
    """The entry of one version. `function` takes the place of the function that numba made.

    quiet: nothing can change while the code runs, so that cells need no second look.
    again(arguments) is called when the version may not run, changed(result) when the type of a cell changed while it
    did; what they return or raise is what the caller gets.
    """

    def __init__(
        self,
        code: Any,
        cell_bytes: Sequence[ByteCheck],
        cell_words: Sequence[WordCheck],
        words: Sequence[WordCheck],
        quiet: bool,
        again: Callable[[tuple[Any, ...]], object],
        changed: Callable[[object], object],
    ) -> None:
        self._keep = (code, code.__self__, again, changed)
        self._bytes = (_Byte * len(cell_bytes))(*(_Byte(*check) for check in cell_bytes))
        simple = not cell_words and not words and (len(cell_bytes) == 0 or (quiet and len(cell_bytes) == 1))
        all_words = [*cell_words, *words]
        self._words = (_Word * len(all_words))(*(_Word(*check) for check in all_words))
        self._block = _Block(
            wrapper=_function_of(code),
            closure=id(code.__self__),
            broken=ctypes.addressof(NOTHING_MAY_RUN),
            again=id(again),
            changed=id(changed),
            bytes=ctypes.addressof(self._bytes),
            n_bytes=len(self._bytes),
            n_cell_bytes=0 if quiet else len(cell_bytes),
            words=ctypes.addressof(self._words),
            n_words=len(self._words),
            n_cell_words=0 if quiet else len(cell_words),
            # The shortest way is for the handle and at most one cell; more needs the lists.
            guard=cell_bytes[0].address if simple and cell_bytes else ctypes.addressof(ALWAYS),
            more=not simple,
        )
        self._block.owner = self  # whoever has the function has all of this
        self._name = code.__name__.encode()
        self._definition = _MethodDef(self._name, _native()[0], METH_VARARGS_KEYWORDS, b"compiled by numba")
        self.function = _make_function(ctypes.addressof(self._definition), self._block, code.__module__)

    @property
    def running(self) -> int:
        """How many calls are in the code now."""
        return int(self._block.running)

    def look_at(self, address: int | None) -> None:
        """From now on the code may run while the byte there is 0; None: not at all."""
        self._block.broken = ctypes.addressof(NOTHING_MAY_RUN) if address is None else address

    def expect(self, words: Sequence[int]) -> None:
        """What the words have to be from now on, in the order in which they were given."""
        first = len(self._words) - len(words)
        for index, word in enumerate(words):
            self._words[first + index].one = self._words[first + index].other = word

    @property
    def may_run(self) -> bool:
        """What the native function would find."""
        return (
            ctypes.c_ubyte.from_address(self._block.broken).value == 0
            and all(ByteCheck(each.address, each.expected).holds for each in self._bytes)
            and all(WordCheck(each.address, each.one, each.other).holds for each in self._words)
        )
