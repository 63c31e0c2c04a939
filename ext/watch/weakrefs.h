/* Weak references of our own: the watchers of the deaths that CPython reports to nobody. */
#ifndef DW_WEAKREFS_H
#define DW_WEAKREFS_H

#include <Python.h>
#include <stdint.h>

/* CPython takes all weak references to a dying object first, and calls one after the other: when ours is called, what it
 * is about may be freed, and its ID another's. So on_death acts only if weakref is still the one that the item has: it is
 * held until then, and no other object gets its address.
 *
 * A new weak reference that calls on_death(id, weakref) when the object dies, or NULL with an exception set. */
PyObject *weakref_with_id(PyObject *object, PyMethodDef *on_death, uint32_t id);
/* One that calls watch_callbacks->death(id, weakref): of a type, as types have no DESTROY event. */
PyObject *watch_death(PyObject *object, uint32_t id);

#endif
