/* What is told of handles: that their state is another, and that they are gone. Safe points only. */
#ifndef DW_HANDLE_NOTICES_H
#define DW_HANDLE_NOTICES_H

#include <Python.h>
#include <stdint.h>

/* Appends a notice for each handle of the facet whose state is not the one last told. -1 with an exception set. */
int tell_handles(uint32_t facet, PyObject *notices);
/* Takes all retired handles out of the index, and appends notices of that. -1 with an exception set: later. */
int purge_retired(PyObject *notices);

#endif
