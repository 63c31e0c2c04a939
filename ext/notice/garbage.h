/* Garbage: references that a drain lets go, dropped when no state is in the making any more: a destructor may run Python.
 * A step that lets go of something makes room for it before it acts, so that nothing is dropped early for want of memory.
 */
#ifndef DW_GARBAGE_H
#define DW_GARBAGE_H

#include <Python.h>
#include <stdint.h>

#define GARBAGE_FEW 16u

typedef struct Garbage {
    PyObject **items; /* owned; NULL: few */
    uint32_t n, capacity;
    PyObject *few[GARBAGE_FEW];
} Garbage;

static inline Garbage garbage_none(void) { return (Garbage){0}; }

/* Room for that many more. -1 with MemoryError set. */
int garbage_reserve(Garbage *garbage, uint32_t n);
/* The same for a step that must not fail, and before which no state is in the making: short of memory, it drops what is there. */
void garbage_make_room(Garbage *garbage, uint32_t n);
/* Keeps an owned reference, or NULL: nothing. There is room. */
void let_go(Garbage *garbage, PyObject *owned);
/* Drops all, the last first. May run the program's destructors, which may begin another drain. */
void garbage_drop(Garbage *garbage);

#endif
