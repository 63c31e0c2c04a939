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
#include "notice/pauses.h"
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
        rest_of(facet)->pins++;
        batch->facets[batch->n++] = id;
    }
    for (uint32_t i = first, j = batch->n; i + 1 < j; i++, j--) {
        uint32_t id = batch->facets[i];
        batch->facets[i] = batch->facets[j - 1];
        batch->facets[j - 1] = id;
    }
    return 0;
}

/* Makes the notices of handles, for the facets of the batch from the first one given on. Facets with a cause come first: a handle
 * that a death retired must not be reported as broken by another facet. Returns as tell_handles(). */
static int tell_batch(const LookedAt *batch, uint32_t first, Pauses *pauses)
{
    int told = 1;
    for (uint32_t i = first; i < batch->n && told == 1; i++)
        if (facet_at(batch->facets[i])->cause != CAUSE_NONE)
            told = tell_handles(batch->facets[i], pauses);
    for (uint32_t i = first; i < batch->n && told == 1; i++)
        told = tell_handles(batch->facets[i], pauses);
    return told;
}

/* Purges the retired handles. Stops after a pause in which events came: their details become notices first. */
static int purge_all(Pauses *pauses)
{
    while (service.first_retired != NO_ID && !service_has_news_of_events()) {
        if (purge_retired() < 0)
            return -1;
        pause_after(pauses, PAUSE_AFTER);
    }
    return 0;
}

/* Looks at touched facets until there are none. A look can run Python, and a pause lets other threads run, which can cause
 * events: their details become notices before any handle is purged. */
static int settle_batch(LookedAt *batch, Garbage *garbage)
{
    Pauses pauses = pauses_of_drain();
    uint32_t all_told = 0; /* how many facets of the batch are told; if an event changes one again, it is in the batch again */
    int told = 1;
    while (told == 0 || service.first_touched != NO_ID || service.first_retired != NO_ID) {
        while (service.first_touched != NO_ID) {
            uint32_t next = batch->n;
            if (batch_take(batch) < 0)
                return -1;
            while (next < batch->n)
                if (look_again(batch->facets[next++], garbage, &pauses) < 0)
                    return -1;
        }
        if (take_details(garbage) < 0 || (told = tell_batch(batch, all_told, &pauses)) < 0)
            return -1;
        if (told == 0)
            continue;
        all_told = batch->n;
        if (purge_all(&pauses) < 0)
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
static _Thread_local unsigned own_settling; /* the same of service.settling: a look can run Python, and that settle */

int settle(Garbage *garbage, LookedAt *looked_at)
{
    batches++;
    own_batches++;
    service.settling++; /* facets touched from here on need no pending call: this drain looks at them itself */
    own_settling++;
    take_unfinished();
    (void)kept_reserve(2 * kept_values.count); /* without room, a facet that breaks next could not hold again */
    int result = let_assignments_go(garbage) < 0 || take_details(garbage) < 0 || let_go_of_lonely(garbage) < 0 ||
                         touch_waiting() < 0
                     ? -1
                     : settle_batch(looked_at, garbage);
    for (uint32_t i = 0; i < looked_at->n && result < 0; i++)
        facet_touch(looked_at->facets[i]); /* the next drain looks at these facets again */
    service.settling--;
    own_settling--;
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
    service.settling = own_settling;
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
        rest_of(facet)->pins--;
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
        if (facet_rest_at(id)->owner != NO_ID && facet_at(id)->reference != REFERENCE_BORROWED)
            give_up_waiting(id, garbage);
    }
}
