#include "watch/weakrefs.h"

#include "watch/watch.h"

PyObject *weakref_with_id(PyObject *object, PyMethodDef *on_death, uint32_t id)
{
    PyObject *self = PyLong_FromUnsignedLong(id);
    PyObject *callback = self == NULL ? NULL : PyCFunction_New(on_death, self);
    PyObject *weakref = callback == NULL ? NULL : PyWeakref_NewRef(object, callback);
    if (callback != NULL)
        PyObject_GC_UnTrack(callback); /* it leads to a number: nothing for the collector, or gc.get_objects(), to see */
    Py_XDECREF(callback);
    Py_XDECREF(self);
    return weakref;
}

static PyObject *died(PyObject *id, PyObject *weakref)
{
    watch_callbacks->death((uint32_t)PyLong_AsUnsignedLong(id), weakref);
    Py_RETURN_NONE;
}

static PyMethodDef died_method = {"type_died", died, METH_O, NULL};

PyObject *watch_death(PyObject *object, uint32_t id) { return weakref_with_id(object, &died_method, id); }
