#include "notice/settle.h"

#include <stdlib.h>

#include "event/queue.h"
#include "facet/assigned_bases.h"
#include "facet/facets.h"
#include "notice/breaks.h"
#include "notice/details.h"
#include "notice/drain_control.h"
#include "notice/garbage.h"
#include "notice/handle_notices.h"
#include "notice/makers.h"
#include "notice/references.h"
#include "watch/watch.h"

static int batch_reserve(LookedAt *batch)
{
    if (batch->n < batch->capacity)
        return 0;
    uint32_t capacity = batch->capacity ? 2 * batch->capacity : 64;
    uint32_t *facets = realloc(batch->facets, capacity * sizeof *facets);
    if (facets == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    batch->facets = facets;
    batch->capacity = capacity;
    return 0;
}

/* Takes all touched facets into the batch, in the order in which they were touched: the list has the last one first. */
static int batch_take(LookedAt *batch)
{
    uint32_t first = batch->n;
    while (service.first_touched != NO_ID) {
        if (batch_reserve(batch) < 0)
            return -1;
        uint32_t id = service.first_touched;
        Facet *facet = facet_at(id);
        service.first_touched = facet->next_touched;
        facet->touched = false;
        facet->pins++;
        batch->facets[batch->n++] = id;
    }
    for (uint32_t i = first, j = batch->n; i + 1 < j; i++, j--) {
        uint32_t id = batch->facets[i];
        batch->facets[i] = batch->facets[j - 1];
        batch->facets[j - 1] = id;
    }
    return 0;
}

/* Makes the notices of handles, facets with a cause first: a handle that a death retired must not be reported as broken by
 * another facet. */
static int tell_batch(const LookedAt *batch)
{
    for (uint32_t i = 0; i < batch->n; i++)
        if (facet_at(batch->facets[i])->cause != CAUSE_NONE && tell_handles(batch->facets[i]) < 0)
            return -1;
    for (uint32_t i = 0; i < batch->n; i++)
        if (tell_handles(batch->facets[i]) < 0)
            return -1;
    return 0;
}

/* Looks at touched facets until there are none. A look can run Python, which can cause events: their details become notices
 * before any handle is purged. */
static int settle_batch(LookedAt *batch, Garbage *garbage)
{
    while (service.first_touched != NO_ID || service.first_retired != NO_ID) {
        while (service.first_touched != NO_ID) {
            uint32_t next = batch->n;
            if (batch_take(batch) < 0)
                return -1;
            while (next < batch->n)
                if (look_again(batch->facets[next++], garbage) < 0)
                    return -1;
        }
        if (take_details(garbage) < 0 || tell_batch(batch) < 0 || purge_retired() < 0)
            return -1;
    }
    return 0;
}

static int let_assignments_go(Garbage *garbage)
{
    for (Assignment over; garbage_reserve(garbage, 2) == 0;) {
        if (!take_assigned_bases(&over))
            return 0;
        let_go(garbage, over.code);
        let_go(garbage, (PyObject *)over.type);
    }
    service.unfinished = true;
    return -1;
}

/* How many batches are between settle() and settle_end(). Destructors run there, so another thread may fork in between. */
static uint32_t batches;
static _Thread_local uint32_t own_batches; /* how many of them are this thread's */

int settle(Garbage *garbage, LookedAt *looked_at)
{
    batches++;
    own_batches++;
    service.settling++; /* facets touched from here on need no pending call: this drain looks at them itself */
    take_unfinished();
    (void)kept_reserve(2 * kept_values.count); /* without room, a facet that breaks next could not hold again */
    int result = let_assignments_go(garbage) < 0 || take_details(garbage) < 0 || let_go_of_lonely(garbage) < 0 ||
                         touch_waiting() < 0
                     ? -1
                     : settle_batch(looked_at, garbage);
    for (uint32_t i = 0; i < looked_at->n && result < 0; i++)
        facet_touch(looked_at->facets[i]); /* the next drain looks at these facets again */
    service.settling--;
    if (service_has_news())
        service_schedule();
    return result;
}

/* Only the drains of other threads knew which facets they had taken, and those threads do not exist in the child. So all facets
 * are looked at again; those that were taken keep their pins, and are never freed. */
void settle_after_fork(void)
{
    if (batches != own_batches)
        facets_touch_all();
    batches = own_batches;
}

void settle_end(LookedAt *looked_at)
{
    /* If details are queued, destructors have caused events since settle(). The next drain reports these, and frees then. */
    bool told = queue.count == 0;
    for (uint32_t i = 0; i < looked_at->n; i++) {
        uint32_t id = looked_at->facets[i];
        Facet *facet = facet_at(id);
        if (!told)
            facet_touch(id);
        if (facet->dead && !facet->touched)
            notice_makers.died(id);
        facet->pins--;
        if (facet_free_if_unused(id))
            notice_makers.freed(id);
    }
    free(looked_at->facets);
    *looked_at = (LookedAt){0};
    batches--;
    own_batches--;
}

void service_shut_down(Garbage *garbage)
{
    service.shutting_down = true;
    queue.limit = 0;
    garbage_make_room(garbage, 2);
    let_go(garbage, drain_callable);
    drain_callable = NULL;
    let_go(garbage, service_set_lifecycle_callback(NULL));
    while (let_assignments_go(garbage) < 0) {
        PyErr_Clear();
        garbage_make_room(garbage, 2);
    }
    details_drop(garbage);
    for (uint32_t id = 0; id < facet_pool.used; id++) {
        garbage_make_room(garbage, 1);
        if (facet_at(id)->owner != NO_ID && facet_at(id)->reference != REFERENCE_BORROWED)
            give_up_waiting(id, garbage);
    }
}
