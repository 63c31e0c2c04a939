/* Stored keys: reads a dict's table of keys and their hashes. A dict stores the hash of each key, never asks for it again, and
 * compares a key only with stored keys of the same hash. So the table shows which keys could equal a name.
 *
 * The layout of the table is internal to CPython (tests/host checks it), so it is checked once, on a dict of our own; if the
 * check fails, names in dicts are unwatchable. Except for the check, nothing here runs Python or allocates.
 */
#ifndef DW_STORED_KEYS_H
#define DW_STORED_KEYS_H

#include <Python.h>
#include <stdbool.h>

/* --- also inside CPython's callbacks --------------------------------------------------------------------------------- */

/* An odd key with this hash (borrowed): one whose __eq__ may say, now or later, that it equals a str. NULL: there is none. */
PyObject *odd_key_of(PyObject *dict, Py_hash_t hash);
/* The value stored under this very key or, for an exact int, float or str, under a key with the same bits (borrowed). NULL:
 * there is none, or finding it would run Python, as the hash of a tuple does. */
PyObject *stored_value(PyObject *dict, PyObject *key);

/* --- safe points only ------------------------------------------------------------------------------------------------ */

/* Checks the layout; called at import. False with an exception set when out of memory. */
bool stored_keys_learn(void);
/* Returns -1 with Unwatchable set if the layout was found to be another. */
int check_stored_keys(void);

#endif
