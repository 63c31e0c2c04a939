/* The loops that time a structure, by the clock of this thread (a union: of the system): what others do on the machine is
 * not in it, apart from what they take of caches and memory. All results are ns; negative: out of memory. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "structure.h"

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return 1e9 * time.tv_sec + time.tv_nsec;
}

static double wall(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return 1e9 * time.tv_sec + time.tv_nsec;
}

/* Nothing after it begins before all before it is done: an event cannot hide its misses behind the next one. */
static inline void fence(void)
{
#if defined(__x86_64__)
    _mm_lfence();
#else
    __sync_synchronize();
#endif
}

double time_create(const Structure *structure, uint32_t n_facets, uint32_t n_handles, void **self)
{
    double start = now();
    *self = structure->create(n_facets, n_handles);
    return *self == NULL ? -1 : now() - start;
}

double time_add(
    const Structure *structure, void *self, const uint32_t *handles, uint32_t n, const uint64_t *offsets,
    const uint32_t *facets
)
{
    double start = now();
    return structure->add(self, handles, n, offsets, facets) ? now() - start : -1;
}

double time_remove(const Structure *structure, void *self, const uint32_t *handles, uint32_t n)
{
    double start = now();
    return structure->remove(self, handles, n) ? now() - start : -1;
}

double time_unite(
    const Structure *structure, void *self, const uint32_t *facets, uint32_t n, uint8_t **result, size_t *size
)
{
    double start = wall(); /* the other clock takes a tenth of a union to read */
    *result = structure->unite(self, facets, n, size);
    return *result == NULL ? -1 : wall() - start;
}

/* Each facet breaks and then each is mended, as often as said; nothing between the events. */
double time_hot(const Structure *structure, void *self, const uint32_t *facets, uint32_t n, uint32_t rounds)
{
    double start = now();
    for (uint32_t round = 0; round < rounds; round++) {
        for (uint32_t i = 0; i < n; i++)
            structure->break_facet(self, facets[i]);
        for (uint32_t i = 0; i < n; i++)
            structure->mend_facet(self, facets[i]);
    }
    return now() - start;
}

/* Each facet breaks, or is mended, once, with a fence around it. */
double time_fenced(const Structure *structure, void *self, const uint32_t *facets, uint32_t n, bool mend)
{
    void (*event)(void *, uint32_t) = mend ? structure->mend_facet : structure->break_facet;
    double start = now();
    for (uint32_t i = 0; i < n; i++) {
        fence();
        event(self, facets[i]);
    }
    fence();
    return now() - start;
}

/* Loads n words, one after the other, with a fence around each: what an event cannot be faster than. */
double time_loads(const uint64_t *words, const uint32_t *at, uint32_t n)
{
    double start = now();
    for (uint32_t i = 0; i < n; i++) {
        fence();
        uint64_t word = words[at[i]];
        __asm__ volatile("" : : "r"(word));
    }
    fence();
    return now() - start;
}

/* What changing n bytes costs where nobody has to find out which. */
double time_memset(uint8_t *bytes, size_t n, int value)
{
    double start = now();
    memset(bytes, value, n);
    double end = now();
    __asm__ volatile("" : : "r"(bytes) : "memory");
    return end - start;
}
