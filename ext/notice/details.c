#include "notice/details.h"

#include "event/queue.h"
#include "facet/facets.h"
#include "notice/garbage.h"
#include "notice/makers.h"

#define OWNED 4 /* the most references that one detail owns */

/* The value to report (borrowed); NULL: it is gone, or the event did not name it. */
static PyObject *as_told(PyObject *value, Has has) { return has == HAS_KEPT ? ((Kept *)value)->value : value; }

static PyObject *old_value(const Detail *detail)
{
    if (detail->broke && detail->old_value == NULL) {
        PyObject *recorded = facet_recorded(facet_at(detail->facet));
        return recorded == ABSENT ? NULL : recorded;
    }
    return as_told(detail->old_value, detail->old);
}

static PyObject *new_value(const Detail *detail)
{
    const Facet *facet = facet_at(detail->facet);
    if (detail->new != HAS_CURRENT)
        return as_told(detail->new_value, detail->new);
    return facet->known && facet->changes == detail->changes ? facet->current : NULL;
}

/* The detail DESTROYED of a dead function: it is still queued, behind the function's other details. NULL: the queue was full
 * when the function died. */
static const Detail *end_of(const Detail *life)
{
    for (uint32_t i = 0; i < queue.count; i++) {
        const Detail *later = &queue.details[(queue.head + i) & (QUEUE_CAPACITY - 1)];
        if (later->facet == NO_ID && later->life.address == life->life.address && later->change == DEPWATCH_DESTROYED)
            return later;
    }
    return NULL;
}

static int tell_life(const Detail *detail)
{
    const Kept *kept = detail->change == DEPWATCH_DESTROYED ? NULL : detail->life.function;
    PyObject *function = kept == NULL ? NULL : kept->value;
    return notice_makers.life(detail, function, function == NULL ? end_of(detail) : NULL,
                              as_told(detail->new_value, detail->new));
}

static int tell_detail(const Detail *detail)
{
    PyObject *filename = NULL;
    int line = 0;
    if (detail->code != NULL && PyCode_Check(detail->code)) {
        filename = ((PyCodeObject *)detail->code)->co_filename;
        line = PyCode_Addr2Line((PyCodeObject *)detail->code, detail->offset);
    }
    return notice_makers.detail(detail, old_value(detail), new_value(detail), filename, line);
}

static void leave_life(const Life *life, Change change, Garbage *garbage)
{
    if (change == DEPWATCH_DESTROYED)
        let_go(garbage, life->name);
    else if (life->function != NULL)
        let_go(garbage, kept_leave(life->function));
    let_go(garbage, life->lifecycle_callback);
}

/* Gives a detail's references to garbage. */
static void leave_detail(const Detail *detail, Garbage *garbage)
{
    if (detail->facet == NO_ID) {
        leave_life(&detail->life, detail->change, garbage);
    } else {
        let_go(garbage, detail->key);
        if (detail->old_value != NULL)
            let_go(garbage, queue_leave(detail->old_value, detail->old));
        let_go(garbage, detail->code);
    }
    if (detail->new != HAS_CURRENT && detail->new_value != NULL)
        let_go(garbage, queue_leave(detail->new_value, detail->new));
}

static void leave_oldest(Garbage *garbage)
{
    const Detail detail = queue.details[queue.head];
    queue.head = (queue.head + 1) & (QUEUE_CAPACITY - 1);
    if (--queue.count == 0)
        queue.head = 0; /* a queue that is emptied often thus uses the same few cache lines */
    leave_detail(&detail, garbage);
}

/* Makes the notice first, and only then takes the detail off the queue: if memory runs out, the detail stays queued. */
static int take_detail(Garbage *garbage)
{
    const Detail detail = queue.details[queue.head];
    if (garbage_reserve(garbage, OWNED) < 0 || (detail.facet == NO_ID ? tell_life(&detail) : tell_detail(&detail)) < 0)
        return -1;
    queue.taken++;
    leave_oldest(garbage);
    return 0;
}

int take_details(Garbage *garbage)
{
    while (queue.count != 0)
        if (take_detail(garbage) < 0)
            return -1;
    return 0;
}

void details_drop(Garbage *garbage)
{
    while (queue.count != 0) {
        garbage_make_room(garbage, OWNED);
        leave_oldest(garbage);
    }
}

PyObject *service_set_lifecycle_callback(PyObject *lifecycle_callback)
{
    PyObject *before = service.lifecycle_callback;
    service.lifecycle_callback = Py_XNewRef(lifecycle_callback);
    service.function_interest = service.function_interest + (lifecycle_callback != NULL) - (before != NULL);
    return before;
}
