/* Weak references of our own: the watchers of the deaths that CPython reports to nobody. */
#ifndef DW_WEAKREFS_H
#define DW_WEAKREFS_H

#include <Python.h>
#include <stdint.h>

/* A new weak reference that calls on_death(id, weakref) when the object dies, or NULL with an exception set. CPython takes all
 * weak references of a dying object in hand and calls one after the other, the newest first: by then the program's may have
 * let go of whatever the ID named. So on_death compares weakref, whose address is not reused meanwhile, before all else. */
PyObject *weakref_with_id(PyObject *object, PyMethodDef *on_death, uint32_t id);
/* One that calls watch_callbacks->death(id, weakref): of a type, as types have no DESTROY event. */
PyObject *watch_death(PyObject *object, uint32_t id);

#endif
