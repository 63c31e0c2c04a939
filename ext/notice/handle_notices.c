#include "notice/handle_notices.h"

#include <stdlib.h>

#include "action/retire.h"
#include "facet/facets.h"
#include "facet/service.h"
#include "index/handles.h"
#include "notice/counts.h"
#include "notice/drain_control.h"
#include "notice/makers.h"

static int tell_state(uint32_t id, HandleState state, uint32_t facet, Cause cause)
{
    if (state == HANDLE_RETIRED || handle_at(id)->heard || notice_makers.all_heard)
        return notice_makers.state(id, state, facet, cause);
    count_state(id, state, CAUSE_NONE);
    return 0;
}

/* Returns whether the handle's state was not reported yet; or -1. */
static int tell_handle(const Facet *facet, uint32_t handle)
{
    HandleState state = handle_state(handle);
    if (state == handle_at(handle)->told || handle_at(handle)->queued)
        return 0;
    if (facet->cause == CAUSE_UNSTABLE && facet->breaks < handle_at(handle)->unstable_after)
        return 0; /* this handle has a higher limit; if it is retired, another facet is the cause */
    /* A store that drops the last reference to the recorded value breaks the facet and ends it at once. The handle gets both
     * callbacks, on_invalidate before on_retire. */
    bool breaks_first = facet->cause == CAUSE_LOST && handle_at(handle)->told == HANDLE_VALID;
    if (breaks_first && tell_state(handle, HANDLE_INVALID, facet->id, CAUSE_NONE) < 0)
        return -1;
    if (breaks_first)
        handle_at(handle)->told = HANDLE_INVALID;
    bool saturated = state == HANDLE_RETIRED && facet->cause == CAUSE_NONE;
    if (tell_state(handle, state, facet->id, saturated ? CAUSE_SATURATED : (Cause)facet->cause) < 0)
        return -1;
    handle_at(handle)->told = (uint16_t)state & 3;
    if (state == HANDLE_RETIRED)
        handle_retire(handle);
    return 1;
}

int tell_handles(uint32_t id, Pauses *pauses)
{
    Facet *facet = facet_at(id);
    DependentsWalk walk;
    dependents_walk(&walk, &facet->handles);
    while (dependents_next(&walk)) {
        uint32_t last = walk.ids[walk.count - 1], n_told = 0;
        for (uint32_t i = 0; i < walk.count; i++) {
            int told = tell_handle(facet, walk.ids[i]);
            if (told < 0)
                return -1;
            n_told += (uint32_t)told;
        }
        if (!pause_after(pauses, n_told))
            continue;
        if (service_has_news_of_events())
            return 0;
        dependents_walk_after(&walk, &facet->handles, last);
    }
    if (facet->cause == CAUSE_CHANGED && facet->holds)
        facet->counted = false; /* a change in place leaves the facet holding, so the next change counts as a new break */
    facet->cause = CAUSE_NONE;
    return 1;
}

/* Takes the first handles off the list of retired ones, at most PAUSE_AFTER: a malloc'ed array of *n, in the order in which they
 * were retired; NULL when out of memory. */
static uint32_t *take_retired(uint32_t *n)
{
    uint32_t *handles = malloc(PAUSE_AFTER * sizeof *handles);
    for (*n = 0; handles != NULL && *n < PAUSE_AFTER && service.first_retired != NO_ID; ++*n) {
        handles[*n] = service.first_retired;
        service.first_retired = handle_at(service.first_retired)->next_retired;
    }
    return handles;
}

static void leave_retired(const uint32_t *handles, uint32_t n)
{
    for (uint32_t i = n; i > 0; i--) {
        if (service.first_retired == NO_ID)
            service.last_retired = handles[i - 1];
        handle_at(handles[i - 1])->next_retired = service.first_retired;
        service.first_retired = handles[i - 1];
    }
}

/* Makes the notices of the retired handles that were not released: of all, or (out of memory) of none. */
static int tell_retired(const uint32_t *handles, uint32_t n)
{
    uint64_t mark = notice_makers.mark();
    for (uint32_t i = 0; i < n; i++)
        if (!handle_at(handles[i])->released && notice_makers.retired(handles[i]) < 0) {
            notice_makers.take_back(mark);
            return -1;
        }
    return 0;
}

int purge_retired(void)
{
    uint32_t n, *handles = take_retired(&n);
    if (handles == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    int result = tell_retired(handles, n);
    if (result < 0)
        leave_retired(handles, n);
    else
        handles_purge(handles, n);
    for (uint32_t i = 0; i < n && result == 0; i++) {
        Handle *handle = handle_at(handles[i]);
        handle->queued = false;
        handle->told = HANDLE_RETIRED;
        notice_makers.gone(handles[i], handle->released);
        if (handle->released)
            handle_free(handles[i]);
    }
    free(handles);
    return result;
}
