/* FacetList: the facets that one handle depends on: the forward side of the index. No Python.h.
 *
 * The IDs are ascending and stored as gaps; a gap takes one byte for every 7 bits (LEB128). The facets of one module have close
 * IDs, so a facet takes two bytes on average. A list is written once, and read when the handle is purged or explained.
 */
#ifndef DW_FACET_LIST_H
#define DW_FACET_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct FacetList {
    uint64_t word; /* 0: empty. Else the number of bytes in bits 0-31 and the block in bits 32-62; or, for a list too long for
                      a block, bit 63 and a malloc'ed address */
} FacetList;

/* Safe points only. Fills an empty list with n ascending, distinct facets. False: out of memory; the list stays empty. */
bool facet_list_set(FacetList *list, const uint32_t *facets, uint32_t n);
uint32_t facet_list_count(const FacetList *list);

typedef struct FacetWalk {
    const uint8_t *next; /* borrowed from the list */
    uint32_t left;       /* how many facets are still to come */
    uint32_t facet;      /* the one that facet_list_next() found */
} FacetWalk;

FacetWalk facet_list_walk(const FacetList *list);
bool facet_list_next(FacetWalk *walk);
/* Writes all facets, facet_list_count() of them, ascending. */
void facet_list_read(const FacetList *list, uint32_t *facets);
size_t facet_list_memory(const FacetList *list); /* bytes that the list owns, beside its word */
void facet_list_clear(FacetList *list);

#endif
