/* Bypasses: instructions that CPython specializes once they are hot, and that then run a function's own code without calling
 * the entry installed for it. tests/host/test_host_entries.py finds out which bypasses each CPython has. Safe points only.
 */
#ifndef DW_BYPASS_H
#define DW_BYPASS_H

#include <Python.h>

typedef enum Bypass {
    BYPASS_NONE,
    BYPASS_INIT,  /* the call C(...) of a class whose __init__ is the function; also if the function is only named so */
    BYPASS_GETTER /* the load obj.name of a property whose getter is the function */
} Bypass;

/* The bypass that CPython could take around an entry of this function now; -1 with an exception set. Runs no code of the
 * program. */
int bypass_of(PyObject *function);

#endif
