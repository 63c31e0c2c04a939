#include "event/timing.h"

#include "watch/clock.h"

static uint64_t ns_of_clock; /* what two readings in a row differ by */

Timing timing_now(const Facet *facet)
{
    uint64_t stands_for = 1;
    if (!dependents_many(&facet->handles)) {
        service.next_timed = service.events + TIMED_EVERY;
        stands_for = TIMED_EVERY;
    }
    return (Timing){monotonic_ns(), stands_for};
}

void timing_over(Timing timing)
{
    uint64_t ns = monotonic_ns() - timing.began;
    service.event_ns += ns > ns_of_clock ? (ns - ns_of_clock) * timing.stands_for : 0;
}

void timing_learn(void)
{
    ns_of_clock = UINT64_MAX;
    for (int i = 0; i < 16; i++) {
        uint64_t began = monotonic_ns(), ns = monotonic_ns() - began;
        ns_of_clock = ns < ns_of_clock ? ns : ns_of_clock;
    }
}
