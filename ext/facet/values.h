/* When two values count as the same: if they are the same object or, for exact ints, floats and strs, have the same bits.
 * Called inside CPython's callback, so these functions only load.
 */
#ifndef DW_VALUES_H
#define DW_VALUES_H

#include <Python.h>
#include <stdbool.h>
#include <string.h>

#include "facet/keys.h"

#if PY_VERSION_HEX >= 0x030f0000
PyAPI_DATA(PyTypeObject) PyLazyImport_Type; /* types.LazyImportType; cannot be subclassed */
#endif

/* Whether the value is a lazy import (PEP 810), a placeholder for an import that is not made yet. Code that loads it from a
 * namespace makes the import, stores the result in its place, and gets the result. */
static inline bool is_lazy_import(PyObject *value)
{
#if PY_VERSION_HEX >= 0x030f0000
    return Py_IS_TYPE(value, &PyLazyImport_Type);
#else
    (void)value;
    return false;
#endif
}

static inline bool same_int(PyObject *a, PyObject *b)
{
    PyLongObject *x = (PyLongObject *)a, *y = (PyLongObject *)b;
    if (PyUnstable_Long_IsCompact(x) && PyUnstable_Long_IsCompact(y))
        return PyUnstable_Long_CompactValue(x) == PyUnstable_Long_CompactValue(y);
    /* lv_tag: the number of digits from bit 3 on, the sign in bits 0 and 1; bit 2 does not belong to the value. */
    uintptr_t tag = x->long_value.lv_tag & ~(uintptr_t)4;
    return tag == (y->long_value.lv_tag & ~(uintptr_t)4) &&
           memcmp(x->long_value.ob_digit, y->long_value.ob_digit, (tag >> 3) * sizeof(digit)) == 0;
}

static inline bool is_scalar(PyObject *value)
{
    return PyFloat_CheckExact(value) || PyLong_CheckExact(value) || PyUnicode_CheckExact(value);
}

static inline bool same_value(PyObject *a, PyObject *b)
{
    if (a == b)
        return true;
    if (Py_TYPE(a) != Py_TYPE(b))
        return false;
    if (PyFloat_CheckExact(a))
        return memcmp(&((PyFloatObject *)a)->ob_fval, &((PyFloatObject *)b)->ob_fval, sizeof(double)) == 0;
    if (PyLong_CheckExact(a))
        return same_int(a, b);
    return PyUnicode_CheckExact(a) && same_str(a, b);
}

/* True only if the values are not the same; may be false although they are not. Makes no call, for the shortest path of an
 * event. */
static inline bool surely_differ(PyObject *recorded, PyObject *value)
{
    if (recorded == value)
        return false;
    if (PyLong_CheckExact(value)) {
        PyLongObject *x = (PyLongObject *)recorded, *y = (PyLongObject *)value;
        return !PyLong_CheckExact(recorded) ||
               (PyUnstable_Long_IsCompact(x) && PyUnstable_Long_IsCompact(y) &&
                PyUnstable_Long_CompactValue(x) != PyUnstable_Long_CompactValue(y));
    }
    return (!PyFloat_CheckExact(value) && !PyUnicode_CheckExact(value)) || Py_TYPE(recorded) != Py_TYPE(value);
}

#endif
