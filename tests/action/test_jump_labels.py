"""Jump labels: native code that is patched inside the store, and frames that leave for the slow path as they run on."""

import ctypes
import os
import platform
import signal
import sys
import threading
import time

import pytest

import depwatch
from support import NO_NUMBA, byte_at, namespace, seen_in, without_automatic_drain

if platform.machine() != "x86_64" or sys.platform != "linux":
    # Nothing to test: they rewrite x86-64 instructions. CI runs on x86-64 Linux.
    pytest.skip("jump labels are for x86-64 Linux", allow_module_level=True)
if sys.version_info >= NO_NUMBA:
    pytest.skip("llvmlite, which makes the code to patch, has no release for this CPython", allow_module_level=True)

from llvmlite import binding as llvm

NOP = bytes([0x0F, 0x1F, 0x44, 0, 0])

# sum(step() + 1 for i in range(n)); after each step the label. Once it jumps, the frame leaves with what it has, and
# deopt(i, sum, got) finishes. The section __labels has (address of the label, target) of every label.
SOURCE = r"""
module asm ".section __labels,\22aw\22,@progbits"
module asm ".globl labels_begin"
module asm "labels_begin:"
module asm ".text"
@labels_begin = external global i8

define ptr @labels() {
  ret ptr @labels_begin
}

define i64 @run(i64 %n, ptr %step, ptr %deopt) {
entry:
  br label %loop
loop:
  %i = phi i64 [0, %entry], [%i_next, %fast]
  %sum = phi i64 [0, %entry], [%sum_next, %fast]
  %got = call i64 %step(i64 %i)
  callbr void asm sideeffect "LABEL", "!i"()
    to label %fast [label %slow]
fast:
  %more = add i64 %got, 1
  %sum_next = add i64 %sum, %more
  %i_next = add i64 %i, 1
  %again = icmp ult i64 %i_next, %n
  br i1 %again, label %loop, label %done
done:
  ret i64 %sum_next
slow:
  %rest = call i64 %deopt(i64 %i, i64 %sum, i64 %got)
  ret i64 %rest
}

define i64 @spin(ptr %started) {
entry:
  store volatile i8 1, ptr %started
  br label %loop
loop:
  %i = phi i64 [0, %entry], [%i_next, %loop_on]
  callbr void asm sideeffect "LABEL", "!i"()
    to label %loop_on [label %out]
loop_on:
  %i_next = add i64 %i, 1
  br label %loop
out:
  ret i64 %i
}
""".replace(
    "LABEL",
    r".balign 8; 1: .byte 0x0f,0x1f,0x44,0,0; .pushsection __labels,\22aw\22,@progbits; .quad 1b, ${0:l}; .popsection",
)
STEP = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)
DEOPT = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)


class Code:
    """The code above, linked; a new copy for each test."""

    def __init__(self):
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        llvm.initialize_native_asmparser()
        module = llvm.parse_assembly(SOURCE)
        self.engine = llvm.create_mcjit_compiler(module, llvm.Target.from_default_triple().create_target_machine())
        self.engine.finalize_object()
        self.run = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, STEP, DEOPT)(self.address_of("run"))
        self.spin = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(self.address_of("spin"))
        table = ctypes.CFUNCTYPE(ctypes.c_void_p)(self.address_of("labels"))()
        words = (ctypes.c_uint64 * 4).from_address(table)
        self.in_run, self.in_spin = (words[0], words[1]), (words[2], words[3])

    def address_of(self, name):
        return self.engine.get_function_address(name)


@pytest.fixture
def code():
    return Code()


def bytes_at(address, n=5):
    return ctypes.string_at(address, n)


def label(globals_, place, name="RATE"):
    """A committed handle with a jump label there, and the label."""
    recorder = depwatch.Recorder("code")
    made = recorder.jump_label(*place, seen_in(globals_), name)
    return recorder.commit(), made


