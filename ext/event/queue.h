/* The queue of details: what an event was, for listeners and for explain(). Allocated once; when it is full, details
 * are dropped and counted. No action depends on it.
 */
#ifndef DW_QUEUE_H
#define DW_QUEUE_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#include "facet/service.h"

#define QUEUE_CAPACITY 8192u /* details, 48 bytes each; a power of two */

/* What of a function an event of its life is about. */
typedef enum FunctionAttribute {
    ATTRIBUTE_CODE,
    ATTRIBUTE_GLOBALS, /* read-only: no event */
    ATTRIBUTE_DEFAULTS,
    ATTRIBUTE_KWDEFAULTS,
    ATTRIBUTE_CLOSURE, /* read-only: no event */
    ATTRIBUTE_NOT_APPLICABLE
} FunctionAttribute;

/* An event of a facet; or, where facet is NO_ID, of a function's life, for who hears of every function. */
typedef struct Detail {
    PyObject *key;         /* owned or NULL: the drain DECREFs (a destructor may run Python). Life: the function, or the
                              qualified name of one that is dead (NULL: it has none any more) */
    union {
        PyObject *old_value; /* owned or NULL: not told, or (broke) still what the facet has recorded */
        void *address;       /* life: of the function, which may be dead */
    };
    PyObject *new_value;   /* owned or NULL. Life: what was assigned, or the code object of the dead function */
    union {
        PyObject *code;    /* owned or NULL: code object of the frame that made the change */
        PyObject *hearer;  /* life: owned, who heard of functions when it happened */
    };
    int offset;            /* bytes into that code */
    uint32_t facet;
    union {
        uint32_t object;    /* object ID of the changed object */
        uint32_t attribute; /* life: FunctionAttribute */
    };
    uint8_t change;        /* Change */
    bool broke;            /* this event broke the facet */
} Detail;

_Static_assert(sizeof(Detail) == 48, "an entry for a life is no larger than one for a facet");

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

/* The entry after the last, or NULL: the queue is full, which is counted. */
static inline Detail *queue_next(void)
{
    if (queue.count < queue.limit)
        return &queue.details[(queue.head + queue.count++) & (QUEUE_CAPACITY - 1)];
    queue.dropped++;
    return NULL;
}

/* Called inside CPython's callback. Never with a value that is dying: a new reference would bring it back to life. */
static inline void queue_detail(uint32_t facet, uint32_t object, Change change, bool broke, PyObject *key,
                                PyObject *old_value, PyObject *new_value)
{
    Detail *detail = queue_next();
    if (detail == NULL)
        return;
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

/* The same for a function's life. key and value: see Detail. */
static inline void queue_life(Change change, FunctionAttribute attribute, void *address, PyObject *key, PyObject *value)
{
    Detail *detail = queue_next();
    if (detail != NULL)
        *detail = (Detail){.key = Py_XNewRef(key),
                           .address = address,
                           .new_value = Py_NewRef(value),
                           .hearer = Py_NewRef(service.hearer),
                           .facet = NO_ID,
                           .attribute = attribute,
                           .change = (uint8_t)change};
}

bool queue_allocate(void); /* at import; false when out of memory */

#endif
