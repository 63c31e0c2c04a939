#include "action/timing.h"

#include "watch/clock.h"

static uint64_t ns_of_clock; /* what two readings in a row differ by */

Timing timing_now(const Facet *facet)
{
    if (is_always_timed(facet))
        return (Timing){monotonic_ns(), 1};
    service.timed_at += (uint64_t)(service.until_timed + TIMED_EVERY);
    service.until_timed = -TIMED_EVERY;
    return (Timing){monotonic_ns(), TIMED_EVERY};
}

void timing_over(Timing timing)
{
    uint64_t ns = monotonic_ns() - timing.began;
    service.event_ns += ns > ns_of_clock ? (ns - ns_of_clock) * timing.stands_for : 0;
}

void handles_change_timed(const Facet *facet, ByteChange change)
{
    Timing timing = is_always_timed(facet) ? timing_now(facet) : (Timing){0};
    handles_change(&facet->handles, change);
    timing_ends(timing);
}

void timing_learn(void)
{
    ns_of_clock = UINT64_MAX;
    for (int i = 0; i < 16; i++) {
        uint64_t began = monotonic_ns(), ns = monotonic_ns() - began;
        ns_of_clock = ns < ns_of_clock ? ns : ns_of_clock;
    }
}
