"""CPython's own tests have the same verdicts recorded as they have plain, but for those that docs/record.md lists."""

import importlib.util
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support import ROOT

HERE = Path(__file__).parent
LIMIT = 900  # seconds for a group: a machine may be busy

# Each group takes some 10 to 30 seconds of CPU time, plain and recorded together.
GROUPS = {
    "processes": "test_subprocess",
    "the C API": "test_capi",
    "the collector": "test_gc test_weakref test_weakset test_finalization test_copy test_copyreg test_reprlib",
    "the interpreter": "test_sys test_atexit test_audit test_frame test_site test_thread test_threading_local",
    "threads": "test_threading test_queue test_sched test_context test_contextlib test_contextlib_async",
    "monitoring": "test_monitoring test_sys_settrace test_sys_setprofile test_bdb test_code test_opcache test_dis",
    "classes": (
        "test_descr test_class test_property test_metaclass test_super test_isinstance test_subclassinit test_abc "
        "test_type_cache test_descrtut test_typechecks test_enum test_dataclasses"
    ),
    "functions": (
        "test_functools test_funcattrs test_call test_extcall test_keywordonlyarg test_positional_only_arg "
        "test_decorators test_scope test_global test_dynamic test_generators test_coroutines test_asyncgen"
    ),
    "containers": (
        "test_dict test_list test_set test_tuple test_dictviews test_userdict test_defaultdict test_ordered_dict "
        "test_collections test_heapq test_bisect test_structseq"
    ),
    "the language": (
        "test_builtin test_types test_module test_with test_raise test_exception_group test_except_star test_patma "
        "test_named_expressions test_augassign test_compare test_unpack test_type_params test_listcomps test_grammar"
    ),
}
NAMED = "gc weakref sys monitoring code descr capi subprocess functools threading"
FILES = " ".join(GROUPS.values()).split()
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

# CPython's own tests are what is run here, and some installations leave them out. CI runs this file by interpreters
# that have them.
needs_the_suite = pytest.mark.skipif(
    importlib.util.find_spec("test") is None or importlib.util.find_spec("test.test_gc") is None,
    reason="this CPython was installed without its tests: those of the same version in CI have them",
)


def listed() -> dict[str, str]:
    """Tests that differ, on this version, by docs/record.md."""
    rows = re.findall(r"^\| `(test_\S+)` \| ([\d., ]+) \|", (ROOT / "docs/record.md").read_text(), re.MULTILINE)
    return {f"test.{name}": versions for name, versions in rows if VERSION in versions.split(", ")}


def verdicts(directory: Path, command: list[str], names: list[str]) -> dict[str, str]:
    """Of each test."""
    directory.mkdir()
    arguments = [*command, str(HERE / "all.py"), str(directory), *names]
    done = subprocess.run(arguments, cwd=directory, capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = {}
    for name in names:
        told = directory / f"{name}.json"
        assert told.exists(), (directory / f"{name}.log").read_text()[-2000:]
        found |= json.loads(told.read_text())["verdicts"]
    return found


def test_sixty_files_or_more_are_run_and_those_that_look_most_closely_are_in_them() -> None:
    assert len(set(FILES)) == len(FILES) >= 60
    assert {f"test_{name}" for name in NAMED.split()} <= set(FILES)


@pytest.mark.slow
@needs_the_suite
@pytest.mark.parametrize("group", GROUPS)
def test_the_verdicts_of_a_file_are_the_same_but_for_those_listed(tmp_path: Path, group: str) -> None:
    names = GROUPS[group].split()
    expected = {test for test in listed() if test.split(".")[1] in names}
    found = differences(tmp_path / "once", names)
    if unexpected := {
        test.split(".")[1] for test in found.keys() ^ expected
    }:  # a test may take a busy machine for a fault
        again = differences(tmp_path / "again", sorted(unexpected))
        found = {
            test: verdict for test, verdict in found.items() if test.split(".")[1] not in unexpected or test in again
        }
    assert set(found) == expected, found


def differences(directory: Path, names: list[str]) -> dict[str, tuple[str | None, str | None]]:
    """(plain, recorded) of each test with another verdict."""
    directory.mkdir()
    trace = directory / "t.parquet"
    record = [sys.executable, "-m", "depwatch", "record", "-o", str(trace)]
    with ThreadPoolExecutor(1) as pool:
        recording = pool.submit(verdicts, directory / "recorded", record, names)
        plain = verdicts(directory / "plain", [sys.executable], names)
    recorded = recording.result()
    assert len(plain) > 5 * len(names)
    assert trace.exists() and len(list(directory.glob("t.*.parquet"))) >= len(names)
    return {test: pair for test in plain | recorded if (pair := (plain.get(test), recorded.get(test)))[0] != pair[1]}