@without_automatic_drain
def test_the_nop_becomes_a_jump_inside_the_store_and_a_nop_again_when_it_is_undone(code):
    globals_ = namespace(RATE=5)
    address, target = code.in_run
    handle, made = label(globals_, code.in_run)
    assert (bytes_at(address), made.holds, made.value, made.address, made.target) == (NOP, True, 5, address, target)
    globals_["RATE"] = 6
    jump = bytes_at(address)
    assert jump[:1] == b"\xe9" and address + 5 + int.from_bytes(jump[1:], "little", signed=True) == target
    assert (made.holds, handle.valid) == (False, True), "the handle stays valid: it is patched"
    globals_["RATE"] = 7
    assert bytes_at(address) == jump
    globals_["RATE"] = 5
    assert (bytes_at(address), made.holds) == (NOP, True)
    del globals_["RATE"]
    assert bytes_at(address) == jump


def test_a_frame_whose_callee_changes_the_global_leaves_with_its_live_values(code):
    globals_ = namespace(RATE=1)
    _, made = label(globals_, code.in_run)
    calls, left = [], []

    def step(i):
        calls.append(i)
        if i == 3:
            globals_["RATE"] = 100
        return 10 * i

    def deopt(i, total, got):
        left.append((i, total, got))
        return total + sum(10 * j + globals_["RATE"] for j in range(i, 6))

    result = code.run(6, STEP(step), DEOPT(deopt))
    assert result == sum(10 * j + (1 if j < 3 else 100) for j in range(6)), "as Python that reads RATE after each step"
    assert (calls, left) == ([0, 1, 2, 3], [(3, 0 + 1 + 11 + 21, 30)])
    assert not made.holds
    globals_["RATE"] = 1
    assert code.run(3, STEP(lambda i: 10 * i), DEOPT(deopt)) == 1 + 11 + 21
    assert len(left) == 1


def test_code_without_the_gil_is_left_when_another_thread_changes_the_global(code):
    globals_ = namespace(RATE=1)
    label(globals_, code.in_spin)
    started = ctypes.c_uint8(0)
    done = []
    thread = threading.Thread(target=lambda: done.append(code.spin(ctypes.addressof(started))))
    thread.start()  # ctypes lets the GIL go while foreign code runs
    while not byte_at(ctypes.addressof(started)):
        time.sleep(0.001)
    assert thread.is_alive() and done == []
    globals_["RATE"] = 2
    thread.join(30)
    assert not thread.is_alive() and len(done) == 1


def test_a_generator_that_is_suspended_and_a_signal_handler_change_it_too(code):
    globals_ = namespace(RATE=1)
    label(globals_, code.in_run)
    left = []

    def change():
        yield
        globals_["RATE"] = 2
        yield

    generator = change()

    def deopt(i, total, got):
        left.append((i, total, got))
        return -1

    assert code.run(4, STEP(lambda i: next(generator, 0) or i), DEOPT(deopt)) == -1
    assert left == [(1, 1, 1)]
    globals_["RATE"] = 1

    def step(i):
        if i == 2:
            os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(0)  # where Python runs the handler
        return i

    before = signal.signal(signal.SIGUSR1, lambda *_: globals_.__setitem__("RATE", 3))
    try:
        assert code.run(4, STEP(step), DEOPT(deopt)) == -1
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert left[1:] == [(2, 1 + 2, 2)]


def test_a_destructor_changes_it_too(code):
    globals_ = namespace(RATE=1)
    label(globals_, code.in_run)
    left = []

    class Dying:
        def __del__(self):
            globals_["RATE"] = 2

    alive = [Dying()]

    def step(i):
        if i == 1:
            alive.clear()
        return i

    assert code.run(4, STEP(step), DEOPT(lambda *live: left.append(live) or -1)) == -1
    assert left == [(1, 1, 1)]


def test_many_labels_of_one_facet_are_patched_by_one_store():
    globals_ = namespace(RATE=1)
    pieces = [Code() for _ in range(20)]
    made = [label(globals_, piece.in_run) for piece in pieces]
    globals_["RATE"] = 2
    assert {bytes_at(piece.in_run[0], 1) for piece in pieces} == {b"\xe9"}
    assert {bytes_at(piece.in_spin[0]) for piece in pieces} == {NOP}, "on the same pages, of nobody's"
    globals_["RATE"] = 1
    assert {bytes_at(piece.in_run[0]) for piece in pieces} == {NOP}
    assert all(one.holds for _, one in made)


