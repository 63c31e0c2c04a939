/* Objects of the recorder's own that the program's garbage collector need not know, and that gc.get_objects() would show. */
#include "tap.h"

#include <string.h>

#define DEEPEST 6

static const char ours[] = "depwatch."; /* modules */

/* Whether instances of the type are made by the recorder, or are what it keeps things in. */
static bool is_ours(PyTypeObject *type)
{
    if (type == &PyTuple_Type || type == &PyList_Type || type == &PyDict_Type || type == &PyFrozenSet_Type ||
        type == &PyCapsule_Type)
        return true;
    if (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE))
        return strncmp(type->tp_name, ours, sizeof ours - 1) == 0;
    PyObject *names = PyType_GetDict(type), *module = names == NULL ? NULL : PyDict_GetItemString(names, "__module__");
    Py_XDECREF(names); /* the class has it */
    const char *name = module != NULL && PyUnicode_CheckExact(module) ? PyUnicode_AsUTF8(module) : NULL;
    PyErr_Clear();
    return name != NULL && strncmp(name, ours, sizeof ours - 1) == 0;
}

static int visit(PyObject *thing, void *depth)
{
    if (!PyObject_IS_GC(thing) || !PyObject_GC_IsTracked(thing) || PyType_Check(thing) || !is_ours(Py_TYPE(thing)))
        return 0;
    PyObject_GC_UnTrack(thing);
    int deeper = *(int *)depth + 1;
    return deeper > DEEPEST ? 0 : Py_TYPE(thing)->tp_traverse(thing, visit, &deeper);
}

void untrack(PyObject *thing)
{
    int depth = 0;
    if (thing == NULL || !PyObject_IS_GC(thing))
        return;
    PyObject_GC_UnTrack(thing);
    Py_TYPE(thing)->tp_traverse(thing, visit, &depth);
}

void untrack_names(PyCodeObject *code)
{
    PyObject *(*const tuples[])(PyCodeObject *) = {PyCode_GetVarnames, PyCode_GetCellvars, PyCode_GetFreevars};
    for (int i = 0; i < 3; i++) {
        PyObject *names = tuples[i](code);
        if (names != NULL)
            PyObject_GC_UnTrack(names); /* of strings: the collector would find out as much */
        Py_XDECREF(names);
        PyErr_Clear();
    }
}

PyObject *weakref_to(PyObject *thing)
{
    PyObject *weakref = PyWeakref_NewRef(thing, NULL);
    if (weakref != NULL && Py_REFCNT(weakref) == 1) /* else it may be the program's that CPython gives again */
        PyObject_GC_UnTrack(weakref);               /* without a callback it leads to nothing */
    return weakref;
}
