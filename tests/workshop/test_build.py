"""setup.py on a small project with this one's layout: what it builds again after which change, and what it packs."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

from support import EXT, ROOT, compiler

pytestmark = pytest.mark.slow

FILES = {
    "README.md": "",
    "depwatch/__init__.py": "",
    "depwatch/compare/__init__.py": "",
    "depwatch/compare/record/__init__.py": "",
    "depwatch/compare/replay/__init__.py": "",
    "depwatch/include/depwatch.h": '#define DEPWATCH_RELEASE "7.1"\n#define RELEASE 1\n',
    "depwatch/include/depwatch.pxd": 'cdef extern from "depwatch.h":\n    int RELEASE\n',
    "depwatch/compare/record/_tap.pyx": "from depwatch cimport RELEASE\nrelease = RELEASE\n",
    "depwatch/compare/record/tap/facets.c": '#include "tap/facets.h"\n',
    "depwatch/compare/record/tap/facets.h": "",
    "depwatch/compare/replay/_engine.pyx": 'include "rules.pxi"\n',
    "depwatch/compare/replay/rules.pxi": "",
    "ext/api/_core.pyx": 'from core cimport answer\ninclude "notice/drain.pxi"\n',
    "ext/api/core.pxd": 'cdef extern from "watch/watch.h":\n    int answer()\n',
    "ext/notice/drain.pxi": "def ask():\n    return answer()\n",
    "ext/index/ids.c": '#include "index/ids.h"\nint next_id(void) { return FIRST_ID; }\n',
    "ext/index/ids.h": "#define FIRST_ID 42\nint next_id(void);\n",
    "ext/watch/watch.c": '#include "index/ids.h"\n#include "watch/watch.h"\nint answer(void) { return next_id(); }\n',
    "ext/watch/watch.h": "int answer(void);\n",
}
CORE = "depwatch/_core"
IDS, WATCH, API = "ext/index/ids.o", "ext/watch/watch.o", "ext/api/_core.o"
TAP = "depwatch/compare/record/_tap"
ENGINE = "depwatch/compare/replay/_engine"


class Project:
    def __init__(self, folder):
        self.folder = folder

    def write(self, name, text):
        """As a copy or a checkout would that keeps dates: it looks older than what is built."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (1e9, 1e9))

    def setup(self, *arguments, status=0, **environment):
        done = subprocess.run(
            [sys.executable, "setup.py", "-q", *arguments],
            cwd=self.folder,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == status, done.stdout
        return done.stdout

    def build(self, **options):
        return self.setup("build_ext", "--inplace", **options)

    def made(self):
        paths = [*self.folder.glob("build/**/*.o"), *self.folder.glob("build/cython/*.c"), *self.folder.rglob("*.so")]
        return {str(path.relative_to(self.folder)): path.stat().st_mtime_ns for path in paths}

    def rebuilt(self, **options):
        """What a build makes, without the folders for each ABI and module, and the modules' suffix."""
        before = self.made()
        self.build(**options)
        names = {name for name, date in self.made().items() if before.get(name) != date}
        in_build = {name.split("/", 3)[3] for name in names if name.endswith(".o")}
        modules = {name.split(".")[0] for name in names if name.startswith("depwatch/")}
        return in_build | modules | {name for name in names if name.startswith("build/cython/")}

    def ask(self):
        command = [sys.executable, "-c", "from depwatch import _core; print(_core.ask())"]
        return int(subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True).stdout)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("project") / "built")
    for name, text in FILES.items():
        project.write(name, text)
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "LICENSE"):
        shutil.copy(ROOT / name, project.folder)
    project.build()
    assert project.ask() == 42
    return project


@pytest.fixture
def project(built, tmp_path):
    shutil.copytree(built.folder, tmp_path / "copy")
    return Project(tmp_path / "copy")


def test_what_is_built_is_not_built_again_nor_in_a_copy(project):
    assert project.rebuilt() == set()
    assert project.build() == ""