def test_a_released_label_is_patched_no_more_and_its_place_is_free_again(code):
    globals_ = namespace(RATE=1)
    handle, made = label(globals_, code.in_run)
    with pytest.raises(ValueError, match=r"there is a label at 0x\w+ already; release its handle first"):
        label(globals_, code.in_run)
    handle.release()
    depwatch.drain()
    with pytest.raises(depwatch.Released, match="the jump label of 'RATE' was released"):
        made.holds
    assert "released" in repr(made)
    globals_["RATE"] = 2
    assert bytes_at(code.in_run[0]) == NOP
    again, other = label(globals_, code.in_run)
    assert other.holds and other.value == 2
    globals_["RATE"] = 1
    assert bytes_at(code.in_run[0], 1) == b"\xe9"
    again.release()


def test_what_is_read_with_another_value_lowers_the_label_for_good(code):
    globals_ = namespace(RATE=1)
    _, made = label(globals_, code.in_run)
    globals_["RATE"] = 2
    recorder = depwatch.Recorder("other")
    assert recorder.read_global(seen_in(globals_), "RATE") == 2
    globals_["RATE"] = 1
    assert not made.holds and bytes_at(code.in_run[0], 1) == b"\xe9"


def test_a_dying_namespace_lowers_its_labels(code):
    globals_ = {"RATE": 1}
    recorder = depwatch.Recorder("code")
    made = recorder.jump_label(*code.in_run, globals_, "RATE")
    handle = recorder.commit()
    del globals_
    assert not made.holds and bytes_at(code.in_run[0], 1) == b"\xe9"
    handle.release()


def test_a_child_patches_its_own_code_only(code):
    globals_ = namespace(RATE=1)
    _, made = label(globals_, code.in_run)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            globals_["RATE"] = 2
            mine = bytes_at(code.in_run[0], 1) == b"\xe9" and not made.holds
            globals_["RATE"] = 1
            os.write(writer, b"good" if mine and bytes_at(code.in_run[0]) == NOP and made.holds else b"bad")
            globals_["RATE"] = 2
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 10) == b"good"
    os.close(reader)
    os.close(writer)
    assert (bytes_at(code.in_run[0]), made.holds) == (NOP, True), "the child left it as a jump, in its own"
    globals_["RATE"] = 3
    assert bytes_at(code.in_run[0], 1) == b"\xe9"


# --- what is refused --------------------------------------------------------------------------------------------------


def refused(address, target, told, error=ValueError):
    globals_ = namespace(RATE=1)
    recorder = depwatch.Recorder("code")
    with pytest.raises(error, match=told):
        recorder.jump_label(address, target, seen_in(globals_), "RATE")
    recorder.close()


def test_places_that_cannot_be_patched_are_refused_with_the_reason(code):
    address, target = code.in_run
    refused(address + 4, target, "crosses a multiple of 8: its 5 bytes must lie in one aligned 8-byte word")
    refused(address, target + 2**32, r"the target 0x\w+ is \d+ bytes from the label at 0x\w+; a jump reaches 2\^31")
    refused(code.address_of("run") & ~7, target, "at 0x.* are the bytes .*, not the 5-byte nop 0f 1f 44 00 00")
    data = ctypes.create_string_buffer(64)
    near = (ctypes.addressof(data) + 7) & ~7
    refused(near, near + 32, "there is no executable code at")
    library = ctypes.cast(ctypes.pythonapi.Py_IncRef, ctypes.c_void_p).value & ~7
    refused(library, library + 32, "is mapped from a file, which other processes may share", depwatch.Unwatchable)
    for wrong in ("x", 1.5, None):
        refused(wrong, target, "the address must be an int", TypeError)
    for wrong in (0, -8, 2**64):
        refused(address, wrong, "an address must be from 1")
    assert bytes_at(address) == NOP


def test_a_name_that_is_missing_is_refused_like_a_guard(code):
    recorder = depwatch.Recorder("code")
    with pytest.raises(NameError, match="'NOBODY'"):
        recorder.jump_label(*code.in_run, seen_in(namespace(X=1)), "NOBODY")
