/* Assignments of bases in the middle of which Python may run. `B.__bases__ = ...` replaces the MROs of B and of all its
 * subclasses one after the other; where the metaclass of one of these has an mro() of its own, that runs in between, and may
 * itself assign bases. Then, and where it raises, B leaves no table of subclasses: MROs are put back, or stay, unreported.
 * So what is looked up along these bases is given up when the assignment begins, and refused until it is over.
 *
 * Nothing reports the end; but the frame that makes the assignment stays at its instruction until then.
 */
#ifndef DW_ASSIGNED_BASES_H
#define DW_ASSIGNED_BASES_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Assignment {
    PyTypeObject *type; /* owned */
    PyObject *code;     /* owned or NULL: of the frame; NULL: it is not known, so the assignment is over with the thread */
    uint32_t references; /* to that code: each time that it was made again */
    int offset;         /* bytes into that code */
    uint64_t thread;
} Assignment;

/* Inside CPython's audit event, before the assignment. Whether any subclass's metaclass has an mro() of its own. */
bool bases_run_python(PyTypeObject *type);
/* The assignment begins. code: a new reference, or NULL; kept. */
void bases_begin(PyTypeObject *type, PyObject *code, int offset, uint64_t thread);
/* Whether the test is true of the type or any of its subclasses. */
bool any_of_family(PyTypeObject *type, bool (*test)(PyTypeObject *));

/* Safe points only. -1 with Unwatchable set while bases of the type are being assigned like that. */
int refuse_assigned_bases(PyTypeObject *type);
/* Takes one that is over: true, and the references are the caller's. */
bool take_assigned_bases(Assignment *over);

#endif
