/* What is held: the objects of certain types that CPython's garbage collector knows, or that such an object refers to. Safe
 * points only; runs no Python code. */
#ifndef DW_HELD_H
#define DW_HELD_H

#include <Python.h>
#include <stdbool.h>

/* A list of the objects of exactly these types, each once: among the roots and what they refer to; if everywhere, among all
 * that the collector has in its lists and what that refers to. What it knows but does not list, such as tuples of numbers, is
 * looked into as well; frozen (gc.freeze was called, as CPython 3.12 does by itself): all that it knows, wherever references
 * lead. NULL: an exception is set.
 * Cost: everywhere, a look-up for each reference between objects of the process. */
PyObject *held_of(PyObject *types, PyObject *roots, bool everywhere, bool frozen);

#endif
