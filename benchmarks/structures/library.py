"""The structures in C: compiled together with the index's own sources, and called through ctypes."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXT = HERE.parent.parent / "ext"
BUILT = HERE.parent / ".build"
PROGRAM = "instructions.c"  # has main(): not part of the library
# As the extension is built for a release build of CPython.
FLAGS = ("-O2", "-DNDEBUG", "-std=gnu11", "-Wall", "-Wextra", "-Wno-unused-parameter", "-g")


@functools.cache
def load() -> ctypes.CDLL:
    """The library, with the types of its functions declared."""
    library = ctypes.CDLL(str(compile_once("structures.so", shared=True)))
    pointer, u32, ns = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_double
    size = ctypes.POINTER(ctypes.c_size_t)
    library.find_structure.argtypes, library.find_structure.restype = [ctypes.c_char_p], pointer
    library.destroy_structure.argtypes, library.destroy_structure.restype = [pointer, pointer], None
    library.structure_memory.argtypes, library.structure_memory.restype = [pointer, pointer, size, size], None
    library.structure_bytes.argtypes, library.structure_bytes.restype = [pointer, pointer, pointer, u32], None
    for name, arguments in {
        "time_create": [pointer, u32, u32, ctypes.POINTER(pointer)],
        "time_add": [pointer, pointer, pointer, u32, pointer, pointer],
        "time_remove": [pointer, pointer, pointer, u32],
        "time_unite": [pointer, pointer, pointer, u32, ctypes.POINTER(pointer), size],
        "time_hot": [pointer, pointer, pointer, u32, u32],
        "time_fenced": [pointer, pointer, pointer, u32, ctypes.c_bool],
        "time_loads": [pointer, pointer, u32],
        "time_memset": [pointer, ctypes.c_size_t, ctypes.c_int],
    }.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, ns
    return library


@functools.cache
def program() -> Path:
    """The executable for callgrind."""
    return compile_once("instructions", shared=False)


def compile_once(name: str, *, shared: bool) -> Path:
    """Compile into benchmarks/.build, unless what these sources and flags give is there already."""
    sources = sorted(path for path in HERE.glob("*.c") if shared is False or path.name != PROGRAM)
    sources += sorted((EXT / "index").glob("*.c"))  # which knows nothing of Python
    compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")
    command = [*compiler, *FLAGS, f"-I{EXT}", *(["-shared", "-fPIC"] if shared else [])]
    # Contents, not dates: a checkout or a copy may keep old dates.
    checksum = hashlib.sha256(repr((command, [path.name for path in sources])).encode())
    for path in [*sources, *sorted(HERE.glob("*.h")), *sorted(EXT.glob("index/*.h"))]:
        checksum.update(path.read_bytes())
    stem, dot, ending = name.partition(".")
    built = BUILT / f"{stem}-{checksum.hexdigest()[:16]}{dot}{ending}"
    if not built.exists():
        BUILT.mkdir(exist_ok=True)
        # Others may be compiling the same: each in a place of its own, then renamed in one step.
        with tempfile.TemporaryDirectory(dir=BUILT) as folder:
            fresh = Path(folder) / name
            done = subprocess.run([*command, *map(str, sources), "-o", str(fresh)], capture_output=True, text=True)
            if done.returncode != 0:
                sys.exit(f"benchmarks: cannot compile {name}:\n{done.stderr}")
            os.replace(fresh, built)
    return built
