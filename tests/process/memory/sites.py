"""Where the core asks for memory: each call of a function that may allocate, as the compiler has left it."""

import functools
import hashlib
import re
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import depwatch
from objects import read
from support import EXT, ROOT, compiler, ext_sources, generated_source

# How a function says that it has failed. The numbers are those of shortage.c.
PYTHON_NULL, PYTHON_MINUS_ONE, C_NULL, C_MINUS_ONE = range(4)

FAILS = {
    PYTHON_NULL: """
        PyBytes_FromString PyBytes_FromStringAndSize PyCMethod_New PyCapsule_New PyCode_NewEmpty PyDict_Copy PyDict_Keys
        PyDict_New PyErr_Format PyErr_NewException PyErr_SetObject PyErr_SetString PyEval_GetBuiltins PyFloat_FromDouble
        PyFrame_New PyFunction_New PyImport_AddModuleRef PyImport_GetModule PyImport_ImportModule
        PyImport_ImportModuleLevelObject PyList_AsTuple PyList_New
        PyLong_FromLong PyLong_FromLongLong PyLong_FromSize_t PyLong_FromSsize_t PyLong_FromUnsignedLong
        PyLong_FromUnsignedLongLong PyLong_FromVoidPtr PyMem_Calloc PyMem_Malloc PyMem_Realloc PyMethod_New
        PyModule_New PyModule_NewObject PyNumber_Add PyNumber_InPlaceAdd PyNumber_InPlaceMultiply PyNumber_Long
        PyNumber_Multiply PyNumber_Subtract PyObject_CallFunction PyObject_CallMethod
        PyObject_CallMethodObjArgs PyObject_CallObject PyObject_Format PyObject_GetAttr PyObject_GetAttrString
        PyObject_GetItem PyObject_GetIter PyObject_Malloc PyObject_Repr PyObject_RichCompare PyObject_Str
        PyObject_Vectorcall PyObject_VectorcallDict PyObject_VectorcallMethod PySequence_List PySequence_Tuple
        PySlice_New PyTuple_GetSlice PyTuple_New PyTuple_Pack PyType_FromMetaclass PyType_GetQualName
        PyUnicode_Concat PyUnicode_Decode PyUnicode_DecodeUTF8 PyUnicode_FromFormat PyUnicode_FromObject
        PyUnicode_FromOrdinal PyUnicode_FromString PyUnicode_FromStringAndSize PyUnicode_InternFromString
        PyUnicode_Join PyUnicode_New PyUnicode_Substring PyUnstable_Code_NewWithPosOnlyArgs PyWeakref_NewRef
        Py_GenericAlias _PyDict_NewPresized _PyObject_GC_New PyDict_SetDefault PyNumber_Index PyObject_GenericGetDict
        PyUnicode_AsUTF8 PyIter_Next
    """,
    PYTHON_MINUS_ONE: """
        PyDict_SetItem PyDict_SetItemString PyDict_Update PyErr_WarnEx PyErr_WarnFormat PyList_Append PyList_Extend
        PyObject_SetAttr PyObject_SetAttrString PyObject_SetItem PySys_AddAuditHook PyTraceBack_Here PyType_Ready
    """,
    C_NULL: "malloc calloc realloc aligned_alloc PyMem_RawMalloc PyMem_RawCalloc PyMem_RawRealloc fopen64 fopen",
    C_MINUS_ONE: "mmap mmap64 memfd_create",
}
HOW = {name: how for how, names in FAILS.items() for name in names.split()}
# PyObject_Call is left out: it runs what the program gave. PyMem_Malloc sets no exception.
HOW |= dict.fromkeys(("PyMem_Calloc", "PyMem_Malloc", "PyMem_Realloc", "PyObject_Malloc"), C_NULL)

FLAGS = ["-w", "-O0", "-g1", "-std=gnu11", "-fPIC", "-fvisibility=hidden", "-fno-plt", "-DCYTHON_USE_FREELISTS=0"]


class Site(NamedTuple):
    """A call. In the order of the code, so that `number` tells calls of one function in one other apart."""

    function: str  # that calls
    callee: str
    number: int  # among the calls of callee in function

    def __str__(self):
        return f"{self.function}: {self.callee} #{self.number}"


def included():
    return [f"-I{EXT}", f"-I{depwatch.get_include()}"]


@functools.cache
def core_to_starve():
    """The core once more, without optimization: each call in the source is one call in the code. Kept in build/."""
    command, flags = compiler()
    sources = [generated_source(), *ext_sources("*.c")]
    contents = hashlib.sha256(repr((command, flags, FLAGS)).encode())
    for path in [*sources, *sorted(EXT.rglob("*.h")), *sorted(Path(depwatch.get_include()).iterdir())]:
        contents.update(path.read_bytes())
    folder = ROOT / "build" / "starving" / contents.hexdigest()[:16]
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=folder.parent))

        def compile_one(numbered):
            number, source = numbered
            made = fresh / f"{number}.o"
            read(*command, *flags, *FLAGS, *included(), "-c", source, "-o", made)
            return made

        with ThreadPoolExecutor(2) as pool:
            objects = list(pool.map(compile_one, enumerate(sources)))
        read(*command, "-shared", *objects, "-o", fresh / "_core.so")
        for made in objects:
            made.unlink()
        try:
            fresh.rename(folder)
        except OSError:  # another worker was first
            shutil.rmtree(fresh)
    return folder / "_core.so"


def imports(core):
    """{address of its entry in the GOT: name} of what the core calls or refers to in other files."""
    entries = re.findall(
        r"^([0-9a-f]+) .*R_X86_64_(?:GLOB_DAT|JUMP_SLOT) +[0-9a-f]+ ([\w.]+)", read("readelf", "-rW", core), re.M
    )
    return {int(address, 16): name for address, name in entries}


@functools.cache
def calls(core):
    """{return address: Site} of all calls of the core to other files; of calls through pointers the callee is "*"."""
    names = imports(core)
    found, counted = {}, {}
    function, pending = "", None
    for line in read("objdump", "-d", "--no-show-raw-insn", core).splitlines():
        if line.endswith(">:"):
            function = line.split("<")[1][:-2]
            continue
        address, colon, instruction = line.partition(":\t")
        if not colon:
            continue
        if pending is not None:
            number = counted[function, pending] = counted.get((function, pending), -1) + 1
            found[int(address, 16)] = Site(function, pending, number)
            pending = None
        operation, _, operand = instruction.partition(" ")
        if operation not in ("call", "callq") or "*" not in operand:
            continue
        slot = re.search(r"# ([0-9a-f]+)", operand)
        pending = names[int(slot[1], 16)] if slot else "*"
    return found
