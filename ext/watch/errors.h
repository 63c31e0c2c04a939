/* The exception classes of depwatch.errors that C code raises. */
#ifndef DW_ERRORS_H
#define DW_ERRORS_H

#include <Python.h>

extern PyObject *Unwatchable_error, *Unstable_error; /* owned for the life of the process; set at import */

#endif
