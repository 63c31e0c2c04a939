/* Compares a Python string with a C string literal, without running Python and without allocating. */
#ifndef DW_TEXT_H
#define DW_TEXT_H

#include <Python.h>
#include <stdbool.h>
#include <string.h>

static inline bool is_text(PyObject *name, const char *text, size_t length)
{
    return PyUnicode_CheckExact(name) && PyUnicode_IS_COMPACT_ASCII(name) &&
           PyUnicode_GET_LENGTH(name) == (Py_ssize_t)length && memcmp(PyUnicode_DATA(name), text, length) == 0;
}

#define IS_TEXT(name, text) is_text(name, text, sizeof text - 1)

#endif
