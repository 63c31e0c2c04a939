/* Entries: optimized code that runs in the place of a function's own code, whichever reference the function is called by.
 *
 * CPython calls a Python function through a pointer in the function object (vectorcall). While an entry is installed that
 * pointer is ours: each call reads two bytes and runs the optimized code only if both are 0. An event changes these bytes
 * as it changes the byte of any handle, so the next call after an event already runs the right code.
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
    vectorcallfunc run;          /* runs `optimized` */
    const uint8_t *handle_byte;  /* the byte of the optimized code's handle; releasing that handle removes the entry first */
    PyObject *owner;             /* the Python object Entry; the map keeps one reference to it while the entry is installed */
    vectorcallfunc call;         /* the function's pointer while the entry is installed */
    const struct Entry **trampoline; /* where that finds the entry; NULL if it looks the entry up */
    const uint8_t *guard_byte;   /* the byte of the handle that relies on the function's code, defaults and kwdefaults */
} Entry;

extern AddressMap entries_by_function;
extern const Entry no_entry; /* of no function, never active */

static inline void entry_leave(Entry *entry)
{
    address_map_remove(&entries_by_function, entry->function);
    entry->function = NULL;
    if (entry->trampoline != NULL)
        *entry->trampoline = &no_entry;
}

/* Called inside CPython's callback. Takes the dying function out of the map, because another object can get its address. */
static inline void entry_function_dies(const void *function)
{
    Entry *entry = address_map_find(&entries_by_function, function);
    if (entry != NULL)
        entry_leave(entry);
}

/* Safe points only from here on. Learns the interpreter's own vectorcall pointer from a new, untouched function. */
void entry_learn(PyObject *new_function);
/* Whether the function's vectorcall pointer is the interpreter's own, and neither ours nor another extension's. */
bool entry_is_free(PyObject *function);
Entry *entry_of(PyObject *function); /* or NULL */
/* Directs all calls of the function to the entry. The function must be free (entry_is_free). False: out of memory. */
bool entry_install(Entry *entry);
/* Directs calls of the function to the interpreter again. Idempotent. */
void entry_remove(Entry *entry);
/* Runs the function's own code and returns its result; NULL with an exception set. kwargs: a dict. */
PyObject *entry_call_original(PyObject *function, PyObject *args, PyObject *kwargs);

#endif
