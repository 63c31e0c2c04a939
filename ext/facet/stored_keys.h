/* Stored keys: what a dict has its keys under, read from its table. A dict compares a key only with those that it stored
 * under the same hash, and keeps that hash whatever the key's __hash__ says later: so it is not asked again.
 *
 * The layout of the table is internal to CPython (tests/host pins it), so it is checked once, on a dict of our own; where
 * the check fails, names in dicts are unwatchable. No Python, no allocation but for that check.
 */
#ifndef DW_STORED_KEYS_H
#define DW_STORED_KEYS_H

#include <Python.h>
#include <stdbool.h>

/* A key stored under this hash that may equal, now or later, a str that it is not (borrowed); NULL: there is none.
 * Also called inside CPython's callbacks. */
PyObject *odd_key_of(PyObject *dict, Py_hash_t hash);

/* Safe points only. -1 with Unwatchable set where this CPython keeps its tables in another way. */
int check_stored_keys(void);

#endif
