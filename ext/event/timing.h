/* Timing: how long events take, for stats(). To read the clock twice takes longer than most events do. So it is read for each
 * event of a facet with many dependents, and of the others for one in TIMED_EVERY, which stands for all of them. Called inside
 * CPython's callbacks: see event.h. */
#ifndef DW_TIMING_H
#define DW_TIMING_H

#include "facet/facets.h"

#define TIMED_EVERY 1021u /* a prime: where changes take turns in a loop, each of them has its turn here, too */

typedef struct Timing {
    uint64_t began;
    uint64_t stands_for; /* so many events; 0: this one is not timed */
} Timing;

/* Whether the event is timed: the one that was counted last, or is counted next. */
static ALWAYS_INLINE bool is_timed(const Facet *facet)
{
    return UNLIKELY(service.events >= service.next_timed) || UNLIKELY(dependents_many(&facet->handles));
}

Timing timing_now(const Facet *facet); /* for an event that is timed */
void timing_over(Timing timing);

static inline Timing timing_begins(const Facet *facet) { return is_timed(facet) ? timing_now(facet) : (Timing){0}; }

static inline void timing_ends(Timing timing)
{
    if (timing.stands_for != 0)
        timing_over(timing);
}

void timing_learn(void); /* called at import: how long it takes to read the clock */

#endif
