/* What each alternative offers, so that the same loops drive and time all of them. Facets and handles are numbered
 * from 0. Each has a byte for each handle, which counts the handle's broken assumptions and stays at 255. */
#ifndef STRUCTURE_H
#define STRUCTURE_H

#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Structure {
    const char *name;
    void *(*create)(uint32_t n_facets, uint32_t n_handles); /* NULL: out of memory */
    void (*destroy)(void *self);
    /* handles[i], ascending, depends on facets[offsets[i]] to facets[offsets[i + 1] - 1], ascending, none twice. */
    bool (*add)(void *self, const uint32_t *handles, uint32_t n, const uint64_t *offsets, const uint32_t *facets);
    bool (*remove)(void *self, const uint32_t *handles, uint32_t n); /* all edges of these handles, ascending */
    void (*break_facet)(void *self, uint32_t facet);                 /* the event: each dependent's byte changes */
    void (*mend_facet)(void *self, uint32_t facet);
    /* The dependents of any of n facets, in the structure's own form: *size bytes, which the caller frees. */
    uint8_t *(*unite)(void *self, const uint32_t *facets, uint32_t n, size_t *size);
    uint8_t (*byte)(const void *self, uint32_t handle); /* its broken assumptions */
    /* Bytes taken, with what allocators add; without the bytes of the handles, which all have. */
    void (*memory)(const void *self, size_t *reverse, size_t *forward);
} Structure;

extern const Structure nothing, sorted_vectors, bloom, bloom_avx2, ours;

/* NULL: there is none of that name, or this CPU cannot run it. */
const Structure *find_structure(const char *name);

static inline void count_up(uint8_t *byte) { *byte += *byte != 255; }
static inline void count_down(uint8_t *byte) { *byte -= *byte != 255; }

/* What a malloc'ed block takes: glibc keeps its size in the word before it. */
static inline size_t taken(void *block) { return block == NULL ? 0 : malloc_usable_size(block) + sizeof(size_t); }

#endif
