/* The queue of details: what an event was, for listeners and for explain(). Allocated once; when it is full, details
 * are dropped and counted. No action depends on it.
 *
 * It keeps nothing of the program alive beyond the store that drops its last reference. Old and new values are kept as
 * kept.h describes: one that the program dropped before the drain is not told any more (UNKNOWN, or "an object that is
 * gone"), whichever details have it. An array is never kept: a new one is told if it is still there, an old one is not.
 * Keys are told if they are exact strs. Functions that are created or changed are told as what is left of them if they
 * died meanwhile. Code objects stay until the drain: of the line that made a change, and of a function that died.
 */
#ifndef DW_QUEUE_H
#define DW_QUEUE_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#include "facet/facets.h"
#include "watch/frame.h"

#define QUEUE_CAPACITY 8192u /* details, 48 bytes each; a power of two */

/* How a detail has a value. */
typedef enum Has { HAS_REFERENCE, HAS_KEPT, HAS_CURRENT /* that of the facet, if no event came since */ } Has;

/* An event of a facet; or, where facet is NO_ID, of a function's life, for who hears of every function. */
typedef struct Detail {
    union {
        PyObject *key;     /* owned or NULL; an exact str. Life: the qualified name of a function that is destroyed; or NULL:
                              it has none any more */
        Kept *function;    /* life: that was created or modified, known by its address; NULL: there was no room */
    };
    union {
        PyObject *old_value; /* owned, or a Kept, or NULL: not told, or (broke) what the facet has recorded */
        void *address;       /* life: of the function, which may be dead */
    };
    union {
        PyObject *new_value; /* owned, or a Kept, or NULL. Life: what was assigned, or the code object of the dead function */
        uint32_t changes;    /* HAS_CURRENT: of the facet, with this one */
    };
    union {
        PyObject *code;    /* owned or NULL: code object of the frame that made the change */
        PyObject *lifecycle_callback;  /* life: owned, who heard of functions when it happened */
    };
    int offset;            /* bytes into that code */
    uint32_t facet;
    union {
        uint32_t object;    /* object ID of the changed object */
        uint32_t attribute; /* life: depwatch_part */
    };
    uint8_t change;        /* Change */
    bool broke;            /* this event broke the facet */
    uint8_t old;           /* Has: how the old value is had */
    uint8_t new;           /* Has: the new one */
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

/* The entry after the last, or NULL: the queue is full, which is counted. */
static inline Detail *queue_next(void)
{
    if (queue.count < queue.limit)
        return &queue.details[(queue.head + queue.count++) & (QUEUE_CAPACITY - 1)];
    queue.dropped++;
    return NULL;
}

/* As a detail has it, until queue_leave(). */
static inline PyObject *queue_keep(PyObject *value, uint8_t *has)
{
    *has = HAS_REFERENCE;
    if (value == NULL || dies_unseen(value))
        return Py_XNewRef(value);
    PyObject *kept = (PyObject *)keep(value);
    if (kept != NULL)
        *has = HAS_KEPT;
    return kept;
}

/* Where the program is now. */
static inline void queue_line(Detail *detail)
{
    struct _PyInterpreterFrame *frame = current_frame();
    detail->code = NULL;
    detail->offset = -1;
    if (frame == NULL)
        return;
    detail->code = PyUnstable_InterpreterFrame_GetCode(frame); /* a new reference */
    if (PyCode_Check(detail->code)) /* the frame at the bottom of a thread has none */
        detail->offset = PyUnstable_InterpreterFrame_GetLasti(frame);
}

/* The new value of a facet that keeps nothing alive: it is told if the drain still finds it there. */
static inline void queue_current(Detail *detail, const Facet *facet)
{
    detail->new = HAS_CURRENT;
    detail->changes = facet->changes;
}

/* Called inside CPython's callback. Never with a value whose reference count is 0: a new reference would bring it back. */
static inline Detail *queue_detail(uint32_t facet, uint32_t object, Change change, bool broke, PyObject *key,
                                   PyObject *old_value, PyObject *new_value)
{
    Detail *detail = queue_next();
    if (detail == NULL)
        return NULL;
    detail->key = key != NULL && PyUnicode_CheckExact(key) ? Py_NewRef(key) : NULL;
    detail->old_value = queue_keep(old_value, &detail->old);
    detail->new_value = queue_keep(new_value, &detail->new);
    if (new_value != NULL && detail->new_value == NULL)
        queue_current(detail, facet_at(facet));
    detail->facet = facet;
    detail->object = object;
    detail->change = (uint8_t)change;
    detail->broke = broke;
    queue_line(detail);
    return detail;
}

/* A facet broke, and nobody listens: its name is its own, the old value is what it has recorded, and the new one what it
 * is now. */
static ALWAYS_INLINE void queue_break(const Facet *facet, uint32_t object, Change change, PyObject *value)
{
    Detail *detail = queue_next();
    if (detail == NULL)
        return;
    detail->key = NULL;
    detail->old_value = NULL;
    detail->old = HAS_REFERENCE;
    if (value == NULL || dies_unseen(value)) {
        detail->new_value = Py_XNewRef(value);
        detail->new = HAS_REFERENCE;
    } else if (facet->known && facet->current == value) {
        queue_current(detail, facet);
    } else {
        detail->new_value = queue_keep(value, &detail->new);
        if (detail->new_value == NULL)
            queue_current(detail, facet);
    }
    detail->facet = facet->id;
    detail->object = object;
    detail->change = (uint8_t)change;
    detail->broke = true;
    queue_line(detail);
}

/* The same for a function's life. name and value: see Detail. */
static inline void queue_life(Change change, depwatch_part part, PyObject *function, PyObject *name, PyObject *value)
{
    Detail *detail = queue_next();
    uint8_t has = HAS_REFERENCE;
    if (detail == NULL)
        return;
    value = change == DEPWATCH_DESTROYED ? Py_NewRef(value) : queue_keep(value, &has);
    *detail = (Detail){.address = function,
                       .new_value = value,
                       .new = has,
                       .lifecycle_callback = Py_NewRef(service.lifecycle_callback),
                       .facet = NO_ID,
                       .attribute = part,
                       .change = (uint8_t)change};
    if (change == DEPWATCH_DESTROYED)
        detail->key = Py_XNewRef(name);
    else
        detail->function = keep_address(function);
}

/* Safe points only. Returns the reference of queue_keep(), for the caller to DECREF, or NULL. */
static inline PyObject *queue_leave(PyObject *owned, Has has) { return has == HAS_KEPT ? kept_leave((Kept *)owned) : owned; }

bool queue_allocate(void); /* at import; false when out of memory */

#endif
