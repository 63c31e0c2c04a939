"""Free-threaded builds: the extension asks for the GIL. None is among the interpreters that these tests run on, so what
is looked at is the code that would be compiled there, and the definition of the module that was compiled here."""

import ctypes
import re
import subprocess
import sys

import pytest

import depwatch
from depwatch import _core
from support import EXT, compiler, ext_sources, generated_source

# struct PyModuleDef after its PyModuleDef_Base, which begins with an object header; see moduleobject.h.
SLOTS_AFTER_BASE = ("m_name", "m_doc", "m_size", "m_methods")
GIL_USED = 0  # CPython: the same as no slot at all
WORD = ctypes.sizeof(ctypes.c_void_p)


def slots_of_the_loaded_module():
    """{number: value} of the slots in the definition that PyInit__core hands to CPython."""
    PyInit = ctypes.PyDLL(_core.__file__).PyInit__core
    PyInit.restype = ctypes.c_void_p
    definition = PyInit()
    base = object.__basicsize__ + 3 * WORD  # m_init, m_index, m_copy
    name, *_, slots = (ctypes.c_void_p * (len(SLOTS_AFTER_BASE) + 1)).from_address(definition + base)
    assert ctypes.string_at(name) == b"_core"  # or the layout is another one
    found = {}
    while (number := ctypes.c_int.from_address(slots).value) != 0:
        found[number] = ctypes.c_size_t.from_address(slots + WORD).value
        slots += 2 * WORD
    return found


def preprocessed_for_free_threading(source, folder):
    """The slot table of a module that Cython generated, and what its names stand for, as such a build would see it."""
    probe = folder / "probe.c"
    probe.write_text(
        f'#include "{source}"\nPROBE Py_mod_gil | Py_MOD_GIL_USED | Py_MOD_GIL_NOT_USED | Py_mod_exec ENDED\n'
    )
    command, flags = compiler()
    text = subprocess.run(
        [*command, *flags, "-E", "-P", "-DPy_GIL_DISABLED=1", f"-I{depwatch.get_include()}", f"-I{EXT}", str(probe)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    text = re.sub(r"\s+", "", text)
    names = re.search(r"PROBE(.*?)ENDED", text).group(1).split("|")
    table = re.search(r"__pyx_moduledef_slots\[\]=\{(.*?)\};", text).group(1)
    return table, dict(zip(("gil", "used", "not used", "exec"), names, strict=True))


def test_the_module_that_was_compiled_here_does_not_say_that_it_does_without_the_gil(tmp_path):
    _, names = preprocessed_for_free_threading(generated_source(), tmp_path)
    slots = slots_of_the_loaded_module()
    assert int(names["exec"]) in slots  # or this was no table of slots
    if names["gil"].isdecimal():  # 3.12 has no such slot
        assert slots.get(int(names["gil"]), GIL_USED) == GIL_USED


def test_compiled_for_a_free_threaded_build_it_says_that_it_uses_the_gil(tmp_path):
    table, names = preprocessed_for_free_threading(generated_source(), tmp_path)
    assert f"{{{names['exec']}," in table
    assert f"{{{names['gil']},{names['used']}}}" in table
    assert names["used"] != names["not used"]


@pytest.mark.slow
def test_this_would_show_a_module_that_says_otherwise(tmp_path):
    (tmp_path / "without.pyx").write_text("# cython: language_level=3, freethreading_compatible=True\n")
    subprocess.run([sys.executable, "-m", "cython", "-3", str(tmp_path / "without.pyx")], check=True)
    table, names = preprocessed_for_free_threading(tmp_path / "without.c", tmp_path)
    assert f"{{{names['gil']},{names['not used']}}}" in table


def test_no_source_of_the_extension_says_that_it_does_without_the_gil():
    for path in ext_sources("*.[pc]*"):
        text = path.read_text()
        assert "freethreading_compatible" not in text.replace("freethreading_compatible=False", ""), path.name
        assert "Py_MOD_GIL_NOT_USED" not in text, path.name
        assert "PyUnstable_Module_SetGIL" not in text, path.name
