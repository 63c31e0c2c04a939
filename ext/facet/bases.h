/* Bases: how depwatch sees that a class got other bases. Each base has a table of its direct subclasses, tp_subclasses: a dict
 * from the subclass's address to a weak reference. depwatch watches these dicts.
 *
 * `C.__bases__ = ...` deletes C from the tables of its old bases, after CPython replaced the MROs of C and of its subclasses.
 * Unlike a type watcher's event, this one needs no version tag, of which a class gets only 1000. tp_subclasses is internal to
 * CPython, so it is checked once, on classes of our own; if the check fails, attributes of types are unwatchable.
 */
#ifndef DW_BASES_H
#define DW_BASES_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

/* Registers the MRO facet at its type, at every class that the type inherits from, and at their tables. -1 with an exception
 * set. */
int look_bases(uint32_t facet);

static inline bool is_static(PyTypeObject *type) { return !PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE); }

/* Whether a class may exchange this base for another. CPython allows that between bases of the same layout and deallocator, as
 * static exception types are; it allows a class to leave `object` itself only from 3.15 on. */
static inline bool may_leave(PyTypeObject *base) { return base != &PyBaseObject_Type || Py_Version >= 0x030f0000; }

extern PyObject *table_of_object; /* borrowed: the table of `object`; NULL: not found yet, or not needed */

/* The base's table of subclasses, if it can be had without a search, else NULL. */
static inline PyObject *known_table(PyTypeObject *base)
{
    PyObject *table = !is_static(base)             ? (PyObject *)base->tp_subclasses
                      : base == &PyBaseObject_Type ? table_of_object
                                                   : NULL;
    return table != NULL && PyDict_CheckExact(table) ? table : NULL;
}

/* The type whose address this key of a table of subclasses is; it may be dead. NULL: the key is no address. */
static inline const PyTypeObject *type_of_key(PyObject *key)
{
    return PyLong_CheckExact(key) ? (PyTypeObject *)(uintptr_t)PyLong_AsUnsignedLongLongMask(key) : NULL;
}

/* Whether the type's metaclass has an mro() other than type's. Runs no Python. */
bool has_own_mro(PyTypeObject *type);

#endif
