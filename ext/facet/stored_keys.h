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

/* --- also inside CPython's callbacks --------------------------------------------------------------------------------- */

/* A key stored under this hash that may equal, now or later, a str that it is not (borrowed); NULL: there is none. */
PyObject *odd_key_of(PyObject *dict, Py_hash_t hash);
/* What is stored under the key itself or, for an exact int, float or str, under one with the same bits (borrowed). NULL:
 * nothing, or that takes Python to find out, as with a tuple. */
PyObject *stored_value(PyObject *dict, PyObject *key);

/* --- safe points only ------------------------------------------------------------------------------------------------ */

/* At import: the check. False with an exception set when out of memory. */
bool stored_keys_learn(void);
/* -1 with Unwatchable set where this CPython keeps its tables in another way. */
int check_stored_keys(void);

#endif
