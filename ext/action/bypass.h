/* Bypasses: where CPython, once a place is hot, runs a function's own code and never looks at its entry. Which it has is
 * found out by tests/host/test_host_entries.py. Safe points only.
 */
#ifndef DW_BYPASS_H
#define DW_BYPASS_H

#include <Python.h>

typedef enum Bypass {
    BYPASS_NONE,
    BYPASS_INIT,  /* the function is, or is called, an __init__: C(...) */
    BYPASS_GETTER /* of a property: obj.name */
} Bypass;

/* What leads past an entry of this function now; -1 with an exception set. Runs no code of the program. */
int bypass_of(PyObject *function);

#endif
