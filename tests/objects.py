"""The core's C, compiled for looking at: each function and each variable in a section of its own."""

import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import depwatch
from support import EXT, ROOT, compiler, ext_sources


@functools.cache
def core_objects(*flags):
    """{source: object} for these flags. Kept in build/, by the contents of all that they are made from."""
    command, build_flags = compiler()
    options = [*build_flags, "-std=gnu11", "-fPIC", "-g0", "-ffunction-sections", "-fdata-sections", *flags]
    options += [f"-I{EXT}", f"-I{depwatch.get_include()}"]
    contents = hashlib.sha256(repr((command, options)).encode())
    for path in [*ext_sources("*.[ch]"), *sorted(Path(depwatch.get_include()).iterdir())]:
        contents.update(path.read_bytes())
    folder = ROOT / "build" / "objects" / contents.hexdigest()[:16]
    sources = ext_sources("*.c")

    def object_of(source, folder):
        return folder / f"{source.parent.name}-{source.stem}.o"

    def compile_one(source, folder):
        subprocess.run([*command, *options, "-c", str(source), "-o", str(object_of(source, folder))], check=True)

    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=folder.parent))
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(functools.partial(compile_one, folder=fresh), sources))
        try:
            os.rename(fresh, folder)
        except OSError:  # another worker was first
            shutil.rmtree(fresh)
    return {source: object_of(source, folder) for source in sources}


def read(tool, *arguments):
    """What a tool of binutils says; it comes with the compiler that built the extension."""
    assert shutil.which(tool), f"{tool} is not there"
    return subprocess.run([tool, *map(str, arguments)], check=True, capture_output=True, text=True).stdout


@functools.cache
def symbols_of(*paths):
    """{path: {symbol: kind}} as nm tells them: U is undefined, a small letter is local. At least two paths."""
    found = {}
    for line in read("nm", "-P", *paths).splitlines():
        if line.endswith(".o:"):
            of_one = found[Path(line[:-1])] = {}
        elif line:
            name, kind, *_ = line.split()
            of_one[name] = kind
    return found


@functools.cache
def relocations_of(*paths):
    """{path: lines} as readelf -r tells them. At least two paths."""
    files = re.split(r"^File: ", read("readelf", "-rW", *paths), flags=re.MULTILINE)[1:]
    return {Path(path): lines for path, *lines in map(str.splitlines, files)}
