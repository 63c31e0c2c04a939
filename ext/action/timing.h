/* Timing: how long events take, for stats(). To read the clock twice takes longer than most events do. So it is read for one in
 * TIMED_EVERY, which stands for all of them; and for each event of a facet with so many dependents that the event takes a
 * hundred times as long. Called inside CPython's callbacks: see event.h.
 *
 * A core built with -DDEPWATCH_UNTIMED never reads it: ./dev bench timing compares.
 */
#ifndef DW_TIMING_H
#define DW_TIMING_H

#include "facet/facets.h"
#include "index/handles.h"

#define TIMED_EVERY 1021 /* a prime: where changes take turns in a loop, each of them has its turn here, too */

#define ALWAYS_TIMED 65536u /* dependents */

typedef struct Timing {
    uint64_t began;
    uint64_t stands_for; /* so many events; 0: this one is not timed */
} Timing;

/* Counts an event. Returns whether it is one in TIMED_EVERY. */
static ALWAYS_INLINE bool event_counts(void)
{
    bool due = ++service.until_timed >= 0;
#if defined(DEPWATCH_UNTIMED)
    due = false;
#endif
    return UNLIKELY(due);
}

static ALWAYS_INLINE bool is_always_timed(const Facet *facet)
{
#if defined(DEPWATCH_UNTIMED)
    (void)facet;
    return false;
#else
    return UNLIKELY(dependents_many(&facet->handles)) && dependents_count(&facet->handles) >= ALWAYS_TIMED;
#endif
}

Timing timing_now(const Facet *facet); /* for an event that is timed */
void timing_over(Timing timing);

/* Counts an event of the facet, and times it if it is one of those that are timed. */
static inline Timing timing_begins(const Facet *facet)
{
    bool due = event_counts();
    return due || is_always_timed(facet) ? timing_now(facet) : (Timing){0};
}

static inline void timing_ends(Timing timing)
{
    if (timing.stands_for != 0)
        timing_over(timing);
}

/* For an event that does not look at its facet's dependents before: as handles_change(), and if they are many, it times that. */
void handles_change_timed(const Facet *facet, ByteChange change);

void timing_learn(void); /* called at import: how long it takes to read the clock */

#endif
