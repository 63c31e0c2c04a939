/* Static tables: the tables of subclasses of static types, which CPython keeps in the interpreter's state. No pointer leads there,
 * but the garbage collector knows the dicts, as there are weak references in them: so they are found among all its objects.
 *
 * They are not found where gc.freeze() has put them aside, in versions before 3.13.3 (gh-131740).
 */
#ifndef DW_STATIC_TABLES_H
#define DW_STATIC_TABLES_H

#include <Python.h>

/* Sets *table to a new reference to the table of a static base that has the subclass `type` under `key`. Returns 1; 0 if it
 * cannot be found; -1 with MemoryError set. The collector's objects are looked at once for each base; where tables cannot be
 * found, more and more seldom. */
int static_table(PyTypeObject *base, PyTypeObject *type, PyObject *key, PyObject **table);

/* Finds the tables of all static types that have subclasses now, before gc.freeze() hides them. Makes no class, and must be
 * called before code of the program has run, as it believes a dict that looks like a table. -1 with MemoryError set. */
int find_static_tables(void);

/* A class of ours, for a test of CPython. */
PyObject *test_class(const char *name, PyObject *base);

/* For an exception that a test of CPython raised: keeps a MemoryError and returns -1; else clears it and returns 0, the answer
 * "no". */
int clear_refusal(void);

#endif
