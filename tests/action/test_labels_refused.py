"""Jump labels: a place that is refused is left as it was, with no mapping and no page of depwatch's behind."""

import ctypes
import mmap
import platform
import resource
import sys
from pathlib import Path

import pytest

import depwatch
from support import namespace, python, seen_in

if platform.machine() != "x86_64" or sys.platform != "linux":
    # Nothing to test: they rewrite x86-64 instructions. CI runs on x86-64 Linux.
    pytest.skip("jump labels are for x86-64 Linux", allow_module_level=True)

NOP, RET = bytes([0x0F, 0x1F, 0x44, 0, 0]), b"\xc3"
PAGE = 4096


class Code:
    """Pages of anonymous memory with code that nobody runs: a nop at 0 and 64 of each, else returns."""

    def __init__(self, pages=1, protection=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC):
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        self.memory = mmap.mmap(-1, PAGE * pages, flags, mmap.PROT_READ | mmap.PROT_WRITE)
        self.memory[:] = (NOP.ljust(64, RET) * 2).ljust(PAGE, RET) * pages
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(self.address), PAGE * pages, protection) == 0


def mappings(code):
    """The lines of the code, and those of depwatch: addresses, permissions and inode."""
    lines = [line.split() for line in Path("/proc/self/maps").read_text().splitlines()]
    end = code.address + len(code.memory)
    return [
        (line[0], line[1], line[4])
        for line in lines
        if line[-2:] == ["labels", "(deleted)"] or code.address <= int(line[0].split("-")[0], 16) < end
    ]


def place(address, target=None):
    recorder = depwatch.Recorder("code")
    try:
        return recorder.jump_label(
            address, address + 128 if target is None else target, seen_in(namespace(RATE=1)), "RATE"
        )
    finally:
        recorder.close()


REFUSED = {
    "no nop": (lambda code: (code.address + 8, None), ValueError, "not the 5-byte nop"),
    "no nop, in the second page": (lambda code: (code.address + PAGE + 8, None), ValueError, "not the 5-byte nop"),
    "not in one word": (lambda code: (code.address + 5, None), ValueError, "crosses a multiple of 8"),
    "a target out of reach": (lambda code: (code.address, code.address + 2**40), ValueError, "a jump reaches"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_refused_place_leaves_no_mapping(why):
    where, error, told = REFUSED[why]
    code = Code(pages=2)
    before, contents = mappings(code), bytes(code.memory)
    for _ in range(20):
        with pytest.raises(error, match=told):
            place(*where(code))
    assert (mappings(code), bytes(code.memory)) == (before, contents)


def test_what_cannot_be_executed_leaves_no_mapping():
    code = Code(protection=mmap.PROT_READ)
    before = mappings(code)
    with pytest.raises(ValueError, match="there is no executable code"):
        place(code.address)
    assert mappings(code) == before


def test_pages_that_were_refused_take_the_next_label_like_new_ones():
    code = Code(pages=40)
    before = mappings(code)
    for i in range(40):
        with pytest.raises(ValueError, match="not the 5-byte nop"):
            place(code.address + i * PAGE + 8)
    assert mappings(code) == before
    globals_ = namespace(RATE=1)
    recorder = depwatch.Recorder("code")
    label = recorder.jump_label(code.address, code.address + 128, seen_in(globals_), "RATE")
    handle = recorder.commit()
    assert label.holds
    globals_["RATE"] = 2
    assert not label.holds and ctypes.string_at(code.address, 1) == b"\xe9"
    for taken in (code.address, code.address + 8):  # in a page that has labels
        between = mappings(code)
        with pytest.raises(ValueError, match=r"there is a label at|not the 5-byte nop"):
            place(taken)
        assert mappings(code) == between
    globals_["RATE"] = 1
    assert ctypes.string_at(code.address, 5) == NOP
    handle.release()
    depwatch.drain()


def test_a_system_that_maps_no_page_twice_leaves_it_as_it_was():
    """Where no file may have the size of a page."""
    usual, code = Code(), Code()
    place(usual.address)  # imports what it needs
    before, limits = mappings(code), resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (PAGE - 1, limits[1]))
        with pytest.raises(depwatch.Unwatchable, match=r"cannot be mapped a second time \(File too large\)"):
            place(code.address)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert mappings(code) == before
    assert ctypes.string_at(code.address, 5) == NOP
    assert place(code.address).value == 1


def test_a_refused_label_leaves_nothing_for_a_forked_child():
    printed = python("""
        import ctypes, mmap, os
        import depwatch
        code = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS,
                         mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        code[:] = b"\\xc3" * 4096
        address = ctypes.addressof(ctypes.c_char.from_buffer(code))
        names = {"X": 1}
        recorder = depwatch.Recorder("code")
        try:
            recorder.jump_label(address, address + 64, names, "X")
        except ValueError:
            print("refused", end=" ", flush=True)
        code[0] = 1
        if child := os.fork():
            _, status = os.waitpid(child, 0)
            print(status, code[0])
        else:
            code[0] = 2
            with open("/proc/self/maps") as maps:
                os._exit("depwatch labels" in maps.read())
        """)
    assert printed == "refused 0 1\n"
