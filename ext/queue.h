/* The queue of details: what an event was, for listeners and for explain(). Allocated once; when it is full, details
 * are dropped and counted. No action depends on it.
 */
#ifndef DW_QUEUE_H
#define DW_QUEUE_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#include "service.h"

#define QUEUE_CAPACITY 8192u /* details, 48 bytes each; a power of two */

typedef struct Detail {
    PyObject *key;       /* owned or NULL: the drain DECREFs (a destructor may run Python) */
    PyObject *old_value; /* owned or NULL: not told, or (broke) still what the facet has recorded */
    PyObject *new_value; /* owned or NULL */
    PyObject *code;      /* owned or NULL: code object of the frame that made the change */
    int offset;          /* bytes into that code */
    uint32_t facet;
    uint32_t object;     /* object ID of the changed object */
    uint8_t change;      /* Change */
    bool broke;          /* this event broke the facet */
} Detail;

typedef struct Queue {
    Detail *details;  /* owned; QUEUE_CAPACITY of them, NULL before the first use */
    uint32_t head;    /* oldest */
    uint32_t count;
    uint32_t limit;   /* QUEUE_CAPACITY, or 0 while nothing is to be queued: not allocated, or the interpreter ends */
    uint64_t taken;   /* ever, by drains */
    uint64_t dropped; /* ever */
} Queue;

extern Queue queue;

static inline struct _PyInterpreterFrame *current_frame(void)
{
#if PY_VERSION_HEX >= 0x030d0000
    return PyThreadState_GetUnchecked()->current_frame; /* a dict changes under the GIL: there is a thread state */
#else
    return _PyThreadState_UncheckedGet()->cframe->current_frame;
#endif
}

/* Called inside CPython's callback. Never with a value that is dying: a new reference would bring it back to life. */
static inline void queue_detail(uint32_t facet, uint32_t object, Change change, bool broke, PyObject *key,
                                PyObject *old_value, PyObject *new_value)
{
    if (queue.count >= queue.limit) {
        queue.dropped++;
        return;
    }
    Detail *detail = &queue.details[(queue.head + queue.count++) & (QUEUE_CAPACITY - 1)];
    detail->key = Py_XNewRef(key);
    detail->old_value = Py_XNewRef(old_value);
    detail->new_value = Py_XNewRef(new_value);
    detail->code = NULL;
    detail->offset = -1;
    detail->facet = facet;
    detail->object = object;
    detail->change = (uint8_t)change;
    detail->broke = broke;
    struct _PyInterpreterFrame *frame = current_frame();
    if (frame != NULL) {
        detail->code = PyUnstable_InterpreterFrame_GetCode(frame); /* a new reference */
        if (PyCode_Check(detail->code)) /* the frame at the bottom of a thread has none */
            detail->offset = PyUnstable_InterpreterFrame_GetLasti(frame);
    }
}

bool queue_allocate(void); /* at the first use of a watcher; false when out of memory */

#endif
