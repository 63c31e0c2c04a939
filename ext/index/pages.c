#define _GNU_SOURCE
#include "index/pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__linux__)
#include <sys/mman.h>

#define MOST_AT_ONCE 64 /* pieces: 128 MiB of addresses */

static struct {
    char *fresh, *end; /* the part of the last mapping that was never given away: addresses, no memory */
    size_t pieces;     /* in the last mapping */
} mapping;

static bool map_pieces(size_t n)
{
    /* The system aligns to small pages only. So this maps one piece more, and unmaps what lies outside the aligned ones. */
    char *start = mmap(NULL, (n + 1) * PAGES_PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED)
        return false;
    size_t before = -(uintptr_t)start & (PAGES_PIECE - 1);
    if (before != 0)
        munmap(start, before);
    mapping.fresh = start + before;
    mapping.end = mapping.fresh + n * PAGES_PIECE;
    mapping.pieces = n;
    munmap(mapping.end, PAGES_PIECE - before);
    return true;
}

void *pages_take(bool huge)
{
    size_t more = mapping.pieces == 0 ? 1 : mapping.pieces == MOST_AT_ONCE ? MOST_AT_ONCE : 2 * mapping.pieces;
    /* A process whose addresses are limited may have room for one piece only. */
    if (mapping.fresh == mapping.end && !map_pieces(more) && !map_pieces(1))
        return NULL;
    char *piece = mapping.fresh;
    mapping.fresh += PAGES_PIECE;
    if (huge)
        (void)madvise(piece, PAGES_PIECE, MADV_HUGEPAGE); /* only a hint: failure costs speed, not correctness */
    return piece;
}

void pages_give(void *piece) { munmap(piece, PAGES_PIECE); }

#else

void *pages_take(bool huge)
{
    (void)huge;
    void *piece = aligned_alloc(PAGES_PIECE, PAGES_PIECE);
    return piece == NULL ? NULL : memset(piece, 0, PAGES_PIECE);
}

void pages_give(void *piece) { free(piece); }

#endif
