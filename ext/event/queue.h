/* The queue of details: describes each event (old value, new value, line) for subscriptions and for explain(). It is allocated
 * once; when it is full, further details are dropped and counted. No action depends on it.
 *
 * The queue does not prolong the life of the program's objects:
 *   - Old and new values are kept as kept.h describes. If the program drops a value before the drain, subscribers get UNKNOWN
 *     in its place, and explain() says "an object that is gone".
 *   - An array is never kept. Subscribers get a new array only if the drain still finds it in the facet, an old one never.
 *   - A key is kept only if it is an exact str.
 *   - A function that was created or changed and died before the drain is reported by its address, name and code object.
 *   - Code objects do stay until the drain: that of the line that made a change, and that of a function that died.
 */
#ifndef DW_QUEUE_H
#define DW_QUEUE_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#include "facet/facets.h"
#include "watch/frame.h"

#define QUEUE_CAPACITY 8192u /* details, 56 bytes each; a power of two */

/* How a detail refers to a value: by a reference; by a Kept; or not at all, but the facet's current value is it, unless a
 * later event of the facet came. */
typedef enum Has { HAS_REFERENCE, HAS_KEPT, HAS_CURRENT } Has;

/* An event in the life of a function, for the lifecycle callback. */
typedef struct Life {
    union {
        PyObject *name;  /* DESTROYED: owned, the qualified name; NULL: it is no exact str, or gone */
        Kept *function;  /* else: the function, known by its address; NULL: no Kept was free */
    };
    void *address;       /* of the function, which may be dead */
    PyObject *lifecycle_callback; /* owned: the one that was set when the event happened */
    uint32_t part;       /* depwatch_part */
} Life;

/* An event of a facet; or, where facet is NO_ID, of a Life. */
typedef struct Detail {
    union {
        struct {
            PyObject *key;       /* owned or NULL; an exact str */
            PyObject *old_value; /* owned, or a Kept. NULL: unknown, or (if broke) the value that the facet has recorded */
            PyObject *code;      /* owned or NULL: code object of the frame that made the change */
            int offset;          /* bytes into that code */
            uint32_t object;     /* object ID of the changed object */
        };
        Life life;
    };
    unsigned long thread;    /* the identifier of the thread that made the change; not of a Life */
    union {
        PyObject *new_value; /* owned, or a Kept, or NULL. Life: the assigned value, or the code object of the dead function */
        uint32_t changes;    /* HAS_CURRENT: Facet.changes after this event */
    };
    uint32_t facet;
    uint8_t change;          /* Change */
    bool broke;              /* this event broke the facet */
    uint8_t old;             /* Has: how old_value is held */
    uint8_t new;             /* Has: how new_value is held */
} Detail;

_Static_assert(sizeof(Detail) == 56 && sizeof(Life) == 32, "a detail of a life is no larger than one of a facet");

typedef struct Queue {
    Detail *details;  /* owned; QUEUE_CAPACITY of them, NULL before the first use */
    uint32_t head;    /* index of the oldest detail */
    uint32_t count;
    uint32_t limit;   /* QUEUE_CAPACITY; 0 where nothing may be queued: before the allocation, and when the interpreter ends */
    uint64_t taken;   /* details that drains have taken so far */
    uint64_t dropped; /* details that found the queue full so far */
} Queue;

extern Queue queue;

/* The detail after the last one, for the caller to fill. NULL: the queue is full; the dropped detail is counted. */
static inline Detail *queue_next(void)
{
    if (queue.count < queue.limit)
        return &queue.details[(queue.head + queue.count++) & (QUEUE_CAPACITY - 1)];
    queue.dropped++;
    return NULL;
}

/* A reference to value for a detail, which queue_leave() gives back. Sets *has to how the value is held. */
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

/* Stores in the detail the thread and the line of Python code that is running. */
static inline void queue_line(Detail *detail)
{
    PyThreadState *thread = current_thread();
    struct _PyInterpreterFrame *frame = frame_of(thread);
    detail->thread = thread->thread_id;
    detail->code = NULL;
    detail->offset = -1;
    if (frame == NULL)
        return;
    detail->code = PyUnstable_InterpreterFrame_GetCode(frame); /* a new reference */
    if (PyCode_Check(detail->code)) /* the frame at the bottom of a thread has no code object here */
        detail->offset = PyUnstable_InterpreterFrame_GetLasti(frame);
}

/* Leaves the new value to the facet, without a reference: the drain reports it if it is still the facet's current value. */
static inline void queue_current(Detail *detail, const Facet *facet)
{
    detail->new = HAS_CURRENT;
    detail->changes = facet->changes;
}

/* Called inside CPython's callback. Never pass a value whose reference count is 0: a new reference would resurrect it. */
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

/* Queues the detail of a break for explain() alone, where no subscription wants it. So it needs no key and no old value: the
 * drain takes the facet's name and its recorded value. */
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

/* Queues an event in the life of a function. name and value: see Life.name and Detail.new_value. */
static inline void queue_life(Change change, depwatch_part part, PyObject *function, PyObject *name, PyObject *value)
{
    Detail *detail = queue_next();
    uint8_t has = HAS_REFERENCE;
    if (detail == NULL)
        return;
    value = change == DEPWATCH_DESTROYED ? Py_NewRef(value) : queue_keep(value, &has);
    *detail = (Detail){.life = {.address = function,
                                .lifecycle_callback = Py_NewRef(service.lifecycle_callback),
                                .part = part},
                       .new_value = value,
                       .new = has,
                       .facet = NO_ID,
                       .change = (uint8_t)change};
    if (change == DEPWATCH_DESTROYED)
        detail->life.name = Py_XNewRef(name);
    else
        detail->life.function = keep_address(function);
}

/* Safe points only. Ends what queue_keep() began: returns the reference, for the caller to DECREF, or NULL. */
static inline PyObject *queue_leave(PyObject *owned, Has has) { return has == HAS_KEPT ? kept_leave((Kept *)owned) : owned; }

bool queue_allocate(void); /* called at import; false when out of memory */

#endif
