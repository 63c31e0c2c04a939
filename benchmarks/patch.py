"""What a jump label costs: the store that patches many, beside guard cells and a watcher that does nothing."""

from __future__ import annotations

import argparse
import ctypes
import mmap
import sys
from typing import Any

import depwatch
from measure import Row, Spread, finish, interleave, load_noop

NOP = bytes([0x0F, 0x1F, 0x44, 0x00, 0x00])
STRIDE = 32  # bytes from one label to the next
SITES = (1, 1000, 10_000)
BOUND = {1000: 5.0}  # ns a label
OLD, NEW = object(), object()
STORES = 200  # in a sample
libc = ctypes.CDLL(None, use_errno=True)


def code_with(labels: int) -> int:
    """The address of so many nops in executable memory, each followed by returns; never freed."""
    size = -(-labels * STRIDE // mmap.PAGESIZE) * mmap.PAGESIZE
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    writable = mmap.PROT_READ | mmap.PROT_WRITE
    address = libc.mmap(None, size, writable, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    ctypes.memmove(address, (NOP + b"\xc3" * (STRIDE - len(NOP))) * (size // STRIDE), size)
    if libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(size), mmap.PROT_READ | mmap.PROT_EXEC):
        sys.exit("benchmarks: this system does not make memory executable")
    return int(address)


def labelled(sites: int) -> dict[str, Any]:
    """A namespace whose RATE has so many labels."""
    space = {"RATE": OLD}
    recorder = depwatch.Recorder("labels", 60000)
    first = code_with(sites)
    for i in range(sites):
        address = first + i * STRIDE
        recorder.jump_label(address, address + 8, space, "RATE")
    recorder.commit()
    return space


def guarded() -> dict[str, Any]:
    space = {"RATE": OLD}
    recorder = depwatch.Recorder("guard", 60000)
    recorder.guard_cell(space, "RATE")
    recorder.commit()
    return space


def measure(samples: int) -> list[Row]:
    noop = load_noop()
    idle = {"RATE": OLD}
    noop.watch_dict(idle)

    def stores(space: dict[str, Any]) -> Any:
        def sample() -> float:
            ns: float = noop.time_stores(space, "RATE", NEW, OLD, STORES)
            depwatch.drain()
            return ns

        return sample

    spaces = {"nothing": idle, "guard": guarded()} | {str(sites): labelled(sites) for sites in SITES}
    taken = interleave({name: stores(space) for name, space in spaces.items()}, samples)
    rows = [
        Row("store, under a watcher that does nothing", "ns", Spread.of(taken["nothing"])),
        Row("store that lowers or raises a guard cell", "ns", Spread.of(taken["guard"])),
    ]
    for sites in SITES:
        each = [(ours - guard) / sites for ours, guard in zip(taken[str(sites)], taken["guard"], strict=True)]
        case = f"each of {sites:,} jump labels beside it, patched"
        rows.append(
            Row(case, "ns", Spread.of(each), bound=BOUND.get(sites), note="through a second mapping of the page")
        )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench patch", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit status 1 if a bound is missed")
    parser.add_argument("--quick", action="store_true", help="few samples, results not kept")
    options = parser.parse_args()
    rows = measure(5 if options.quick else 51)
    return finish("patch", "Jump labels", rows, check=options.check, write=not options.quick)


if __name__ == "__main__":
    sys.exit(main())
