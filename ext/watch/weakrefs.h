/* Weak references with which depwatch learns of a death that no watcher of CPython reports. */
#ifndef DW_WEAKREFS_H
#define DW_WEAKREFS_H

#include <Python.h>
#include <stdint.h>

/* Returns a new weak reference that calls on_death(id, weakref) when the object dies, or NULL with an exception set.
 *
 * When CPython makes that call, the ID may already mean another item: CPython first clears all weak references to the dying
 * object and then calls their callbacks, one of which may free the item and reuse its ID. So on_death must act only if
 * weakref is still the weak reference that the item owns. Comparing addresses is enough, because CPython keeps weakref
 * alive during the call. */
PyObject *weakref_with_id(PyObject *object, PyMethodDef *on_death, uint32_t id);
/* The same, but the weak reference calls watch_callbacks->death(id, weakref). For types: they have no DESTROY event. */
PyObject *watch_death(PyObject *object, uint32_t id);

#endif
