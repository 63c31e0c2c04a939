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
        uint32_t changes;    /* new_is_current: of the facet, with this one */
    };
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
    bool broke : 1;        /* this event broke the facet */
    bool old_is_kept : 1;
    bool new_is_kept : 1;
    bool new_is_current : 1; /* that of the facet, if no event came since */
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

/* As a detail has it, until queue_leave(). */
static inline PyObject *queue_keep(PyObject *value, bool *is_kept)
{
    *is_kept = value != NULL && !dies_unseen(value);
    if (!*is_kept)
        return Py_XNewRef(value);
    PyObject *kept = (PyObject *)keep(value);
    *is_kept = kept != NULL;
    return kept;
}

/* Called inside CPython's callback. Never with a value whose reference count is 0: a new reference would bring it back.
 * is_current: the new value, which is the facet's from now on, is told if the drain finds it there. */
static ALWAYS_INLINE Detail *queue_about(uint32_t facet, uint32_t object, Change change, bool broke, PyObject *key,
                                         PyObject *old_value, PyObject *new_value, bool is_current)
{
    Detail *detail = queue_next();
    if (detail == NULL)
        return NULL;
    bool old_is_kept, new_is_kept;
    PyObject *old = queue_keep(old_value, &old_is_kept), *new = queue_keep(is_current ? NULL : new_value, &new_is_kept);
    is_current |= new_value != NULL && new == NULL;
    *detail = (Detail){.key = key != NULL && PyUnicode_CheckExact(key) ? Py_NewRef(key) : NULL,
                       .old_value = old,
                       .new_value = new,
                       .offset = -1,
                       .facet = facet,
                       .object = object,
                       .change = (uint8_t)change,
                       .broke = broke,
                       .old_is_kept = old_is_kept,
                       .new_is_kept = new_is_kept,
                       .new_is_current = is_current};
    if (is_current)
        detail->changes = facet_at(facet)->changes;
    struct _PyInterpreterFrame *frame = current_frame();
    if (frame != NULL) {
        detail->code = PyUnstable_InterpreterFrame_GetCode(frame); /* a new reference */
        if (PyCode_Check(detail->code)) /* the frame at the bottom of a thread has none */
            detail->offset = PyUnstable_InterpreterFrame_GetLasti(frame);
    }
    return detail;
}

static inline Detail *queue_detail(uint32_t facet, uint32_t object, Change change, bool broke, PyObject *key,
                                   PyObject *old_value, PyObject *new_value)
{
    return queue_about(facet, object, change, broke, key, old_value, new_value, false);
}

/* A facet broke, and nobody listens: its name is its own, and the old value what it has recorded. */
static ALWAYS_INLINE void queue_break(const Facet *facet, uint32_t object, Change change, PyObject *value)
{
    bool is_current = value != NULL && facet->known && facet->current == value && !dies_unseen(value);
    (void)queue_about(facet->id, object, change, true, NULL, NULL, value, is_current);
}

/* The same for a function's life. name and value: see Detail. */
static inline void queue_life(Change change, FunctionAttribute attribute, PyObject *function, PyObject *name, PyObject *value)
{
    Detail *detail = queue_next();
    bool is_kept = false;
    if (detail == NULL)
        return;
    value = change == CHANGE_DESTROYED ? Py_NewRef(value) : queue_keep(value, &is_kept);
    *detail = (Detail){.address = function,
                       .new_value = value,
                       .new_is_kept = is_kept,
                       .hearer = Py_NewRef(service.hearer),
                       .facet = NO_ID,
                       .attribute = attribute,
                       .change = (uint8_t)change};
    if (change == CHANGE_DESTROYED)
        detail->key = Py_XNewRef(name);
    else
        detail->function = keep_address(function);
}

/* Safe points only. A new reference to what queue_keep() returned, or NULL: the value is gone. */
static inline PyObject *queue_value(PyObject *owned, bool is_kept)
{
    return Py_XNewRef(is_kept ? ((Kept *)owned)->value : owned);
}

/* Safe points only. Returns the reference of queue_keep(), for the caller to DECREF, or NULL. */
static inline PyObject *queue_leave(PyObject *owned, bool is_kept) { return is_kept ? kept_leave((Kept *)owned) : owned; }

bool queue_allocate(void); /* at import; false when out of memory */

#endif
