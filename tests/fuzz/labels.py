"""Machine code with places for jump labels, and which way it goes now. x86-64 Linux."""

import ctypes
import mmap
import platform
import sys
from typing import Any

import depwatch

SUPPORTED = sys.platform == "linux" and platform.machine() == "x86_64"
PLACE, TARGET = 32, 16  # bytes: of one place, and from its nop to where it jumps
NOP = bytes.fromhex("0f1f440000")
TEXT = NOP + bytes.fromhex("b801000000c3cccccccccc" + "b802000000c3") + bytes(10)  # return 1; return 2
PLACES = mmap.PAGESIZE // PLACE


def _page() -> Any:
    if not SUPPORTED:
        return None
    protection = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=protection)
    page[:] = TEXT * PLACES
    return ctypes.c_char.from_buffer(page)  # keeps the page


_CODE = _page()
_last = 0  # place that was given out


def new(recorder: depwatch.Recorder, owner: Any, name: str) -> Any:
    """A label of that name in a free place."""
    global _last
    for _ in range(PLACES):
        _last = (_last + 1) % PLACES
        address = ctypes.addressof(_CODE) + _last * PLACE
        try:
            return recorder.jump_label(address, address + TARGET, owner, name)
        except ValueError as error:
            if "not the 5-byte nop" in str(error):  # whoever had it was released while it jumped
                ctypes.memmove(address, NOP, len(NOP))
                return recorder.jump_label(address, address + TARGET, owner, name)
            assert "there is a label at" in str(error), error
    raise AssertionError("there are more labels than places")


def runs_on(label: Any) -> bool:
    """Run the code: whether it goes past the nop."""
    return ctypes.PYFUNCTYPE(ctypes.c_int)(label.address)() == 1
