#include "notice/counts.h"

Counts counts[TALLIES];

static void count_one(Counts *of, bool first, HandleState state, int cause)
{
    if (state == HANDLE_VALID) {
        of->resumed++;
        of->lapsed -= of->lapsed != 0;
        return;
    }
    if (state == HANDLE_INVALID)
        of->invalidated++;
    else
        of->retired[cause]++;
    of->lapsed += first;
}

void count_state(uint32_t id, HandleState state, int cause)
{
    const Handle *handle = handle_at(id);
    bool first = handle->told == HANDLE_VALID;
    count_one(&counts[0], first, state, cause);
    if (handle->tally != 0)
        count_one(&counts[handle->tally], first, state, cause);
}
