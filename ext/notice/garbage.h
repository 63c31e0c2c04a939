/* Garbage: collects the references that a drain gives up. Dropping one may run a destructor, and so Python; therefore they are
 * dropped only when all state is consistent. A step makes room in the garbage before it acts, so that it need not drop a
 * reference too early for want of memory.
 */
#ifndef DW_GARBAGE_H
#define DW_GARBAGE_H

#include <Python.h>
#include <stdint.h>

#define GARBAGE_FEW 16u

typedef struct Garbage {
    PyObject **items; /* owned array; NULL: the items are in few */
    uint32_t n, capacity;
    PyObject *few[GARBAGE_FEW];
} Garbage;

static inline Garbage garbage_none(void) { return (Garbage){0}; }

/* Makes room for n more references. -1 with MemoryError set. */
int garbage_reserve(Garbage *garbage, uint32_t n);
/* The same for a step that must not fail. Call it only where all state is consistent: if memory is short, it drops the garbage
 * collected so far. */
void garbage_make_room(Garbage *garbage, uint32_t n);
/* Adds an owned reference; NULL: does nothing. There must be room. */
void let_go(Garbage *garbage, PyObject *owned);
/* Drops all references, the last one first. May run the program's destructors, which may begin another drain. */
void garbage_drop(Garbage *garbage);

#endif
