/* Assignments of bases in the middle of which Python may run. `B.__bases__ = ...` replaces the MROs of B and of all its
 * subclasses, one after the other. If the metaclass of one of them has an mro() of its own, CPython calls it in between, and
 * it may itself assign bases, or raise. In both cases B leaves no table of subclasses, so CPython reports nothing, although
 * some MROs stay new or are put back. Therefore depwatch gives up every facet that is looked up along these bases when the
 * assignment begins, and refuses to read one until the assignment is over.
 *
 * CPython does not report the end either. But until then the frame that makes the assignment stays at its instruction.
 */
#ifndef DW_ASSIGNED_BASES_H
#define DW_ASSIGNED_BASES_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Assignment {
    PyTypeObject *type; /* owned */
    PyObject *code;     /* owned: code object of the frame. NULL: unknown; then the assignment is over when the thread ends */
    uint32_t references; /* to code, one for each time that the same frame position made this assignment */
    int offset;         /* bytes into code */
    uint64_t thread;    /* PyThreadState.id */
} Assignment;

/* Called inside CPython's audit event, before the assignment: whether the metaclass of the type or of any subclass has an
 * mro() of its own. */
bool bases_run_python(PyTypeObject *type);
/* Enters an assignment that begins. code: a reference that this takes over, or NULL. */
void bases_begin(PyTypeObject *type, PyObject *code, int offset, uint64_t thread);
/* Whether the test is true of the type or any of its subclasses. */
bool any_of_family(PyTypeObject *type, bool (*test)(PyTypeObject *));

/* Safe points only. Returns -1 with Unwatchable set while an entered assignment to a class of the type's MRO is going on. */
int refuse_assigned_bases(PyTypeObject *type);
/* Takes out one assignment that is over: true, and its references (type, code) are the caller's. False: there is none. */
bool take_assigned_bases(Assignment *over);

#endif
