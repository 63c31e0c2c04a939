/* FacetList: the facets that one handle depends on, the forward side of the index. No Python.h.
 *
 * Ascending, so that gaps are small: each takes one byte for every 7 bits (LEB128). Those of one module are numbered
 * together, so a facet takes two bytes on average. Written once, read when the handle is purged or explained.
 */
#ifndef DW_FACET_LIST_H
#define DW_FACET_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct FacetList {
    uint64_t word; /* 0: none. Bytes in bits 0-31, block in bits 32-62; or bit 63 and a malloc'ed address: very many */
} FacetList;

/* Safe points only. facets are ascending, each once; the list was empty. False: out of memory, it still is. */
bool facet_list_set(FacetList *list, const uint32_t *facets, uint32_t n);
uint32_t facet_list_count(const FacetList *list);

typedef struct FacetWalk {
    const uint8_t *next; /* borrowed from the list */
    uint32_t left;
    uint32_t facet;      /* after facet_list_next */
} FacetWalk;

FacetWalk facet_list_walk(const FacetList *list);
bool facet_list_next(FacetWalk *walk);
/* Writes facet_list_count() of them, ascending. */
void facet_list_read(const FacetList *list, uint32_t *facets);
size_t facet_list_memory(const FacetList *list); /* bytes that it owns */
void facet_list_clear(FacetList *list);

#endif
