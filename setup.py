"""Builds the three extension modules. Sources are found by pattern; only what changed is compiled, on all processors.

Beside each file that is made here, NAME.from says by contents what it was made from: dates prove nothing after a copy
that keeps old ones, or while somebody edits. Generated C is in build/cython/, objects are in a folder for each ABI, as
those of a debug build must not get into another. An ABI is all that a module's file name tells, too: CPython 3.13.0
and 3.13.9 share the modules in one checkout, as they share a wheel.
"""

import fcntl
import functools
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from Cython import __version__ as cython_version
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

FLAGS = ["-O2", "-std=gnu11", "-Wall", "-Wextra", "-Wno-unused-parameter", "-fvisibility=hidden", "-fno-plt"]
CYTHON = ["-3", "--depfile", "-I", "ext", "-I", "depwatch/include"]
ENVIRONMENT = [os.environ.get(name) for name in ("CC", "CFLAGS", "CPPFLAGS", "LDFLAGS")]
BUILD = Path("build")
HEADER = Path("depwatch/include/depwatch.h")
# The ABI of a pre-release changes without a change of its name.
ABI = sysconfig.get_config_var("SOABI") + ("" if sys.version_info.releaselevel == "final" else f"-{sys.hexversion:x}")


def found(*patterns):
    # Where Cython once put its output, there may still be some.
    return sorted(str(path) for pattern in patterns for path in Path().glob(pattern) if path.name != "_core.c")


@functools.cache
def digest(file):
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if os.path.exists(file) else "missing"


def made_from(how, files):
    return "\n".join([hashlib.sha256(repr([how, *map(digest, files)]).encode()).hexdigest(), *files])


def make(target, how, run, inputs):
    """Calls run(), unless target was made like this (`how`), from the contents that inputs() have now."""
    note = target.with_name(f"{target.name}.from")
    if target.exists() and note.exists():
        text = note.read_text()
        if text == made_from(how, text.split("\n")[1:]):
            return
    note.unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    run()
    note.write_text(made_from(how, inputs()))


@functools.cache  # once
def say(message):
    print(message, file=sys.stderr, flush=True)


def run(*command):
    say("building the extension modules")
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    sys.stderr.write(done.stdout)  # in one piece, as several run at a time
    if done.returncode:
        raise CompileError(f"exit status {done.returncode}: {shlex.join(command)}")


def listed(depfile):
    """The files of this project that a depfile lists. CPython's own, which have absolute paths, belong to the ABI."""
    _, _, names = depfile.read_text().replace("\\\n", " ").partition(": ")
    return [name for name in names.split() if not os.path.isabs(name)]


class Build(build_ext):
    def run(self):
        self.for_wheel = not (self.inplace or self.editable_mode)  # setuptools forgets it while it runs
        super().run()

    def build_extensions(self):
        if sys.platform != "linux":
            raise CompileError(
                f"depwatch is built and tested on Linux only, and this is {sys.platform}: use it in a container or a "
                "virtual machine with Linux, and CPython 3.12 or later"
            )
        BUILD.mkdir(exist_ok=True)
        with open(BUILD / "lock", "w") as lock, ThreadPoolExecutor(os.cpu_count()) as pool:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # As they are before any is compiled: one that is edited meanwhile counts as changed the next time.
            for file in found("ext/**/*.*", "depwatch/**/*.[ch]", "depwatch/**/*.p[xy][xdi]"):
                digest(file)
            # What Cython makes takes longest to compile: first.
            jobs = [(source, extension) for extension in self.extensions for source in extension.sources]
            jobs.sort(key=lambda job: not job[0].endswith(".pyx"))
            compiled = [(extension, pool.submit(self.compiled, source, extension)) for source, extension in jobs]
            try:
                for extension in self.extensions:
                    self.link(extension, [job.result() for user, job in compiled if user is extension])
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def compiled(self, source, extension):
        c, flags = source, FLAGS
        if source.endswith(".pyx"):
            # Nobody steps through what Cython makes, and debug information is a third of the time that it takes.
            c, flags = self.translated(source, extension), [*FLAGS, "-g0"]
        target = BUILD / ABI / Path(extension.name) / Path(source).with_suffix(".o")
        depfile = target.with_suffix(".d")
        includes = [f"-I{folder}" for folder in extension.include_dirs]
        own = [*flags, *includes, "-MMD", "-MF", str(depfile), "-c", c, "-o", str(target)]
        pythons = [f"-I{folder}" for folder in self.include_dirs]
        make(
            target,
            [ENVIRONMENT, own],
            lambda: run(*self.compiler.compiler_so, *own, *pythons),
            lambda: listed(depfile),
        )
        return str(target)

    def translated(self, source, extension):
        target = BUILD / "cython" / Path(source).with_suffix(".c").name
        command = ["cython", *CYTHON, "--module-name", extension.name, source, "-o", str(target)]
        make(
            target,
            [cython_version, command],
            lambda: run(sys.executable, "-m", *command),
            lambda: [source, *listed(Path(f"{target}.dep"))],
        )
        return str(target)

    def link(self, extension, objects):
        name = self.get_ext_filename(extension.name)
        built = BUILD / ABI / name
        # What is used where it is built can be looked into with gdb; in a wheel that would be four fifths of the size.
        options = []
        if self.for_wheel:
            built, options = BUILD / ABI / "wheel" / name, ["-s"]
        make(
            built,
            [ENVIRONMENT, options, objects],
            lambda: self.compiler.link_shared_object(objects, str(built), extra_postargs=options),
            lambda: objects,
        )
        self.put(built, Path(self.build_lib) / name)

    def copy_extensions_to_source(self):
        for extension in self.extensions:
            name = self.get_ext_filename(extension.name)
            self.put(BUILD / ABI / name, Path(name))

    def put(self, built, place):
        """Replaces place in one step, and only if it differs: somebody else may be using it."""
        if not place.exists() or place.read_bytes() != built.read_bytes():
            half = place.with_name(f"{place.name}.{os.getpid()}")
            half.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(built, half)
            half.replace(place)


setup(
    version=re.search(r'^#define DEPWATCH_RELEASE "(.+?)"', HEADER.read_text(), re.MULTILINE)[1],
    cmdclass={"build_ext": Build},
    ext_modules=[
        Extension(
            "depwatch._core",
            found("ext/**/*.c", "ext/**/_core.pyx"),
            include_dirs=["ext", "depwatch/include"],
        ),
        Extension(
            "depwatch.compare.record._tap",
            found("depwatch/compare/record/_tap.pyx", "depwatch/compare/record/tap/*.c", "ext/index/address_map.c"),
            include_dirs=["depwatch/include", "depwatch/compare/record", "ext"],
        ),
        Extension("depwatch.compare.replay._engine", ["depwatch/compare/replay/_engine.pyx"]),
    ],
)
