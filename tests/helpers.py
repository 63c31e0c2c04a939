"""The helpers in C (native/): each compiled once for a checkout and an interpreter, and kept in build/helpers/."""

import fcntl
import hashlib
import importlib.util
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

import depwatch
from support import NATIVE, ROOT, compiler

OF_PROGRAMS = ("capi_user", "counting", "others")  # what programs of tests import, in other processes
INCLUDE = Path(depwatch.get_include())
EXT = ROOT / "ext"  # rules.c is made of what is in watch/


def folder() -> Path:
    """Where all that is made of the present sources by this compiler is. Any change of them makes another folder."""
    command, flags = compiler()
    digest = hashlib.sha256(repr((sys.version, command, flags)).encode())
    for path in sorted([*NATIVE.iterdir(), *INCLUDE.iterdir(), *(EXT / "watch").iterdir()]):
        digest.update(path.read_bytes())
    return ROOT / "build" / "helpers" / digest.hexdigest()[:16]


FOLDER = folder()


def compile_helper(name: str, built: Path) -> None:
    command, flags = compiler()
    source = NATIVE / f"{name}.c"
    if not source.exists():
        source = built.with_name(f"{name}.c")
        cython = [sys.executable, "-m", "cython", "-3", "-I", str(INCLUDE), "-o", str(source)]
        subprocess.run([*cython, str(NATIVE / f"{name}.pyx")], check=True)
    half = built.with_suffix(".half")
    options = [*flags, f"-I{INCLUDE}", f"-I{EXT}", "-O1", "-g0", "-fPIC", "-shared"]
    subprocess.run([*command, *options, str(source), "-o", str(half)], check=True)
    half.rename(built)


def build(name: str) -> Path:
    """The extension of that name. The first process that wants it compiles it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    built = FOLDER / f"{name}{sysconfig.get_config_var('EXT_SUFFIX')}"
    with open(FOLDER / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            compile_helper(name, built)
    return built


def load(name: str) -> ModuleType:
    """The module of that name; `__file__` is for other processes to load it by."""
    spec = importlib.util.spec_from_file_location(name, build(name))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