CHANGES = {
    "ext/index/ids.c": ('#include "index/ids.h"\nint next_id(void) { return FIRST_ID + 1; }\n', {IDS, CORE}),
    "ext/index/ids.h": ("#define FIRST_ID 43\nint next_id(void);\n", {IDS, WATCH, CORE}),
    "ext/notice/drain.pxi": ("def ask():\n    return answer() + 1\n", {"build/cython/_core.c", API, CORE}),
    "depwatch/include/depwatch.h": ('#define DEPWATCH_RELEASE "7.1"\n#define RELEASE 2\n', {f"{TAP}.o", TAP}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_file_builds_again_what_is_made_from_it(project, name):
    text, rebuilt = CHANGES[name]
    project.write(name, text)
    assert project.rebuilt() == rebuilt
    assert project.ask() == (43 if CORE in rebuilt else 42)


def test_a_file_that_is_as_it_was_before_builds_again_what_it_was_made_for(project):
    name = "ext/index/ids.c"
    project.write(name, CHANGES[name][0])
    project.build()
    project.write(name, FILES[name])
    assert project.rebuilt() == {IDS, CORE}
    assert project.ask() == 42


def test_a_file_that_comes_is_found_and_one_that_goes_is_left_out(project):
    project.write("ext/action/cells.c", '#include "index/ids.h"\nint next_id(void) { return 1; }\n')
    (project.folder / "ext/index/ids.c").unlink()
    assert project.rebuilt() == {"ext/action/cells.o", CORE}
    assert project.ask() == 1


def test_other_flags_build_all_again(project):
    assert project.rebuilt(CFLAGS="-DOTHER") >= {IDS, WATCH, API, CORE, f"{TAP}.o", TAP, f"{ENGINE}.o", ENGINE}


def test_a_build_that_fails_says_why_each_time_and_keeps_what_was_there(project):
    project.write("ext/index/ids.c", "int next_id(void) { return nonsense; }\n")
    for _ in range(2):
        said = project.build(status=1)
        assert "ext/index/ids.c:1" in said
        assert "nonsense" in said
    assert project.ask() == 42


def test_an_sdist_has_all_sources_and_nothing_that_was_built(project):
    project.setup("sdist")
    (packed,) = (project.folder / "dist").iterdir()
    with tarfile.open(packed) as archive:
        archive.extractall(project.folder / "unpacked", filter="data")
    (folder,) = (project.folder / "unpacked").iterdir()
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {*FILES, "setup.py", "pyproject.toml"} <= names
    assert [name for name in names if name.startswith("build/") or name.endswith((".so", "_core.c", ".o"))] == []
    shutil.copytree(project.folder / "build", folder / "build")  # compiled anew only if something is missing
    unpacked = Project(folder)
    assert unpacked.build() == ""
    assert unpacked.ask() == 42


def test_a_wheel_has_no_source_and_modules_without_symbols(project):
    project.setup("bdist_wheel")
    (packed,) = (project.folder / "dist").iterdir()
    assert packed.name.startswith("depwatch-7.1-")  # what the header says
    with zipfile.ZipFile(packed) as archive:
        modules = {name.split(".")[0]: archive.read(name) for name in archive.namelist() if name.endswith(".so")}
        assert modules.keys() == {CORE, TAP, ENGINE}
        assert [name for name in archive.namelist() if name.endswith((".c", ".pyx", ".pxi"))] == []
    (in_place,) = project.folder.glob(f"{CORE}.*.so")
    assert b".symtab" in in_place.read_bytes()
    assert [name for name, module in modules.items() if b".symtab" in module] == []


def test_another_system_than_linux_is_refused_with_one_sentence(project):
    setup = (project.folder / "setup.py").read_text()
    project.write("setup.py", setup.replace("\nFLAGS = ", '\nsys.platform = "darwin"\nFLAGS = '))
    said = project.build(status=1)
    assert "depwatch is built and tested on Linux only, and this is darwin: use it in a container" in said


@pytest.mark.parametrize(
    ("version", "macro", "said"),
    [
        ("0x030b0900", "", "depwatch needs CPython 3.12 or later"),
        ("0x030c0000", "", ""),
        ("0x030ff000", "", ""),
        ("0x031000a1", "", "depwatch knows CPython 3.12 to 3.15, not this later one"),
        ("0x031000a1", "-DDEPWATCH_UNKNOWN_CPYTHON", ""),
        ("0x030c0000", "-DPYPY_VERSION", "depwatch needs CPython"),
    ],
)
def test_a_cpython_that_is_not_known_is_refused_unless_a_macro_is_set(version, macro, said):
    command, _ = compiler()
    options = [f"-DPY_VERSION_HEX={version}", *filter(None, [macro]), "-E", "-o", os.devnull]
    done = subprocess.run([*command, *options, EXT / "watch" / "cpython.h"], capture_output=True, text=True)
    assert (done.returncode == 0) == (said == "")
    assert said in done.stderr
