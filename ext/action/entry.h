/* Entries: optimized code in the place of a function's own, for every reference to that function.
 *
 * CPython calls a Python function through the pointer in it (vectorcall). While an entry is installed that pointer is
 * ours: each call looks at two bytes, and runs the optimized code only if both are 0. What takes the right to run away
 * is a store into a byte, as for all handles; so it is effective at once, and so is its return.
 */
#ifndef DW_ENTRY_H
#define DW_ENTRY_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#include "index/address_map.h"

typedef struct Entry {
    PyObject *function;          /* borrowed; NULL: not installed, or the function is dead */
    PyObject *optimized;         /* borrowed from the owner */
    const uint8_t *handle_byte;  /* of the optimized code's handle: kept from being released */
    PyObject *owner;             /* who has the entry: one reference to it is kept while it is installed */
    const uint8_t *guard_byte;   /* of the handle that relies on the function's code, defaults and kwdefaults */
} Entry;

extern AddressMap entries_by_function;

/* Called inside CPython's callback: the address will soon mean another function, or something else. */
static inline void entry_function_dies(const void *function)
{
    Entry *entry = address_map_find(&entries_by_function, function);
    if (entry == NULL)
        return;
    address_map_remove(&entries_by_function, function);
    entry->function = NULL;
}

/* Safe points only from here on. Which function pointer is the interpreter's own: that of any new function. */
void entry_learn(PyObject *new_function);
/* Whether calls of the function go to the interpreter now, and not to us or to another extension. */
bool entry_is_free(PyObject *function);
Entry *entry_of(PyObject *function); /* or NULL */
/* False when out of memory. The function must be free. From now on each call of it that CPython makes goes here. */
bool entry_install(Entry *entry);
/* Calls go to the interpreter again. Idempotent. */
void entry_remove(Entry *entry);
/* What the function's own code returns; NULL with an exception set. kwargs: a dict. */
PyObject *entry_call_original(PyObject *function, PyObject *args, PyObject *kwargs);

#endif
