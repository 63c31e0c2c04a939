/* Where a change of bases shows: the dict in which a base keeps its direct subclasses (type address -> weak reference).
 *
 * `C.__bases__ = ...` deletes C from the tables of its old bases when tp_mro of C and of its subclasses is already new,
 * needs no version tag, and cannot run out. tp_subclasses is internal to CPython, so it is checked once, on classes of
 * our own; where the check fails, attributes of types are unwatchable.
 */
#ifndef DW_BASES_H
#define DW_BASES_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

/* Registers the MRO facet with its type, with every class that the type inherits from, and with their tables. */
int look_bases(uint32_t facet);

static inline bool is_static(PyTypeObject *type) { return !PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE); }

/* Whether a class may get other bases than this one. CPython allows it where both have one layout and one deallocator, as
 * static exception types do; to leave `object` itself, only from 3.15 on. */
static inline bool may_leave(PyTypeObject *base) { return base != &PyBaseObject_Type || Py_Version >= 0x030f0000; }

extern PyObject *table_of_object; /* borrowed; NULL: not found yet, or not needed */

/* The table of a base, without looking for it: NULL if it has none, or one out of reach. */
static inline PyObject *known_table(PyTypeObject *base)
{
    PyObject *table = !is_static(base)             ? (PyObject *)base->tp_subclasses
                      : base == &PyBaseObject_Type ? table_of_object
                                                   : NULL;
    return table != NULL && PyDict_CheckExact(table) ? table : NULL;
}

/* The type that a key of such a table means: an address, perhaps of a dead one. */
static inline const PyTypeObject *type_of_key(PyObject *key)
{
    return PyLong_CheckExact(key) ? (PyTypeObject *)(uintptr_t)PyLong_AsUnsignedLongLongMask(key) : NULL;
}

/* Whether the type's metaclass has an mro() other than type's. Runs no Python. */
bool has_own_mro(PyTypeObject *type);

#endif
